"""
The checker: compares what ran with what should have run, after Jepsen's test of Chronos.

It reads the journal alone, never Redis. Each key that a client was told is enqueued, and each
occurrence of a schedule, is a target: exactly one completed run. A run that began and was ended by
a fault, and began again, is a redelivery and no double. Three things are counted apart, because
no queue can do otherwise: a run whose process was killed in the moments between the end of its
body and the answer that says so (``unsettled``), one whose process was stopped in its body and
came back after its lease (``resumed``), one that ended while its worker was cut off for longer
than its lease (``cut_off``), and what Redis itself lost with its tail (``tail``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults.journal import Event

#: A run that ended so shortly before its process was killed may not have been settled, ms: a batch
#: is settled after 5 ms of work and the job in hand, and the answer takes its time on a loaded
#: machine.
UNSETTLED_MS = 60.0

#: Begin and end of a span, monotonic ns.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """
    One run of a body.

    Attributes:
        key: Which job.
        fence: Token of its delivery.
        pid: Where.
        started_ns: When it began.
        ended_ns: When it completed; None where it did not.
        failed_ns: When it failed by itself; None where it did not.
        seen_ns: The last that was heard of it.
    """

    key: str
    fence: int
    pid: int
    started_ns: int
    ended_ns: int | None
    failed_ns: int | None
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What the scenario did, as far as it excuses anything.

    Attributes:
        deaths: Pid -> when the suite killed it.
        stops: Pid -> spans in which the suite had stopped it.
        cuts: Pid -> spans in which it was cut off from Redis beyond its lease.
        tails: Spans whose writes Redis may have lost (R27).
        unsettled_ms: A run that ended so shortly before its process was killed may not have been
            settled.
    """

    deaths: Mapping[int, int] = field(default_factory=dict)
    stops: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    cuts: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    tails: Sequence[Span] = ()
    unsettled_ms: float = UNSETTLED_MS


@dataclass(slots=True)
class Verdict:
    """
    What the comparison found; each list holds keys.

    Attributes:
        jobs: Number of targets.
        lost: Targets without a completed run.
        doubled: Completed more than once, or bodies that overlapped, without excuse.
        uncalled: Runs of what was refused, or of what nobody asked for.
        unsettled, resumed, cut_off, tail: Excused, see above.
        redelivered: Jobs that began more than once (failed attempts are not counted).
        unsure: Calls whose outcome the client never learned.
        slowest_call_s: Longest that a client's call took until it returned or raised.
    """

    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    uncalled: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    redelivered: int = 0
    unsure: int = 0
    slowest_call_s: float = 0.0

    @property
    def remarks(self) -> list[str]:
        """What the table says beside the numbers."""
        counted = {
            "redelivered": self.redelivered,
            "killed between end and settle": len(self.unsettled),
            "stopped in the body beyond the lease": len(self.resumed),
            "ended while cut off beyond the lease": len(self.cut_off),
            "in Redis's lost tail": len(self.tail),
            "unsure calls": self.unsure,
        }
        return [f"{count} {what}" for what, count in counted.items() if count]


def runs_of(events: Iterable[Event]) -> dict[str, list[Run]]:
    """The runs of each key, in the order in which they began."""
    found: dict[str, dict[tuple[int, int], dict[str, int]]] = {}
    for event in events:
        if event.what in ("start", "step", "end", "fail"):
            run = found.setdefault(event.key, {}).setdefault((event.fence, event.pid), {})
            run.setdefault(event.what, event.at_ns)
            run["seen"] = event.at_ns
    return {
        key: sorted(
            (
                Run(key, fence, pid, at["start"], at.get("end"), at.get("fail"), at["seen"])
                for (fence, pid), at in runs.items()
                if "start" in at
            ),
            key=lambda run: run.started_ns,
        )
        for key, runs in found.items()
    }


