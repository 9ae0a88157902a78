"""
How the speed is judged: each goal beside the value or the ratio that this run has measured.

Ratios are taken within one run, of the same round where both have it, and between values of equal
machine speed where there are such: calibration loops that differ by at most `report.CALM`. What
comes from unequal speeds is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.comparing import Measured
from benchmarks.figures import Goal
from benchmarks.report import CALM, OURS, number_text
from benchmarks.statistics_of import median

Test = Callable[[Measured], bool]


@dataclass(frozen=True)
class Promise:
    """
    One goal.

    Attributes:
        cell: Whose values.
        what: In words.
        goal: For the value or ratio.
        detail: Which detail of ours; None for the cell's value.
        against: Whose value ours is divided by (the best of those rows that it holds for); None
            where ours stands alone.
        beside: Their cell, where it is another one.
    """

    cell: str
    what: str
    goal: Goal
    detail: str | None = None
    against: Test | None = None
    beside: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of a goal: the median and the best of the rounds."""

    promise: Promise
    middle: float
    best: float
    rounds: int
    whom: str
    is_even: bool
    server: str


def _is_acked_peer(one: Measured) -> bool:
    return one.acks and not one.is_floor and one.name != OURS


def _is(name: str, form: str | None = None) -> Test:
    return lambda one: one.name == name and form in (None, one.form)


def _keeps_a_record(one: Measured) -> bool:
    return _is_acked_peer(one) and one.name != "Huey"


PROMISES = [
    Promise("drain", "drain, ignored / fastest peer with acks", Goal(">=", 8),
            against=_is_acked_peer),
    Promise("drain", "drain, ignored / Celery prefork", Goal(">=", 60),
            against=_is("Celery", "default")),
    Promise("drain", "drain, ignored / bare loop", Goal(">=", 0.35), against=_is("Bare loop")),
    Promise("drain", "drain, ignored, jobs/s", Goal(">=", 44_000)),
    Promise("drain-stored", "drain, stored, jobs/s", Goal(">=", 20_000)),
    Promise("drain-stored", "drain, stored / fastest peer", Goal(">=", 6),
            against=_is_acked_peer),
    Promise("drain-asyncio", "drain, asyncio pool, 1 child, jobs/s", Goal(">=", 25_000)),
    Promise("drain-alone", "one job at a time, 1 child, jobs/s", Goal(">=", 10_000)),
    # 10,000 of the 24,000 that the bare loop does on the machine of that goal.
    Promise("drain-alone", "one job at a time / bare loop of batch 1", Goal(">=", 0.42),
            against=_is("Bare loop")),
    Promise("client-cpu", "CPU of delay() / execute_command", Goal("<=", 0.65)),
    Promise("client-cpu", "CPU of apply_many, per job / execute_command", Goal("<=", 0.1),
            detail="many"),
    Promise("client-cpu-async", "CPU of adelay() / redis.asyncio", Goal("<=", 0.5)),
    Promise("enqueue", "one by one / hand-packed loop", Goal(">=", 0.8), against=_is("Bare loop")),
    Promise("enqueue", "one by one / Huey", Goal(">=", 1.2), against=_is("Huey")),
    Promise("enqueue", "one by one / fastest peer with a record", Goal(">=", 2),
            against=_keeps_a_record),
    Promise("bulk", "bulk, jobs/s", Goal(">=", 100_000)),
    Promise("bulk", "bulk / BullMQ's addBulk", Goal(">=", 7), against=_is("BullMQ")),
    Promise("eta", "2,000 ETA jobs over 20 s: p50 late, ms", Goal("<", 1), detail="p50"),
    Promise("eta", "2,000 ETA jobs over 20 s: p99 late, ms", Goal("<", 3)),
    Promise("eta", "2,000 ETA jobs over 20 s: earliest, ms", Goal(">=", 0), detail="first"),
    Promise("burst", "10,000 at one instant: last start, ms", Goal("<", 600)),
    Promise("round-trip", "enqueue to start, p50, ms", Goal("<", 0.7)),
    Promise("round-trip", "enqueue to start, p99, ms", Goal("<", 2), detail="p99"),
    Promise("round-trip", "enqueue to start, p50 / quickest peer, acks or not", Goal("<", 1),
            against=lambda one: not one.is_floor and one.name != OURS),
    Promise("schedules", "1,000 schedules: fired / expected", Goal(">=", 0.99), detail="share"),
    Promise("schedules", "1,000 schedules, aligned: gap error p50, ms", Goal("<", 1),
            detail="p50"),
    Promise("schedules", "1,000 schedules, aligned: gap error p99, ms", Goal("<", 30)),
    Promise("schedules", "1,000 schedules, aligned: CPU of beat in 60 s, s", Goal("<=", 4),
            detail="cpu_s"),
    Promise("schedules-spread", "1,000 schedules, spread: gap error p50, ms", Goal("<", 1),
            detail="p50"),
    Promise("schedules-spread", "1,000 schedules, spread: gap error p99, ms", Goal("<", 10)),
    Promise("schedules-spread", "1,000 schedules, spread: CPU of beat in 60 s, s", Goal("<=", 4),
            detail="cpu_s"),
    Promise("promotion", "promotion at 1 million, jobs/s", Goal(">=", 300_000)),
    Promise("promotion", "promotion at 1 million, ms per call of 500", Goal("<=", 1.5),
            detail="ms_1000000"),
    Promise("promotion", "promotion at 1 million by that at 10 thousand", Goal("<=", 1.3),
            detail="growth"),
    Promise("memory-eta", "memory per scheduled job, 1 million, B", Goal("<=", 300)),
    Promise("memory-eta", "the same / smallest peer that cancels by id", Goal("<", 1),
            against=_keeps_a_record),
    Promise("idle", "idle beat and worker, % of a core", Goal("<", 1)),
    Promise("idle", "idle beat and worker, PSS, MB", Goal("<", 90), detail="pss_mb"),
]  # fmt: skip


