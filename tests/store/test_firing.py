"""Schedules: one occurrence, one decision, whoever fires and whatever is edited (G2, R21, R22)."""

from __future__ import annotations

from typing import Any

import pytest

from beatline.job import FLAG_SCHEDULE
from beatline.store.delivering import Settlement
from beatline.store.firing import Advance, JobStep, MissedStep, fire
from beatline.store.scheduling import pause, remove, resume
from tests.store.support import START_US, TTL_MS, Partition, changed, make_id, make_record

START_MS = START_US // 1000
MINUTE_MS = 60_000
A, B, C = (make_id(n) for n in range(1, 4))


def put(
    partition: Partition,
    next_ms: int | str = START_MS,
    *,
    trigger: str = "t",
    definition: str = "d",
    source: str = "code",
    paused: str = "",
    take: str = "",
    zones: str = "2026a",
) -> list[bytes]:
    """Declare the schedule ``s``."""
    arguments = ("s", definition, trigger, source, next_ms, next_ms, paused, take, zones)
    reply: list[bytes] = partition.run("put_schedule", *arguments)
    return reply


def stored(partition: Partition) -> tuple[bytes, bytes]:
    """Revision and next fire time, as a plan is made from them."""
    found: Any = partition.client.hmget(partition.key("sched:s"), "rev", "next")
    return found[0] or b"", found[1] or b""


def record(nominal_ms: int) -> bytes:
    """The record of an occurrence."""
    return make_record("q", 4, FLAG_SCHEDULE, "s", nominal_ms)


def advance(
    partition: Partition,
    raw_id: bytes = A,
    *,
    read: tuple[bytes, bytes] | None = None,
    overlap: str = "skip",
    missed: tuple[MissedStep, ...] = (),
) -> str:
    """Fire the occurrence that is due, from what is stored or was read before."""
    revision, expected = read or stored(partition)
    nominal_ms = int(expected or 0)
    plan = Advance(
        "s",
        revision,
        expected,
        nominal_ms + MINUTE_MS,
        nominal_ms + MINUTE_MS,
        overlap,
        (*missed, JobStep(nominal_ms, raw_id, record(nominal_ms))),
    )
    return fire(partition.connection, partition.prefix, plan).word


def finish(
    partition: Partition, raw_id: bytes, outcome: str = "end", state: str = "SUCCESS"
) -> None:
    """A worker runs the job to its end."""
    name = f"c{partition.client.incr('test:consumers')}"
    partition.register("w", name)
    taker = partition.taker(consumer=name)
    fences = {one.id: one.fence for one in taker.settle(go_idle=False).deliveries}
    one = Settlement(raw_id, fences[raw_id], outcome, state, b"{}", detail="w 7")
    taker.settle(settlements=[one], limit=0, go_idle=False)
    partition.run("release", "w", name, "", "", 3, TTL_MS, 0, 0, 0)


# --- put, pause, remove ------------------------------------------------------------------------


def test_put_when_new_then_it_waits_for_its_first_fire_time(partition: Partition) -> None:
    word, revision, next_ms, due_ms = put(partition)

    assert (word, next_ms, due_ms) == (b"CREATED", b"%d" % START_MS, b"%d" % START_MS)
    state = partition.dump()
    fields = state.pop("sched:s")
    assert (fields[b"def"], fields[b"trigger"], fields[b"source"]) == (b"d", b"t", b"code")
    assert (fields[b"next"], fields[b"due"], fields[b"rev"]) == (next_ms, due_ms, revision)
    assert (fields[b"paused"], fields[b"tz"]) == (b"", b"2026a")
    assert state == {
        "schedules": {b"s": revision},
        "timeline": {b"ss": START_MS},
        "fence": revision,
        "wake:beat": [b"1"],
    }


def test_put_when_repeated_then_nothing_changes(partition: Partition) -> None:
    put(partition)
    before = partition.dump()

    assert put(partition, START_MS + 5)[0] == b"SAME"
    assert partition.dump() == before


def test_put_when_its_place_on_the_timeline_was_lost_then_it_is_back(partition: Partition) -> None:
    put(partition)
    wanted = partition.dump()
    partition.client.delete(partition.key("timeline"), partition.key("schedules"))

    assert put(partition)[0] == b"SAME"
    assert changed(wanted, partition.dump()).keys() == {"wake:beat"}


def test_put_when_the_trigger_stays_then_so_does_the_next_fire_time(partition: Partition) -> None:
    first = put(partition)

    word, revision, next_ms, _ = put(partition, START_MS + 5, definition="other")

    assert (word, next_ms) == (b"CHANGED", b"%d" % START_MS)
    assert int(revision) > int(first[1])


def test_put_when_the_trigger_changes_then_the_new_fire_time_counts(partition: Partition) -> None:
    put(partition)

    assert put(partition, START_MS + 5, trigger="u")[2] == b"%d" % (START_MS + 5)
    assert partition.dump()["timeline"] == {b"ss": START_MS + 5}


