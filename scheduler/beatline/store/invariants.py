"""
What must be true of the data at every instant, and whether it is.

`violations` reads a live system from outside. The scripts never leave a violation behind, so each
one tells of a bug, of a hand that wrote into our keys, or of a tail that a crash of Redis took
away. The stateful tests call it after every step, and ``sched doctor --check-invariants`` on
demand. How to read it: docs/state-machine.md.

What happens while the system works: jobs move between two pages, and look lost or doubled. So what
a first reading finds counts only if several more, a moment later each, find it too.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import redis

from beatline.ids import id_text
from beatline.keys import meta_key, prefix
from beatline.store.snapshot import Snapshot, kind_of, read_snapshot
from beatline.wire.connection import HeldConnection

#: What is noted of a job beside its record.
_MARKS: Final = (
    *("deliveries", "attempts", "cancelled", "unknown"),
    *("progress", "checkpoints", "unsure"),
)
#: Readings after a first one that found something, and the pause before each, seconds. A job that
#: lives for some milliseconds may move during one reading and the next: one look in 300 at 150 jobs
#: a second found such a job when two readings had to agree.
_FURTHER_READINGS: Final = 3
_PAUSE_S: Final = 0.02
#: Longest lease that settings allow, ms.
_LONGEST_LEASE_MS: Final = 86_400_000


class Violation(NamedTuple):
    """
    Something that must not be.

    Attributes:
        rule: Short name of the invariant, such as ``one place``.
        key: The key where it shows, whole.
        what: What is wrong there, with the value.
    """

    rule: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.key}: {self.what}"


def violations(client: redis.Redis, namespace: str, partitions: int) -> list[Violation]:
    """
    Everything that is wrong with a namespace's data.

    Args:
        client: Any redis-py client that does not decode replies.
        namespace: Which.
        partitions: How many partitions it has.

    Returns:
        What four readings in a row found, sorted. Reading takes about 10 µs for each job, and keeps
        about 300 bytes of it in memory.
    """
    prefixes = [prefix(namespace, partition) for partition in range(partitions)]
    found = _lasting(client, prefixes)
    meta: Any = client.type(meta_key(namespace))
    if meta not in (b"hash", b"none"):
        what = f"is a {meta.decode()}, not a hash"
        found.append(Violation("key type", meta_key(namespace), what))
    return found


def check(connection: HeldConnection, key_prefix: bytes) -> list[Violation]:
    """As `violations`, for one partition, at the server of a connection."""
    with connection.endpoint.client() as client:
        return _lasting(client, [key_prefix])


def _lasting(client: redis.Redis, prefixes: Sequence[bytes]) -> list[Violation]:
    found = _find(client, prefixes)
    for _ in range(_FURTHER_READINGS):
        if not found:
            break
        time.sleep(_PAUSE_S)
        found &= _find(client, prefixes)
    return sorted(found)


def _find(client: redis.Redis, prefixes: Sequence[bytes]) -> set[Violation]:
    return {
        violation
        for start in prefixes
        for violation in violations_in(read_snapshot(client, start), start)
    }


def violations_in(seen: Snapshot, key_prefix: bytes = b"") -> Iterator[Violation]:
    """What is wrong with one reading of one partition, which nothing has moved meanwhile."""
    for look in _CHECKS:
        for rule, key, what in look(seen):
            whole = _text(key_prefix + (key.encode() if isinstance(key, str) else key))
            yield Violation(rule, whole, what)


#: (rule, key without the prefix, what is wrong)
_Finding = tuple[str, str | bytes, str]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _split_held(value: bytes) -> tuple[bytes, int] | None:
    consumer, _, fence = value.rpartition(b":")
    return (consumer, int(fence)) if consumer and fence.isdigit() else None


def _check_keys(seen: Snapshot) -> Iterator[_Finding]:
    """Every key is one of ours, of its type, and ends with what owns it."""
    for name, kind in seen.types.items():
        row = kind_of(name)
        if row is None:
            yield "known key", name, f"a {kind} that nothing of ours writes"
        elif row.type not in ("any", kind):
            yield "key type", name, f"is a {kind}, not a {row.type}"
        elif row.lifetime == "ttl" and name in seen.immortal:
            yield "key ttl", name, "never expires"


def _member_id(member: bytes) -> tuple[bytes, bytes] | None:
    """Id, and queue with priority, of a job's member of the timeline."""
    kind, priority = member[:1], member[1:2]
    size, at = (
        (16, 2) if kind == b"j" else (member[2], 3) if kind == b"u" and member[3:] else (0, 0)
    )
    raw_id, queue = member[at : at + size], member[at + size :]
    if not size or not priority.isdigit() or not queue:
        return None
    return raw_id, queue + b":" + priority


