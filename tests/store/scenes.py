"""A partition with every kind of key in it, and for every script a call that does its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beatline.job import FLAG_BACKFILL, FLAG_OWN_ID, FLAG_SCHEDULE
from beatline.store.delivering import Settlement
from tests.store.support import LEASE_MS, TTL_MS, Partition, make_id, make_record

#: Jobs by what they are in the scene.
IDS = {
    name: make_id(number)
    for number, name in enumerate(
        [
            *("held", "cancelled", "kept", "charged", "offered", "vanished", "vanishing"),
            *("queued", "tomb", "waiting", "due", "retrying", "dead", "fired", "fresh", "moved"),
            *("ahead", "buffered", "filled"),
        ],
        start=1,
    )
}
OWN = b"order-1"
SCHEDULE = "nightly"
BUFFERING = "buffering"
FILLING = "filling"
KEPT = make_record(flags=0)
OWN_RECORD = make_record(flags=FLAG_OWN_ID)


def put_schedule(partition: Partition, due_ms: int, **how: str) -> Any:
    """Declare the schedule."""
    return partition.run("put_schedule", *declaration(due_ms, **how))


def declaration(due_ms: int, **how: str) -> tuple[Any, ...]:
    """The eleven arguments of a declaration."""
    return (
        how.get("name", SCHEDULE),
        how.get("definition", "definition"),
        how.get("trigger", "trigger"),
        "code",
        due_ms,
        due_ms,
        "",
        "",
        "2026a",
        "",
        how.get("expect", ""),
    )


def set_scene(partition: Partition) -> None:
    """Every kind of key of `beatline.keys.KEYS`, by scripts alone where they write it."""
    clock = partition.clock
    partition.tick()
    partition.tick(every_ms=9000)
    _vanish(partition)
    partition.register("w", "c", "d", host="h", pid="1", tasks='["app.noop"]', queues="q")
    partition.register("v", "x")
    partition.enqueue(IDS["held"], IDS["kept"], record=KEPT)
    partition.enqueue(IDS["cancelled"])
    partition.taker("w", "c").settle()
    partition.run("cancel", IDS["cancelled"], TTL_MS, "soft")
    held = partition.dump()["held:w"][IDS["held"]].rpartition(b":")[2]
    for kind in ("progress", "checkpoints", "unsure"):
        partition.run("report", "w", "c", IDS["held"], held, kind, b"value")
    partition.taker("v", "x", "p").settle()
    partition.enqueue(IDS["offered"], record=make_record("p"))
    partition.taker("w", "d", "r").settle()
    partition.enqueue(IDS["tomb"], IDS["queued"])
    partition.run("cancel", IDS["tomb"], TTL_MS, "soft")
    partition.enqueue(OWN, record=make_record(flags=FLAG_OWN_ID))
    partition.enqueue(IDS["waiting"], due="+60000")
    partition.enqueue(IDS["due"], due="+1")
    partition.client.rpush(partition.key("control:w"), "stop")
    partition.client.hset(partition.key("counters"), "dead_dropped", 1)
    partition.run("elect", "beat", 1500, "{}")
    clock.advance(1)
    put_schedule(partition, clock.now_ms)
    fire_call(partition)()
    clock.advance(1)
    for trigger in ("ahead", "buffered"):
        put_schedule(partition, clock.now_ms, name=BUFFERING, trigger=trigger)
        fire_call(partition, trigger, BUFFERING, "buffer_all")()
        clock.advance(1)
    put_schedule(partition, clock.now_ms, definition="changed", trigger="changed")
    put_schedule(partition, clock.now_ms + 90_000, name=FILLING, expect="5")
    put_schedule(partition, clock.now_ms + 91_000, name="alerted", expect="3")
    partition.client.zadd(partition.key("expected"), {"alerted": 0})
    partition.run("raise_alerts", 10)
    partition.client.rpush(partition.key("recovered"), "recovered")
    backfill_call(partition, "filled", 7, "")()
    partition.run("look", 15_000)


def backfill_call(
    partition: Partition, name: str, nominal_ms: int, stands: str
) -> Callable[[], Any]:
    """A past occurrence, to be made by a run that stands somewhere."""
    revision: Any = partition.client.hget(partition.key(f"sched:{FILLING}"), "rev") or b""
    record = make_record("s", 4, FLAG_SCHEDULE | FLAG_BACKFILL, FILLING, nominal_ms)
    batch = ("run", stands, "buffer_all", nominal_ms, "", "note", nominal_ms, IDS[name], record)
    return lambda: partition.run("backfill", FILLING, revision, *batch)


def fire_call(
    partition: Partition, name: str = "fired", schedule: str = SCHEDULE, overlap: str = "skip"
) -> Callable[[], Any]:
    """The schedule's due occurrence, to be fired from what is stored now."""
    key = partition.key(f"sched:{schedule}")
    stored: Any = partition.client.hmget(key, "rev", "next")
    revision, expected = (value or b"" for value in stored)
    now_ms = partition.clock.now_ms
    record = make_record("s", 4, FLAG_SCHEDULE, schedule, now_ms)
    step = ("fire", now_ms, IDS[name], record, "")
    missed = ("missed", 1, 2, "no beat", 2)
    due_ms = now_ms + 60_000
    arguments = (schedule, revision, expected, due_ms, due_ms, overlap, 2, *missed, *step)
    return lambda: partition.run("fire", *arguments)


