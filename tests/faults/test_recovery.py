"""What counts as recovered: the whole way from a client's call to a body."""

from __future__ import annotations

from pathlib import Path

from tests.faults.checker import runs_of
from tests.faults.journal import Event, Journal
from tests.faults.recovery import Outage, after_outages, flows_again

S = 1_000_000_000
#: From second 1 to second 2.
OUTAGE = Outage(1 * S, 2 * S, 10.0)


def event(what: str, key: str, at_s: float, fence: int = 1) -> Event:
    return Event(what, key, fence, 10, round(at_s * S))


def took_s(events: list[Event]) -> float:
    ((taken, _),) = after_outages(runs_of(events), [OUTAGE], events)
    return taken


def test_outage_when_only_older_jobs_begin_then_it_is_not_over() -> None:
    events = [event("acked", "old", 0.5), event("start", "old", 2.1)]

    assert took_s(events) == float("inf")
    assert not flows_again(events, OUTAGE)


def test_outage_when_a_new_job_begins_then_it_took_until_then() -> None:
    events = [event("acked", "new", 2.5), event("start", "new", 3.0)]

    assert took_s(events) == 1.0
    assert flows_again(events, OUTAGE)


def test_outage_when_the_first_job_has_a_countdown_then_it_is_deducted() -> None:
    planned = event("planned", "new", 2.4, fence=700)
    events = [planned, event("acked", "new", 2.5), event("start", "new", 3.2)]

    assert took_s(events) == 0.5


def test_outage_when_nobody_enqueues_then_any_body_will_do() -> None:
    events = [event("start", "tick@1", 1.5), event("start", "tick@2", 2.25)]

    assert took_s(events) == 0.25


def test_journal_when_a_line_is_being_written_then_it_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.path.write_text("start a 1 10 5\nend a 1 1")

    assert [Event("start", "a", 1, 10, 5)] == journal.events()