def _places(seen: Snapshot) -> tuple[dict[bytes, list[str]], list[_Finding]]:
    """Where each id lies, stale entries left out; and entries that are no id."""
    places: dict[bytes, list[str]] = defaultdict(list)
    wrong: list[_Finding] = []
    for member in seen.zsets[b"timeline"]:
        found = _member_id(member)
        if member[:1] == b"s" and member[1:]:
            continue
        if found is None:
            wrong.append(("readable entry", "timeline", f"member {member!r} is no job"))
        else:
            places[found[0]].append("timeline")
    tombs = seen.hashes[b"tombs"]
    for place, ids in seen.named(seen.lists, "ready:"):
        for raw_id, count in Counter(ids).items():
            stale = tombs.get(raw_id) == place
            places[raw_id] += [f"ready:{_text(place)}"] * (count - stale)
    for worker, entries in seen.named(seen.hashes, "held:"):
        for raw_id in entries:
            places[raw_id].append(f"held:{_text(worker)}")
    for raw_id in seen.zsets[b"dead"]:
        places[raw_id].append("dead")
    return places, wrong


def _check_places(seen: Snapshot) -> Iterator[_Finding]:
    """Each job lies in exactly one place, and what lies there is a job."""
    places, wrong = _places(seen)
    yield from wrong
    for raw_id, head in seen.heads.items():
        where = places.get(raw_id, [])
        if head is None:
            yield "readable record", "jobs", f"job {id_text(raw_id)} has no readable record"
        if len(where) != 1:
            found = ", ".join(sorted(where)) or "no place"
            yield "one place", "jobs", f"job {id_text(raw_id)} lies in {found}"
        elif head and where[0].startswith("ready:") and where[0] != f"ready:{_text(head.place)}":
            yield "own queue", where[0], f"job {id_text(raw_id)} belongs to {_text(head.place)}"
    for raw_id, where in places.items():
        if raw_id not in seen.heads and where:
            yield "record", where[0], f"id {id_text(raw_id)} has no record"


def _check_tombs(seen: Snapshot) -> Iterator[_Finding]:
    """A tomb stands for one entry of a list, of a job that is elsewhere or over."""
    for raw_id, place in seen.hashes[b"tombs"].items():
        if raw_id not in seen.lists.get(b"ready:" + place, ()):
            yield "tomb", "tombs", f"id {id_text(raw_id)} has no entry in ready:{_text(place)}"


def _check_queues(seen: Snapshot) -> Iterator[_Finding]:
    """Every list that a job waits in is known, so that somebody looks there."""
    for place, ids in seen.named(seen.lists, "ready:"):
        queue, _, priority = place.rpartition(b":")
        if ids and priority not in seen.hashes[b"queues"].get(queue, b"")[1:]:
            yield "known queue", "queues", f"queue {_text(queue)} lacks priority {_text(priority)}"


def _check_held(seen: Snapshot) -> Iterator[_Finding]:
    """Held jobs belong to a consumer on the books, under tokens drawn once."""
    last = seen.strings.get(b"fence", b"0")
    top = int(last) if last.isdigit() else 0
    fences: Counter[int] = Counter()
    for worker, entries in seen.named(seen.hashes, "held:"):
        consumers = seen.hashes[b"consumers:" + worker]
        is_gone = worker in seen.zsets[b"gone"]
        for raw_id, value in entries.items():
            found = _split_held(value)
            key = b"held:" + worker
            if found is None:
                yield "held entry", key, f"job {id_text(raw_id)} is held by {value!r}"
                continue
            fences[found[1]] += 1
            if found[0] not in consumers and not is_gone:
                yield "held entry", key, f"job {id_text(raw_id)}: {value!r} is not registered"
            if found[1] > top:
                yield "fence", key, f"job {id_text(raw_id)}: {value!r} is beyond {top}"
    for fence, count in fences.items():
        if count > 1:
            yield "fence", "fence", f"token {fence} is held {count} times"


def _check_workers(seen: Snapshot) -> Iterator[_Finding]:
    """What a worker has is owned by a lease, or by the emptying of the worker."""
    living, gone = seen.zsets[b"workers"], seen.zsets[b"gone"]
    for start in ("held:", "consumers:", "worker:", "control:"):
        for worker, _ in [*seen.named(seen.hashes, start), *seen.named(seen.lists, start)]:
            if worker not in living and worker not in gone:
                yield "owned by a worker", start.encode() + worker, "its worker has no lease"
    watched = seen.hashes[b"watch"].get(b"w", b"0")
    for worker, deadline_ms in living.items():
        if worker in gone:
            yield "one register", "workers", f"worker {_text(worker)} lives and is gone"
        if deadline_ms > (int(watched) if watched.isdigit() else 0) + _LONGEST_LEASE_MS:
            yield "lease", "workers", f"worker {_text(worker)} is leased until {deadline_ms:.0f}"