def judge(found: Sequence[Measured]) -> list[Verdict]:
    """A verdict for each goal whose values are there."""
    verdicts = []
    for promise in PROMISES:
        mine = _even([one for one in _of(found, promise.cell) if one.name == OURS], found)
        values = [value for one in mine if (value := _value(one, promise.detail)) is not None]
        if not values:
            continue
        whom, is_even = "", True
        if promise.against is not None:
            rivals = [one for one in _of(found, promise.cell) if promise.against(one)]
            if not rivals:
                continue
            is_less_better = promise.goal.comparison.startswith("<")
            values, whom, is_even = _ratios(mine, rivals, found, is_less_better)
        better = min if promise.goal.comparison.startswith("<") else max
        verdicts.append(
            Verdict(promise, median(values), better(values), len(values), whom, is_even,
                    mine[0].server)
        )  # fmt: skip
    return verdicts


def _ratios(
    mine: Sequence[Measured], rivals: Sequence[Measured], found: Sequence[Measured],
    is_less_better: bool,
) -> tuple[list[float], str, bool]:  # fmt: skip
    """Ours by the best rival's: of the same round, else by the median of its rounds."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for one in rivals:
        groups.setdefault((one.name, one.form), []).append(one)
    even = {label: _even(group, found) for label, group in groups.items()}
    middles = {label: median([one.value or 0.0 for one in group]) for label, group in even.items()}
    best = (min if is_less_better else max)(middles, key=lambda label: middles[label])
    by_round = {one.round: one for one in even[best]}
    ratios, is_even = [], True
    for one in mine:
        rival = by_round.get(one.round)
        theirs = middles[best] if rival is None else rival.value
        loops = [other.loop_ms for other in ([rival] if rival else even[best])]
        is_even &= all(
            max(loop, one.loop_ms) <= CALM * min(loop, one.loop_ms) for loop in loops
        )  # fmt: skip
        if one.value is not None and theirs:
            ratios.append(one.value / theirs)
    return ratios, f"{best[0]} ({best[1]}) {number_text(middles[best])}", is_even


def _of(found: Sequence[Measured], cell: str) -> list[Measured]:
    return [one for one in found if one.cell == cell and one.value is not None]


def _even(group: Sequence[Measured], found: Sequence[Measured]) -> list[Measured]:
    """Those of calm moments, or all where there are none."""
    quickest = min((one.loop_ms for one in found), default=0.0)
    return [one for one in group if one.loop_ms <= CALM * quickest] or list(group)


def _value(one: Measured, detail: str | None) -> float | None:
    if detail == "share":
        return float(one.details["fired"] / one.details["expected"])
    found = one.value if detail is None else one.details.get(detail)
    return None if found is None else float(found)


def table(verdicts: Sequence[Verdict]) -> str:
    """A Markdown table, one row per goal."""
    lines = [
        "| work | goal | median | best | | against | rounds | server |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in verdicts:
        is_met = one.promise.goal.is_met_by(one.middle)
        word = "met" if is_met else "best met" if one.promise.goal.is_met_by(one.best) else "missed"
        whom = one.whom + ("" if one.is_even else " ²")
        lines.append(
            f"| {one.promise.what} | {one.promise.goal} | {number_text(one.middle)} | "
            f"{number_text(one.best)} | {word} | {whom} | {one.rounds} | {one.server} |"
        )
    return "\n".join([*lines, "", "² Their calibration loops differ by more than 1.3 times."])
