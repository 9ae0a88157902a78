"""The checker itself: what it must find, and what it must excuse."""

from __future__ import annotations

from tests.faults.checker import Circumstances, check, grid
from tests.faults.journal import Event

MS = 1_000_000


def call(key: str, what: str = "acked", at_ms: int = 0) -> Event:
    return Event(what, key, 1000, 1, at_ms * MS)


def run(
    key: str, start_ms: int, end_ms: int | None, *, pid: int = 10, how: str = "end"
) -> list[Event]:
    events = [Event("start", key, start_ms, pid, start_ms * MS)]
    if end_ms is not None:
        events.append(Event(how, key, start_ms, pid, end_ms * MS))
    return events


def test_jobs_when_each_ran_once_then_nothing_is_found() -> None:
    verdict = check([call("a"), call("b"), *run("a", 1, 5), *run("b", 2, 6)])

    assert (2, [], [], []) == (verdict.jobs, verdict.lost, verdict.doubled, verdict.uncalled)


def test_job_when_it_never_completed_then_it_is_lost() -> None:
    verdict = check([call("a"), call("b"), *run("b", 1, None)])

    assert ["a", "b"] == verdict.lost


def test_job_when_it_completed_twice_then_it_is_doubled() -> None:
    verdict = check([call("a"), *run("a", 1, 5), *run("a", 7, 9)])

    assert ["a"] == verdict.doubled


def test_job_when_its_bodies_overlap_then_it_is_doubled() -> None:
    late = [Event("step", "a", 1, 10, 6 * MS)]

    verdict = check([call("a"), *run("a", 1, None), *run("a", 5, 9, pid=11), *late])

    assert ["a"] == verdict.doubled


def test_job_when_killed_and_run_again_then_it_is_a_redelivery() -> None:
    known = Circumstances(deaths={10: 3 * MS})

    verdict = check([call("a"), *run("a", 1, None), *run("a", 500, 510, pid=11)], known)

    assert ([], 1) == (verdict.doubled, verdict.redelivered)


def test_job_when_it_failed_and_was_tried_again_then_it_is_no_redelivery() -> None:
    verdict = check([call("a"), *run("a", 1, 5, how="fail"), *run("a", 50, 60)])

    assert ([], [], 0) == (verdict.lost, verdict.doubled, verdict.redelivered)


def test_job_when_its_process_was_killed_right_after_its_end_then_it_is_unsettled() -> None:
    known = Circumstances(deaths={10: 6 * MS})

    verdict = check([call("a"), *run("a", 1, 5), *run("a", 500, 510, pid=11)], known)

    assert ([], ["a"]) == (verdict.doubled, verdict.unsettled)


def test_job_when_its_process_lived_on_for_long_then_its_second_run_is_a_double() -> None:
    known = Circumstances(deaths={10: 2_000 * MS})

    verdict = check([call("a"), *run("a", 1, 5), *run("a", 3_000, 3_010, pid=11)], known)

    assert ["a"] == verdict.doubled


def test_job_when_stopped_in_its_body_beyond_the_lease_then_it_is_named_apart() -> None:
    known = Circumstances(stops={10: [(3 * MS, 5_000 * MS)]})

    verdict = check([call("a"), *run("a", 1, 5_004), *run("a", 4_000, 4_010, pid=11)], known)

    assert ([], ["a"]) == (verdict.doubled, verdict.resumed)


def test_job_when_acknowledged_in_the_lost_tail_then_it_is_counted_there() -> None:
    known = Circumstances(tails=[(10 * MS, 20 * MS)])

    verdict = check([call("a", at_ms=15), call("b", at_ms=25)], known)

    assert (["b"], ["a"]) == (verdict.lost, verdict.tail)


def test_call_when_refused_then_its_job_must_not_run() -> None:
    verdict = check([call("a", "refused"), *run("a", 1, 5), *run("stranger", 1, 5)])

    assert (0, ["a", "stranger"]) == (verdict.jobs, sorted(verdict.uncalled))


def test_call_when_unsure_then_its_job_may_run_once() -> None:
    twice = [*run("b", 1, 5), *run("b", 7, 9)]

    verdict = check([call("a", "unsure"), call("b", "unsure"), *run("a", 1, 5), *twice])

    assert ([], [], ["b"]) == (verdict.lost, verdict.uncalled, verdict.doubled)


def test_uncertain_call_when_repeated_and_answered_then_it_counts_as_acknowledged() -> None:
    verdict = check([call("a", "uncertain"), call("a", "acked", 5)])

    assert ["a"] == verdict.lost


def test_occurrences_when_one_is_missing_and_one_is_doubled_then_both_are_found() -> None:
    targets = grid(["s"], 1_000, 1_500, 4_000)
    events = [
        *run("s@1000", 1, 2),
        *run("s@2000", 3, 4),
        *run("s@2000", 5, 6),
        *run("s@4000", 7, 8),
    ]

    verdict = check(events, targets=targets, grid_prefixes=["s@"])

    assert ["s@2000", "s@3000", "s@4000"] == targets
    assert (["s@3000"], ["s@2000"], []) == (verdict.lost, verdict.doubled, verdict.uncalled)
