"""Leadership: soft, and never stuck on a clock or on garbage."""

from __future__ import annotations

import pytest

from beatline.store.electing import elect, resign
from tests.store.support import Partition

LENGTH_MS = 1500


def vote(partition: Partition, beat: str) -> tuple[bool, int, str]:
    """A beat asks; whether it leads, in which term, and who does."""
    answer = elect(partition.connection, partition.prefix, beat, LENGTH_MS, "{}")
    return answer.is_leader, answer.term, answer.leader


def test_elect_when_nobody_leads_then_the_first_does(partition: Partition) -> None:
    assert vote(partition, "a") == (True, 1, "a")
    assert vote(partition, "b") == (False, 1, "a")
    now_ms = partition.clock.now_ms
    assert partition.dump() == {
        "beats": {b"a": now_ms, b"b": now_ms},
        "leader": {
            b"beat": b"a",
            b"term": b"1",
            b"until": b"%d" % (now_ms + LENGTH_MS),
            b"about": b"{}",
        },
    }


def test_elect_when_the_leader_reports_then_its_term_goes_on(partition: Partition) -> None:
    vote(partition, "a")
    partition.clock.advance(1000)
    vote(partition, "a")
    partition.clock.advance(1000)

    assert vote(partition, "b") == (False, 1, "a")


def test_elect_when_the_leader_is_silent_then_another_leads(partition: Partition) -> None:
    vote(partition, "a")
    partition.clock.advance(LENGTH_MS)

    assert vote(partition, "b") == (True, 2, "b")
    assert vote(partition, "a") == (False, 2, "b")


def test_elect_when_the_leader_resigns_then_another_leads_at_once(partition: Partition) -> None:
    vote(partition, "a")
    resign(partition.connection, partition.prefix, "a")

    assert vote(partition, "b") == (True, 2, "b")
    assert partition.dump()["beats"].keys() == {b"b"}


def test_resign_when_another_leads_then_it_goes_on(partition: Partition) -> None:
    vote(partition, "a")

    resign(partition.connection, partition.prefix, "b")

    assert vote(partition, "b") == (False, 1, "a")


def test_elect_when_the_clock_went_back_then_nobody_waits_for_it(partition: Partition) -> None:
    vote(partition, "a")
    partition.clock.advance(-3_600_000)

    assert vote(partition, "b") == (True, 2, "b")


def test_elect_when_a_beat_is_silent_for_a_minute_then_it_is_forgotten(
    partition: Partition,
) -> None:
    vote(partition, "a")
    partition.clock.advance(60_001)
    vote(partition, "b")

    assert partition.dump()["beats"].keys() == {b"b"}


@pytest.mark.parametrize("field", ["term", "until", "beat"])
@pytest.mark.parametrize("garbage", [b"", b"x", b"nan", b"1e999", b"-1", b"\xff\0"])
def test_elect_when_the_books_are_garbage_then_somebody_leads_soon(
    partition: Partition, field: str, garbage: bytes
) -> None:
    vote(partition, "a")
    partition.client.hset(partition.key("leader"), field, garbage)
    partition.clock.advance(LENGTH_MS)

    assert vote(partition, "b")[0]
