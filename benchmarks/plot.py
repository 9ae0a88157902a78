"""A small writer of SVG bar charts: one chart per cell, logarithmic, readable in both themes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 760
_LABEL = 170
_VALUE = 110
_ROW = 20
_HEAD = 34


@dataclass(frozen=True)
class Bar:
    """One contender's value; ours stands out."""

    label: str
    value: float
    is_ours: bool


def bar_charts(charts: Sequence[tuple[str, str, Sequence[Bar]]], caption: str) -> str:
    """
    An SVG image of bar charts below each other.

    Args:
        charts: (title, unit, bars), bars in the order in which they are drawn.
        caption: Machine and server, at the foot.
    """
    parts: list[str] = []
    top = 10
    for title, unit, bars in charts:
        parts.append(_text(10, top + 20, f"{title} [{unit}, logarithmic]", weight="bold"))
        top += _HEAD
        for bar in bars:
            parts += _bar(bar, top, bars)
            top += _ROW
        top += 12
    parts.append(_text(10, top + 14, caption, size=10))
    height = top + 28
    style = (
        "<style>text{font-family:system-ui,sans-serif;fill:#1f2937}"
        ".ours{fill:#0f766e}.peer{fill:#94a3b8}"
        "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.ours{fill:#2dd4bf}}</style>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}">{style}{"".join(parts)}</svg>\n'
    )


def _bar(bar: Bar, top: int, bars: Sequence[Bar]) -> list[str]:
    values = [one.value for one in bars if one.value > 0]
    # The smallest value keeps a visible stump: the scale starts at half of it.
    low, high = math.log10(min(values) / 2), math.log10(max(values))
    share = (math.log10(bar.value) - low) / (high - low) if bar.value > 0 else 0.0
    width = max(1.0, share * (_WIDTH - _LABEL - _VALUE - 20))
    kind = "ours" if bar.is_ours else "peer"
    return [
        _text(_LABEL - 8, top + 14, bar.label, anchor="end"),
        f'<rect class="{kind}" x="{_LABEL}" y="{top + 3}" width="{width:.1f}" height="14" rx="2"/>',
        _text(int(_LABEL + width + 6), top + 14, _number(bar.value)),
    ]


def _text(
    left: int, base: int, text: str, *, size: int = 12, weight: str = "normal",
    anchor: str = "start",
) -> str:  # fmt: skip
    return (
        f'<text x="{left}" y="{base}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
