from __future__ import annotations

import json
import signal

from beatline.store.delivering import Settlement
from beatline_worker.lanes import FLAG_UNSURE
from beatline_worker.nursery import ChildState, Ended
from beatline_worker.obituary import estate_of
from beatline_worker.table import Table

KILLED = int(signal.SIGKILL)
CLEAN = 0


def _ended(
    status: int | None, *, running: int = 0, verdict: str = "", beside: int = 0, flags: int = 0
) -> Ended:
    row = Table(1, lanes=2).row(0)
    row.reset()
    if running:
        row.lane(0).begin(running, 1, b"job")
        row.lane(0).describe(1, "task", 0, 0)
    if beside:
        row.lane(1).begin(beside, 1, b"neighbour")
        row.lane(1).describe(1, "other", 0, 0, flags)
    child = ChildState(0, row, "consumer", pid=99, verdict=verdict, verdict_fence=running)
    return Ended(child, status, 1234)


def test_estate_when_killed_while_running_then_charges_that_job() -> None:
    estate = estate_of(_ended(KILLED, running=7), "worker", 1000)

    assert estate.charged_fences == [7]
    assert estate.settlements == []
    facts = json.loads(estate.forensics)
    assert (facts["cause"], facts["pid"], facts["peak_rss_kib"]) == ("SIGKILL", 99, 1234)


def test_estate_when_it_ended_in_order_then_charges_nobody() -> None:
    assert estate_of(_ended(CLEAN, running=7), "worker", 1000).charged_fences == []


def test_estate_when_stopped_cold_then_charges_nobody() -> None:
    assert estate_of(_ended(KILLED, running=7, verdict="cold"), "worker", 1000).charged_fences == []


def test_estate_when_the_job_had_finished_then_it_is_settled_and_not_charged() -> None:
    ended = _ended(KILLED, running=7)
    ended.child.row.put_in_outbox(Settlement(b"job", 7, "ack"))

    estate = estate_of(ended, "worker", 1000)

    assert estate.charged_fences == []
    assert estate.settlements == [Settlement(b"job", 7, "ack")]


def test_estate_when_killed_at_the_time_limit_then_the_job_fails() -> None:
    estate = estate_of(_ended(KILLED, running=7, verdict="time_limit"), "worker", 1000)

    assert estate.charged_fences == []
    assert [(one.outcome, one.state) for one in estate.settlements] == [("end", "FAILURE")]


def test_estate_when_cancelled_hard_then_the_job_is_cancelled() -> None:
    estate = estate_of(_ended(KILLED, running=7, verdict="cancelled"), "worker", 1000)

    assert [(one.outcome, one.state) for one in estate.settlements] == [("end", "CANCELLED")]


def test_estate_when_several_ran_then_all_are_charged() -> None:
    estate = estate_of(_ended(KILLED, running=7, beside=9), "worker", 1000)

    assert estate.charged_fences == [7, 9]
    assert json.loads(estate.forensics)["running"] == 2


def test_estate_when_killed_for_one_then_its_neighbours_are_not_charged() -> None:
    ended = _ended(KILLED, running=7, beside=9, verdict="time_limit")

    estate = estate_of(ended, "worker", 1000)

    assert estate.charged_fences == []
    assert [(one.id, one.state) for one in estate.settlements] == [(b"job", "FAILURE")]


def test_estate_when_killed_beside_a_job_that_must_not_run_twice_then_that_one_is_charged() -> None:
    ended = _ended(KILLED, running=7, beside=9, verdict="cancelled", flags=FLAG_UNSURE)

    assert estate_of(ended, "worker", 1000).charged_fences == [9]


def test_estate_when_it_died_with_its_parent_then_charges_the_running_job() -> None:
    estate = estate_of(_ended(None, running=7), "worker", 1000)

    assert estate.charged_fences == [7]
    assert estate.cause == "died with its parent"