def _vanish(partition: Partition) -> None:
    """A worker that is being emptied, a retried job, a charged one, a dead letter."""
    partition.register("g", "y")
    names = ("vanished", "vanishing", "charged", "retrying", "dead")
    partition.enqueue(*[IDS[name] for name in names])
    taker = partition.taker("g", "y")
    deliveries = taker.settle().deliveries
    fences = {one.id: one.fence for one in deliveries}
    body = b'{"task": "app.other"}'
    taker.settle(
        settlements=[
            Settlement(IDS["retrying"], fences[IDS["retrying"]], "retry", delay_ms=70_000),
            Settlement(IDS["dead"], fences[IDS["dead"]], "bury", body=b"{}"),
            Settlement(
                IDS["charged"], fences[IDS["charged"]], "unknown", body=body, delay_ms=80_000
            ),
        ],
        limit=0,
        holding=2,
    )
    partition.client.hset(partition.key("deliveries"), IDS["charged"], 1)
    partition.client.rpush(partition.key("ready:t:4"), "garbage")
    partition.client.hset(partition.key("queues"), "t", "-4")
    taker = partition.taker("g", "y", "t")
    taker.number = 2
    taker.settle(holding=2)
    partition.client.zrem(partition.key("workers"), "g")
    partition.client.zadd(partition.key("gone"), {"g": partition.clock.now_ms})


