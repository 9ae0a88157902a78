"""A line plot as SVG, drawn by hand: no dependencies, a few dozen lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

#: Size of the drawing, and its margins, in SVG's units.
WIDTH, HEIGHT = 800, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 56, 32


@dataclass(frozen=True)
class Series:
    """One line: points of (seconds since the epoch, share)."""

    label: str
    colour: str
    points: Sequence[tuple[int, float]]


def line_plot(title: str, plots: Sequence[Series]) -> str:
    """The SVG of some series over time; the upper end is 100 %, or the highest point above it."""
    times = [x for plot in plots for x, _ in plot.points]
    first, last = (min(times), max(times)) if times else (0, 0)
    top = max([1.0, *(y for plot in plots for _, y in plot.points)])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first) if last > first else 0.5
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for step in range(5):
        share = top * step / 4
        _, y = place(first, share)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for x in sorted({first, (first + last) // 2, last}) if times else ():
        across, _ = place(x, 0)
        moment = datetime.fromtimestamp(x, UTC)
        parts.append(
            f'<text x="{across:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{moment:%H:%M}</text>'
        )
    for index, plot in enumerate(plots):
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in plot.points)
        parts.append(
            f'<text x="{LEFT + 140 * index}" y="40" fill="{plot.colour}">'
            f"{escape(plot.label)}</text>"
            f'<polyline points="{path}" fill="none" stroke="{plot.colour}" stroke-width="1.5"/>'
        )
        if len(plot.points) == 1:
            x_only, y_only = place(*plot.points[0])
            parts.append(
                f'<circle cx="{x_only:.1f}" cy="{y_only:.1f}" r="3" fill="{plot.colour}"/>'
            )
    return "\n".join([*parts, "</svg>", ""])