def _check_idle(seen: Snapshot) -> Iterator[_Finding]:
    """Whoever waits is registered, and waits on the connection that is noted."""
    for queue, members in seen.named(seen.sets, "idle:"):
        for member in members:
            worker, _, rest = member.partition(b"|")
            consumer, _, rest = rest.partition(b"|")
            entry = seen.hashes[b"consumers:" + worker].get(consumer)
            if entry is None or entry.split(b"|", 1)[-1].rpartition(b"|")[0] != rest:
                yield "idle consumer", b"idle:" + queue, f"{member!r} does not wait"


def _check_offers(seen: Snapshot) -> Iterator[_Finding]:
    """What lies on a wake list is noted as an offer, so that it can be withdrawn."""
    offered = {member.partition(b"|")[2] for member in seen.zsets[b"offers"]}
    for wake, _ in seen.named(seen.lists, "wake:"):
        if wake != b"beat" and wake not in offered:
            yield "offer", b"wake:" + wake, "nobody would withdraw it"


def _check_marks(seen: Snapshot) -> Iterator[_Finding]:
    """What is noted of a job goes with the job."""
    for mark in _MARKS:
        for raw_id, value in seen.hashes[mark.encode()].items():
            if raw_id not in seen.heads:
                yield "mark", mark, f"id {id_text(raw_id)} has no job"
            elif mark in ("deliveries", "attempts") and not value.isdigit():
                yield "mark", mark, f"job {id_text(raw_id)} has {value!r}"
    held = {raw_id for _, entries in seen.named(seen.hashes, "held:") for raw_id in entries}
    for raw_id in seen.hashes[b"cancelled"]:
        if raw_id not in held:
            yield "mark", "cancelled", f"job {id_text(raw_id)} does not run"
    for raw_id in seen.hashes[b"forensics"].keys() - seen.zsets[b"dead"].keys():
        yield "mark", "forensics", f"id {id_text(raw_id)} is no dead letter"
    for entry in seen.hashes[b"quarantined"].keys() - seen.zsets[b"quarantine"].keys():
        yield "mark", "quarantined", f"{entry!r} is not in the quarantine"


def _check_schedules(seen: Snapshot) -> Iterator[_Finding]:
    """Schedules are named, wait on the timeline unless they rest, and know their open jobs."""
    names, timeline = seen.hashes[b"schedules"], seen.zsets[b"timeline"]
    known = {name for name, fields in seen.named(seen.hashes, "sched:") if b"rev" in fields}
    for name in names.keys() ^ known:
        where = "schedules" if name in names else b"sched:" + name
        yield "schedule", where, f"schedule {_text(name)} is only half there"
    for name in known:
        fields = seen.hashes[b"sched:" + name]
        rests = bool(fields.get(b"paused")) or not fields.get(b"next")
        due, waits = fields.get(b"due", b""), timeline.get(b"s" + name)
        if rests and waits is not None:
            yield "schedule", "timeline", f"schedule {_text(name)} waits, and rests"
        elif not rests and (waits is None or not due.isdigit() or int(due) != waits):
            yield (
                "schedule",
                "timeline",
                f"schedule {_text(name)} is due {due!r}, waits for {waits}",
            )
    for member in timeline:
        if member[:1] == b"s" and member[1:] and member[1:] not in known:
            yield "schedule", "timeline", f"schedule {_text(member[1:])} is not there"
    yield from _check_expected(seen, known)
    yield from _check_open(seen)


def _check_expected(seen: Snapshot, known: set[bytes]) -> Iterator[_Finding]:
    """Deadlines and alerts belong to schedules that have to succeed within a time, one to each."""
    expected, alerts = seen.zsets[b"expected"], seen.hashes[b"alerts"]
    for key, names in (("expected", expected.keys()), ("alerts", alerts.keys())):
        for name in names:
            if name not in known or not seen.hashes[b"sched:" + name].get(b"expect"):
                yield "expected", key, f"schedule {_text(name)} has no expect_within"
    for name in expected.keys() & alerts.keys():
        yield "expected", "alerts", f"schedule {_text(name)} is late, and in its time"


def _check_open(seen: Snapshot) -> Iterator[_Finding]:
    dead = seen.zsets[b"dead"]
    expected: dict[bytes, set[bytes]] = defaultdict(set)
    for raw_id, head in seen.heads.items():
        if head is not None and head.schedule is not None and raw_id not in dead:
            expected[head.schedule].add(raw_id)
    noted = dict(seen.named(seen.sets, "open:"))
    for name in expected.keys() | noted.keys():
        for raw_id in expected.get(name, set()) ^ noted.get(name, set()):
            state = "has ended" if raw_id in noted.get(name, set()) else "is not noted as open"
            yield "open job", b"open:" + name, f"job {id_text(raw_id)} {state}"


_CHECKS: Final[tuple[Callable[[Snapshot], Iterator[_Finding]], ...]] = (
    _check_keys,
    _check_places,
    _check_tombs,
    _check_queues,
    _check_held,
    _check_workers,
    _check_idle,
    _check_offers,
    _check_marks,
    _check_schedules,
)
