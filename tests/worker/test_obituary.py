from __future__ import annotations

import json
import signal

from beatline.store.delivering import Settlement
from beatline_worker.nursery import ChildState, Ended
from beatline_worker.obituary import estate_of
from beatline_worker.table import Table

KILLED = int(signal.SIGKILL)
CLEAN = 0


def _ended(status: int | None, *, running: int = 0, verdict: str = "") -> Ended:
    row = Table(1).row(0)
    row.reset()
    if running:
        row.begin(running, 1, b"job")
        row.describe(1, "task", 0, 0)
    child = ChildState(0, row, "consumer", pid=99, verdict=verdict, verdict_fence=running)
    return Ended(child, status, 1234)


def test_estate_when_killed_while_running_then_charges_that_job() -> None:
    estate = estate_of(_ended(KILLED, running=7), "worker", 1000)

    assert estate.charged_fence == 7
    assert estate.settlements == []
    facts = json.loads(estate.forensics)
    assert (facts["cause"], facts["pid"], facts["peak_rss_kib"]) == ("SIGKILL", 99, 1234)


def test_estate_when_it_ended_in_order_then_charges_nobody() -> None:
    assert estate_of(_ended(CLEAN, running=7), "worker", 1000).charged_fence is None


def test_estate_when_stopped_cold_then_charges_nobody() -> None:
    assert (
        estate_of(_ended(KILLED, running=7, verdict="cold"), "worker", 1000).charged_fence is None
    )


def test_estate_when_the_job_had_finished_then_it_is_settled_and_not_charged() -> None:
    ended = _ended(KILLED, running=7)
    ended.child.row.put_in_outbox(Settlement(b"job", 7, "ack"))

    estate = estate_of(ended, "worker", 1000)

    assert estate.charged_fence is None
    assert estate.settlements == [Settlement(b"job", 7, "ack")]


def test_estate_when_killed_at_the_time_limit_then_the_job_fails() -> None:
    estate = estate_of(_ended(KILLED, running=7, verdict="time_limit"), "worker", 1000)

    assert estate.charged_fence is None
    assert [(one.outcome, one.state) for one in estate.settlements] == [("end", "FAILURE")]


def test_estate_when_cancelled_hard_then_the_job_is_cancelled() -> None:
    estate = estate_of(_ended(KILLED, running=7, verdict="cancelled"), "worker", 1000)

    assert [(one.outcome, one.state) for one in estate.settlements] == [("end", "CANCELLED")]


def test_estate_when_it_died_with_its_parent_then_charges_the_running_job() -> None:
    estate = estate_of(_ended(None, running=7), "worker", 1000)

    assert estate.charged_fence == 7
    assert estate.cause == "died with its parent"