@pytest.mark.parametrize(
    ("zones", "is_moved"), [("2026b", True), ("2026a", False), ("2025z", False), ("2026.10", True)]
)
def test_put_when_the_zones_differ_then_only_newer_ones_move_it(
    partition: Partition, zones: str, is_moved: bool
) -> None:
    put(partition, zones="2026.9" if "." in zones else "2026a")

    next_ms = put(partition, START_MS + 5, zones=zones)[2]

    assert next_ms == b"%d" % (START_MS + 5 if is_moved else START_MS)


def test_put_when_another_source_declared_it_then_it_is_left_alone(partition: Partition) -> None:
    put(partition)
    before = partition.dump()

    assert put(partition, source="file") == [b"OWNED", b"code"]
    assert partition.dump() == before
    assert put(partition, source="file", take="take")[0] == b"CHANGED"


def test_put_when_the_fire_time_was_decided_already_then_it_is_refused(
    partition: Partition,
) -> None:
    put(partition)
    advance(partition)
    before = partition.dump()

    assert put(partition, START_MS, trigger="u") == [b"PASSED", b"%d" % START_MS]
    assert partition.dump() == before


def test_put_when_declared_at_rest_then_it_does_not_wait(partition: Partition) -> None:
    put(partition)

    put(partition, paused="1")
    assert partition.dump()["sched:s"][b"paused"] == b"declared"
    assert "timeline" not in partition.dump()

    put(partition)
    assert partition.dump()["timeline"] == {b"ss": START_MS}


def test_put_when_paused_by_hand_then_it_rests_on(partition: Partition) -> None:
    put(partition)
    pause(partition.connection, partition.prefix, "s")

    put(partition, definition="other")

    assert "timeline" not in partition.dump()
    assert resume(partition.connection, partition.prefix, "s")
    assert partition.dump()["timeline"] == {b"ss": START_MS}


def test_remove_when_its_jobs_are_open_then_they_run_on(partition: Partition) -> None:
    put(partition)
    advance(partition)

    assert remove(partition.connection, partition.prefix, "s").word == "REMOVED"
    state = partition.dump()
    assert state["open:s"] == {A}
    assert state["ready:q:4"] == [A]
    assert not state.keys() & {"sched:s", "schedules", "ledger:s", "timeline"}
    finish(partition, A)
    assert not partition.dump().keys() & {"open:s", "sched:s", "ledger:s"}


# --- R21: fire ---------------------------------------------------------------------------------


def test_fire_when_due_then_the_job_is_made_and_the_schedule_advances(
    partition: Partition,
) -> None:
    revision = put(partition)[1]
    before = partition.dump()

    assert advance(partition) == "OK"

    now, after = b"%d" % START_MS, b"%d" % (START_MS + MINUTE_MS)
    assert changed(before, partition.dump()) == {
        "jobs": {A: record(START_MS)},
        "ready:q:4": [A],
        "queues": {b"q": b"-4"},
        "open:s": {A},
        "ledger:s": [b"fired %s %s %s " % (now, now, A)],
        "timeline": {b"ss": START_MS + MINUTE_MS},
        "sched:s": before["sched:s"]
        | {
            b"next": after,
            b"due": after,
            b"last": now,
            b"decided": now,
            b"fired": b"1",
            b"rev": revision,
        },
    }


def test_fire_when_the_reply_was_lost_then_the_repeat_changes_nothing(partition: Partition) -> None:
    put(partition)
    read = stored(partition)
    advance(partition)
    before = partition.dump()

    assert advance(partition, read=read) == "STALE"
    assert partition.dump() == before


def test_fire_when_edited_since_the_plan_then_it_is_refused(partition: Partition) -> None:
    put(partition)
    read = stored(partition)
    put(partition, definition="other")
    before = partition.dump()

    assert advance(partition, read=read) == "STALE"
    assert partition.dump() == before


def test_fire_when_removed_and_declared_again_then_an_old_plan_is_refused(
    partition: Partition,
) -> None:
    put(partition)
    read = stored(partition)
    remove(partition.connection, partition.prefix, "s")
    put(partition)
    before = partition.dump()

    assert read[1] == stored(partition)[1]
    assert advance(partition, read=read) == "STALE"
    assert partition.dump() == before


@pytest.mark.parametrize("word", ["PAUSED", "ABSENT"])
def test_fire_when_it_must_not_then_it_leaves_the_timeline(partition: Partition, word: str) -> None:
    put(partition)
    read = stored(partition)
    if word == "PAUSED":
        pause(partition.connection, partition.prefix, "s")
    else:
        remove(partition.connection, partition.prefix, "s")
    partition.client.zadd(partition.key("timeline"), {"ss": 0})

    assert advance(partition, read=read) == word
    assert not partition.dump().keys() & {"timeline", "jobs"}


def test_fire_when_early_then_the_timeline_is_put_right(partition: Partition) -> None:
    put(partition, START_MS + 5000)
    partition.client.zadd(partition.key("timeline"), {"ss": 0})

    assert advance(partition) == "EARLY"
    assert partition.dump()["timeline"] == {b"ss": START_MS + 5000}
    assert "jobs" not in partition.dump()