def check(
    events: Sequence[Event],
    circumstances: Circumstances | None = None,
    *,
    targets: Collection[str] = (),
    ended_otherwise: Collection[str] = (),
    grid_prefixes: Sequence[str] = (),
) -> Verdict:
    """
    Compare runs with targets.

    Args:
        events: The journal.
        circumstances: What the scenario did.
        targets: Keys that should have run, beside those that clients were told are enqueued.
        ended_otherwise: Targets that rightly have no completed run: dead letters, cancelled.
        grid_prefixes: Keys of schedules' occurrences begin so; those outside ``targets`` lie before
            or after what is compared, and only have to be single.
    """
    known = circumstances or Circumstances()
    runs = runs_of(events)
    calls = _calls(events)
    wanted = {key for key, what in calls.items() if what == "acked"} | set(targets)
    verdict = Verdict(jobs=len(wanted))
    verdict.unsure = sum(1 for what in calls.values() if what == "unsure")
    times = [event.fence for event in events if event.what in ("acked", "refused", "uncertain")]
    verdict.slowest_call_s = max(times, default=0) / 1e6
    acked_ns = {event.key: event.at_ns for event in events if event.what == "acked"}
    for key in sorted(wanted - set(ended_otherwise)):
        if not any(run.ended_ns for run in runs.get(key, [])):
            in_tail = _is_within(acked_ns.get(key, 0), known.tails)
            (verdict.tail if in_tail else verdict.lost).append(key)
    for key, of_key in runs.items():
        unfailed = [run for run in of_key if run.failed_ns is None]
        verdict.redelivered += len(unfailed) > 1
        is_known = (
            key in wanted
            or calls.get(key) == "unsure"
            or key.startswith(tuple(grid_prefixes) or ("\0",))
        )
        if not is_known:
            verdict.uncalled.append(key)
        _judge_runs(key, of_key, known, verdict)
    return verdict


def _calls(events: Iterable[Event]) -> dict[str, str]:
    """What clients were told in the end, by key."""
    told: dict[str, str] = {}
    for event in events:
        if event.what in ("acked", "refused", "unsure", "uncertain"):
            told[event.key] = "unsure" if event.what == "uncertain" else event.what
    return told


def _judge_runs(key: str, runs: Sequence[Run], known: Circumstances, verdict: Verdict) -> None:
    """Whether a key has more than one completed run, or two at once, and what excuses it."""
    completed = [run for run in runs if run.ended_ns is not None]
    for run in completed[:-1]:
        assert run.ended_ns is not None
        if _died_unsettled(run, known):
            verdict.unsettled.append(key)
        elif _is_within(run.ended_ns, known.tails):
            verdict.tail.append(key)
        elif _was_stopped_in(run, known):
            verdict.resumed.append(key)
        elif _is_within(run.ended_ns, known.cuts.get(run.pid, ())):
            verdict.cut_off.append(key)
        else:
            verdict.doubled.append(key)
    for first, second in pairwise(runs):
        overlaps = first.seen_ns > second.started_ns
        if not overlaps or key in verdict.doubled:
            continue
        if _was_stopped_in(first, known):
            if key not in verdict.resumed:
                verdict.resumed.append(key)
        elif _is_within(first.started_ns, known.tails):
            verdict.tail.append(key)
        elif _is_within(second.started_ns, known.cuts.get(first.pid, ())):
            verdict.cut_off.append(key)
        else:
            verdict.doubled.append(key)


def _died_unsettled(run: Run, known: Circumstances) -> bool:
    died_ns = known.deaths.get(run.pid)
    assert run.ended_ns is not None
    return died_ns is not None and 0 <= died_ns - run.ended_ns <= known.unsettled_ms * 1e6


def _was_stopped_in(run: Run, known: Circumstances) -> bool:
    """Whether its process was stopped by the suite in the body, or right after it."""
    until_ns = (run.ended_ns or run.seen_ns) + known.unsettled_ms * 1e6
    return any(run.started_ns <= stop_ns <= until_ns for stop_ns, _ in known.stops.get(run.pid, ()))


def _is_within(at_ns: int, spans: Sequence[Span]) -> bool:
    return any(first <= at_ns <= last for first, last in spans)


def grid(names: Iterable[str], every_ms: int, first_ms: int, last_ms: int) -> list[str]:
    """Keys of all occurrences of schedules on a fixed grid, both ends included."""
    start = -(-first_ms // every_ms) * every_ms
    instants = range(start, last_ms + 1, every_ms)
    return [f"{name}@{instant}" for name in names for instant in instants]
