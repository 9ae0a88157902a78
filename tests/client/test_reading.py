"""The store's reading side, on sound data and on garbage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beatline import App
from beatline.keys import KEYS
from beatline.store import reading
from beatline.store.cancelling import cancel
from beatline.store.electing import elect
from beatline.wire.connection import HeldConnection
from tests.client.hands import Hands
from tests.servers import RedisProcess

PREFIX = b"{sched:0}:"
#: Bytes that are text of no kind.
GARBAGE = b"\xff\x00\x1bgarbage"


@pytest.fixture
def connection(app: App) -> Iterator[HeldConnection]:
    made = HeldConnection(app.endpoint())
    yield made
    made.close()


#: Everything that ``sched status`` and its kin ask.
QUESTIONS: dict[str, Callable[[HeldConnection], Any]] = {
    "look": lambda c: reading.look(c, PREFIX, [b"x", GARBAGE]),
    "queues": lambda c: reading.queues(c, PREFIX),
    "queue_depths": lambda c: reading.queue_depths(c, PREFIX),
    "live_count": lambda c: reading.live_count(c, PREFIX),
    "timeline": lambda c: list(reading.timeline(c, PREFIX)),
    "ready_page": lambda c: reading.ready_page(c, PREFIX, "default", 4),
    "held_ids": lambda c: list(reading.held_ids(c, PREFIX)),
    "workers": lambda c: reading.workers(c, PREFIX),
    "dead_page": lambda c: reading.dead_page(c, PREFIX),
    "quarantine_page": lambda c: reading.quarantine_page(c, PREFIX),
    "counters": lambda c: reading.counters(c, PREFIX),
    "leader": lambda c: reading.leader(c, PREFIX),
    "beats": lambda c: reading.beats(c, PREFIX),
    "finished_page": lambda c: reading.finished_page(c, PREFIX, b"0"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_reading_when_there_is_nothing_then_answers(
    connection: HeldConnection, question: str
) -> None:
    QUESTIONS[question](connection)


@pytest.mark.parametrize("question", QUESTIONS)
def test_reading_when_every_key_holds_garbage_then_answers(
    connection: HeldConnection, redis_server: RedisProcess, question: str
) -> None:
    with redis_server.client() as client:
        for key in KEYS:
            name = PREFIX + key.pattern.replace("*", "default:4").encode()
            if key.type == "hash":
                client.hset(name, GARBAGE, GARBAGE)
                client.hset(name, "default", "what?")
            elif key.type == "zset":
                client.zadd(name, {GARBAGE: float("inf"), b"": -1.5, b"u4\xc8x": 7, b"j": 1})
            elif key.type == "list":
                client.rpush(name, GARBAGE, b"")

    QUESTIONS[question](connection)


@pytest.mark.parametrize("question", QUESTIONS)
def test_reading_when_every_key_is_of_a_wrong_type_then_answers(
    connection: HeldConnection, redis_server: RedisProcess, question: str
) -> None:
    with redis_server.client() as client:
        for key in KEYS:
            name = PREFIX + key.pattern.replace("*", "default:4").encode()
            if key.type == "string":
                client.hset(name, "a", "b")
            else:
                client.set(name, GARBAGE)

    QUESTIONS[question](connection)


def test_look_when_asked_for_many_then_answers_in_their_order(
    app: App, connection: HeldConnection
) -> None:
    results = app.task(name="t")(lambda n: None).apply_many([(n,) for n in range(450)])
    ids = [result._raw_id for result in results]

    views = reading.look(connection, PREFIX, [*ids, b"nobody"])

    assert [*ids, b"nobody"] == [view.raw_id for view in views]
    assert ["QUEUED"] * 450 + ["UNKNOWN"] == [view.state for view in views]


def test_timeline_when_there_are_jobs_of_both_kinds_then_reads_their_members(
    app: App, connection: HeldConnection, redis_server: RedisProcess
) -> None:
    ours = app.send_task("t", countdown=60, queue="q", priority=7)
    app.send_task("t", countdown=120, task_id="mine")
    with redis_server.client() as client:
        client.zadd(PREFIX + b"timeline", {b"snightly": 5})

    entries = list(reading.timeline(connection, PREFIX))

    assert [("schedule", b"", "", 0, "nightly")] == [tuple(entries[0])[1:]]
    assert [
        ("job", ours._raw_id, "q", 7, ""),
        ("job", b"mine", "default", 4, ""),
    ] == [tuple(entry)[1:] for entry in entries[1:]]


def test_workers_when_registered_then_tell_who_they_are(
    app: App, hands: Hands, connection: HeldConnection
) -> None:
    app.send_task("t")
    hands.take_job()

    (worker,) = reading.workers(connection, PREFIX)

    assert (hands.worker, False, 15_000, 1, 1) == (
        worker.id,
        worker.is_gone,
        worker.lease_left_ms,
        worker.consumers,
        worker.held,
    )
    assert "here" == worker.facts["host"]


def test_quarantine_when_a_record_cannot_be_read_then_shows_it_with_the_reason(
    app: App, connection: HeldConnection, redis_server: RedisProcess
) -> None:
    with redis_server.client() as client:
        client.hset(PREFIX.decode() + "jobs", "broken", GARBAGE)
    cancel(connection, PREFIX, b"broken", 1_000, hard=False)

    (entry,) = reading.quarantine_page(connection, PREFIX)

    assert (b"job", b"broken", GARBAGE) == (
        entry.member.split()[0],
        entry.member.split()[-1],
        entry.blob,
    )
    assert "cannot be read" in entry.reason


def test_leader_when_a_beat_leads_then_is_told(app: App, connection: HeldConnection) -> None:
    election = elect(connection, PREFIX, "beat-1", 2_000, "{}")

    leader = reading.leader(connection, PREFIX)

    assert leader is not None
    assert ("beat-1", election.term, "{}") == (leader.beat, leader.term, leader.about)
    assert ["beat-1"] == list(reading.beats(connection, PREFIX))


def test_finished_when_names_hold_pattern_characters_then_finds_only_its_own(
    make_app: Callable[..., App], redis_server: RedisProcess
) -> None:
    app = make_app(namespace="a.b-c")
    hands = Hands(app)
    result = app.send_task("t")
    hands.succeed(hands.take_job()[0])
    with redis_server.client() as client:
        client.set("{axb-c:0}:result:foreign", "SUCCESS\n")

    found = app.jobs.list(state="SUCCESS")

    assert [result.id] == [view.id for view in found]