def test_fire_when_occurrences_were_missed_then_they_are_recorded(partition: Partition) -> None:
    put(partition)

    advance(partition, missed=(MissedStep(START_MS - 120_000, START_MS - 60_000, "no beat", 2),))

    state = partition.dump()
    span = (START_MS - 120_000, START_MS, START_MS - 60_000)
    assert state["ledger:s"][0] == b"missed %d %d %d 2 no beat" % span
    assert state["sched:s"][b"missed"] == b"2"


def test_fire_when_the_occurrence_has_a_job_already_then_it_makes_no_second(
    partition: Partition,
) -> None:
    put(partition)
    advance(partition)
    partition.client.hset(partition.key("sched:s"), mapping={"next": START_MS, "due": START_MS})

    assert advance(partition, overlap="allow") == "OK"
    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert state["sched:s"][b"skipped"] == b"1"


def test_fire_when_counters_are_garbage_then_they_start_anew(partition: Partition) -> None:
    put(partition)
    partition.client.hset(partition.key("sched:s"), "fired", "garbage")

    advance(partition)
    finish(partition, A)

    fields = partition.dump()["sched:s"]
    assert (fields[b"fired"], fields[b"ended:SUCCESS"]) == (b"1", b"1")


# --- R22: overlap ------------------------------------------------------------------------------


def test_fire_when_an_earlier_job_is_queued_then_it_is_skipped(partition: Partition) -> None:
    put(partition)
    advance(partition)
    partition.clock.advance(MINUTE_MS)

    advance(partition, B)

    state = partition.dump()
    nominal = START_MS + MINUTE_MS
    assert state["jobs"].keys() == {A}
    assert state["ledger:s"][1] == b"skipped %d %d %s" % (nominal, nominal, A)
    assert state["sched:s"][b"skipped"] == b"1"


@pytest.mark.parametrize("place", ["held", "retrying", "returned"])
def test_fire_when_an_earlier_job_has_not_ended_then_it_is_skipped(
    partition: Partition, place: str
) -> None:
    put(partition)
    advance(partition)
    partition.register("w", "c")
    taker = partition.taker()
    fence = taker.settle().deliveries[0].fence
    if place == "retrying":
        one = Settlement(A, fence, "retry", delay_ms=10**9)
        taker.settle(settlements=[one], limit=0)
    elif place == "returned":
        partition.run("release", "w", "c", fence, "", 3, TTL_MS, 0, 0, 0)
    partition.clock.advance(MINUTE_MS)

    advance(partition, B)

    assert partition.dump()["jobs"].keys() == {A}


@pytest.mark.parametrize("end", ["ack", "fail", "bury", "cancel", "lost", "expired"])
def test_fire_when_the_earlier_job_has_ended_in_any_way_then_it_is_made(
    partition: Partition, end: str
) -> None:
    put(partition)
    advance(partition)
    if end == "cancel":
        partition.run("cancel", A, TTL_MS, "soft")
    elif end == "bury":
        finish(partition, A, "bury")
    else:
        states = {"ack": "SUCCESS", "fail": "FAILURE", "lost": "LOST", "expired": "EXPIRED"}
        finish(partition, A, state=states[end])
    assert "open:s" not in partition.dump()
    partition.clock.advance(MINUTE_MS)

    advance(partition, B)

    state = partition.dump()
    assert B in state["jobs"]
    assert state["sched:s"][b"fired"] == b"2"


def test_fire_when_overlap_is_allowed_then_jobs_stand_beside_each_other(
    partition: Partition,
) -> None:
    put(partition)
    advance(partition)
    partition.clock.advance(MINUTE_MS)

    advance(partition, B, overlap="allow")

    assert partition.dump()["open:s"] == {A, B}


def test_fire_when_what_is_open_has_no_job_then_it_is_in_nobodys_way(partition: Partition) -> None:
    put(partition)
    partition.client.sadd(partition.key("open:s"), *[f"ghost {n}" for n in range(50)])

    advance(partition)

    assert partition.dump()["open:s"] == {A}


def test_finish_when_a_schedules_job_ends_then_its_ledger_says_so(partition: Partition) -> None:
    put(partition)
    advance(partition)

    finish(partition, A, state="FAILURE")

    state = partition.dump()
    assert state["ledger:s"][1] == b"ended %d %d FAILURE w 7" % (START_MS, START_MS)
    assert state["sched:s"][b"failures"] == b"1"


@pytest.mark.parametrize(
    ("state", "failures"),
    [("FAILURE", b"2"), ("LOST", b"2"), ("CANCELLED", b"1"), ("EXPIRED", b"1"), ("SUCCESS", b"0")],
)
def test_finish_when_a_job_ends_then_failures_in_a_row_are_counted(
    partition: Partition, state: str, failures: bytes
) -> None:
    put(partition)
    advance(partition)
    partition.client.hset(partition.key("sched:s"), "failures", 1)

    finish(partition, A, state=state)

    assert partition.dump()["sched:s"][b"failures"] == failures