def calls(partition: Partition) -> dict[str, Callable[[], Any]]:
    """Each script, with a call that does much in the scene."""

    def fence_of(worker: str, name: str) -> Any:
        held: Any = partition.client.hget(partition.key(f"held:{worker}"), IDS[name])
        return (held or b":1").rpartition(b":")[2]

    held, cancelled, kept = (fence_of("w", name) for name in ("held", "cancelled", "kept"))
    run = partition.run
    rich = (IDS["kept"], kept, "retry", "", "", TTL_MS, 0, "")
    end = (IDS["held"], held, "end", "SUCCESS", "body", TTL_MS, 0, "")
    back = (IDS["cancelled"], cancelled, "return", "", "", TTL_MS, 0, "")
    none, one_ack = (0, 0, 0), (1, 0, 0, IDS["held"], held)
    one_kept = (0, 1, TTL_MS, IDS["held"], held, "SUCCESS\nbody")
    now_ms = partition.clock.now_ms
    renamed = declaration(now_ms + 9, definition="new", trigger="n")
    changed_set = (2, 1, *renamed, *declaration(now_ms + 9, name="other"), BUFFERING, "code")
    record = make_record("s", 4, FLAG_SCHEDULE, SCHEDULE, now_ms)
    return {
        "enqueue": lambda: run(
            *("enqueue", "sender", 99, "1", IDS["fresh"], "0", make_record("r")),
            *(b"order-2", "0", OWN_RECORD, OWN, "0", OWN_RECORD),
            *(IDS["moved"], "+5", KEPT),
        ),
        "enqueue again": lambda: run("enqueue", "sender", 1, "0", IDS["fresh"], "0", KEPT),
        "settle": lambda: run(
            "settle", "w", "c", 2, "i", 9, 9, 0, "q,s", *none, *end, *rich, *back
        ),
        "settle acks": lambda: run("settle", "w", "c", 2, "", 9, 9, 2, "q", *one_ack),
        "settle kept": lambda: run("settle", "w", "c", 2, "", 9, 9, 2, "q", *one_kept),
        "settle idle": lambda: run("settle", "w", "d", 2, "si", 9, 9, 0, "r,t", *none),
        "settle again": lambda: run("settle", "w", "c", 1, "si", 9, 9, 0, "q", *none),
        "settle offered": lambda: run("settle", "v", "x", 2, "i", 9, 9, 0, "p", *none),
        "release": lambda: run("release", "w", "c", held, "{}", 3, TTL_MS, *none, *rich),
        "release offered": lambda: run("release", "v", "x", "", "{}", 3, TTL_MS, *none),
        "give_back": lambda: run("give_back", "w", "c", held, TTL_MS, kept),
        "reclaim": lambda: run("reclaim", 100, 3, TTL_MS),
        "withdraw": lambda: run("withdraw", -1, TTL_MS, 99, 10**9),
        "promote": lambda: run("promote", 100),
        "cancel": lambda: run("cancel", IDS["waiting"], TTL_MS, "soft"),
        "cancel queued": lambda: run("cancel", IDS["queued"], TTL_MS, "soft"),
        "cancel held": lambda: run("cancel", IDS["held"], TTL_MS, "hard"),
        "reschedule": lambda: run("reschedule", IDS["queued"], now_ms + 5000),
        "run now": lambda: run("reschedule", IDS["waiting"], 0),
        "revive": lambda: run("revive", "revive", IDS["dead"]),
        "drop": lambda: run("revive", "drop", IDS["dead"]),
        "register": lambda: run("register", "w", LEASE_MS, 1, "host", "h", "c", "e"),
        "renew": lambda: run("renew", "w", LEASE_MS, "ch", 1, "stop", IDS["held"], 1),
        "leave": lambda: run("leave", "v"),
        "report": lambda: run("report", "w", "c", IDS["held"], held, "progress", "x"),
        "look": lambda: run("look", 15_000, *IDS.values(), OWN),
        "mend_nudges": lambda: run("mend_nudges"),
        "elect": lambda: run("elect", "other", 1500, "{}"),
        "resign": lambda: run("resign", "beat"),
        "fire": fire_call(partition, "fresh"),
        "backfill": backfill_call(partition, "fresh", 8, "7"),
        "trigger": lambda: run("trigger", SCHEDULE, "skip", now_ms, IDS["fresh"], record),
        "put_schedule": lambda: put_schedule(partition, now_ms + 9, definition="new", trigger="n"),
        "put_schedule other": lambda: put_schedule(partition, now_ms + 9, name="other"),
        "apply_schedules": lambda: run("apply_schedules", "apply", *changed_set),
        "apply_schedules removes": lambda: run(
            "apply_schedules", "apply", 0, 2, SCHEDULE, "code", BUFFERING, "code"
        ),
        "raise_alerts": lambda: run("raise_alerts", 10),
        "pause_schedule": lambda: run("pause_schedule", SCHEDULE, "pause", "why"),
        "resume": lambda: run("pause_schedule", SCHEDULE, "resume", ""),
        "remove_schedule": lambda: run("remove_schedule", SCHEDULE, ""),
    }
