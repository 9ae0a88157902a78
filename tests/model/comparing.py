"""Model and Redis side by side: the same places, tokens, marks and counts, in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.model.seen import Seen
from tests.model.world import World


def differences(world: World, seen: Seen) -> dict[str, tuple[Any, Any]]:
    """What the model expects and what there is, for all that differs."""
    expected, actual = _expected(world), _actual(seen)
    return {
        what: (expected[what], actual[what]) for what in expected if expected[what] != actual[what]
    }


def adopt_choices(world: World, seen: Seen) -> None:
    """Idle hands of a worker whose lease has passed may be dropped when somebody looks there."""
    waiting = {pair for members in seen.idle.values() for pair in members}
    for worker in world.workers.values():
        if not world.is_alive(worker.name):
            for name, consumer in worker.consumers.items():
                consumer.waits &= (worker.name, name) in waiting


def _expected(world: World) -> dict[str, Any]:
    jobs = world.jobs.values()
    return {
        "jobs": set(world.jobs),
        "ready": {place: row for place, row in world.ready.items() if row},
        "tombs": world.tombs,
        "timeline": {
            **{world.jobs[raw_id].member: due for raw_id, due in world.timeline.items()},
            **{b"s" + name.encode(): due for name, due in world.scheduled.items()},
        },
        "held": world.held,
        "dead": world.dead,
        "results": {raw_id: state for raw_id, (state, _) in world.results.items()},
        "deliveries": {job.id: job.charges for job in jobs if job.charges},
        "attempts": {job.id: job.attempts for job in jobs if job.attempts},
        "cancelled": {job.id: job.cancelled for job in jobs if job.cancelled},
        "unknown": {
            job.id: job.unknown_since_ms for job in jobs if job.unknown_since_ms is not None
        },
        "notes": {(kind, job.id): value for job in jobs for kind, value in job.notes.items()},
        "open": {name: ids for name, ids in world.open.items() if ids},
        "buffered": {name: ids for name, ids in world.buffered.items() if ids},
        "workers": {
            one.name: one.deadline_ms for one in world.workers.values() if one.gone_ms is None
        },
        "gone": {
            one.name: one.gone_ms for one in world.workers.values() if one.gone_ms is not None
        },
        "consumers": {
            (worker.name, name) for worker in world.workers.values() for name in worker.consumers
        },
        "idle": _pairs(
            (queue, worker.name, name)
            for worker in world.workers.values()
            for name, one in worker.consumers.items()
            if one.waits
            for queue in one.queues.split(",")
        ),
        "offers": {raw_id: world.held[raw_id].fence for raw_id in world.unopened},
        "fence": world.fence,
        "set aside": set(),
        "expected": world.expected,
        "alerts": world.alerts,
        "recovered": world.recovered,
        "schedules": {
            name: (one.revision, one.next_ms, one.decided_ms, one.paused, one.definition)
            for name, one in world.schedules.items()
        },
        "counters": {
            (name, what): count
            for name, one in world.schedules.items()
            for what, count in [*one.counters.items(), ("failures", one.failures)]
            if count
        },
    }


def _actual(seen: Seen) -> dict[str, Any]:
    tombs = seen.hashed("tombs").items()
    marks = ("deliveries", "attempts", "unknown")
    schedules = seen.named("sched:")
    return {
        "jobs": set(seen.hashed("jobs")),
        "ready": {_place(key): row for key, row in seen.named("ready:").items()},
        "tombs": {raw_id: _place(place.decode()) for raw_id, place in tombs},
        "timeline": seen.scores("timeline"),
        "held": seen.held,
        "dead": seen.scores("dead"),
        "results": seen.results,
        **{
            mark: {raw_id: int(value) for raw_id, value in seen.hashed(mark).items()}
            for mark in marks
        },
        "cancelled": {raw_id: how.decode() for raw_id, how in seen.hashed("cancelled").items()},
        "notes": {
            (kind, raw_id): value
            for kind in ("progress", "checkpoints", "unsure")
            for raw_id, value in seen.hashed(kind).items()
        },
        "open": {name: set(ids) for name, ids in seen.named("open:").items()},
        "buffered": seen.named("buffered:"),
        "workers": {name.decode(): due for name, due in seen.scores("workers").items()},
        "gone": {name.decode(): since for name, since in seen.scores("gone").items()},
        "consumers": {
            (worker, name.decode())
            for worker, entries in seen.named("consumers:").items()
            for name in entries
        },
        "idle": _pairs((queue, *pair) for queue, pairs in seen.idle.items() for pair in pairs),
        "offers": seen.offers,
        "fence": seen.fence,
        "expected": {name.decode(): due for name, due in seen.scores("expected").items()},
        "alerts": {name.decode() for name in seen.hashed("alerts")},
        "recovered": [name.decode() for name in seen.state.get("recovered", [])],
        # Schedules are set aside by a call of their own; nothing else here is garbage.
        "set aside": {one for one in seen.scores("quarantine") if one[:9] != b"schedule "},
        "schedules": {
            name: (
                fields[b"rev"],
                _instant(fields[b"next"]),
                _instant(fields.get(b"decided", b"")),
                fields[b"paused"].decode(),
                fields[b"def"].decode(),
            )
            for name, fields in schedules.items()
        },
        "counters": {
            (name, field.decode()): int(value)
            for name, fields in schedules.items()
            for field, value in fields.items()
            if _is_counter(field) and int(value)
        },
    }


def _is_counter(field: bytes) -> bool:
    return field.startswith(b"ended:") or field in (
        *(b"fired", b"skipped", b"missed"),
        *(b"triggered", b"failures", b"backfilled"),
    )


def _pairs(found: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    return set(found)


def _place(key: str) -> tuple[str, int]:
    queue, _, priority = key.rpartition(":")
    return queue, int(priority)


def _instant(text: bytes) -> int | None:
    return int(text) if text else None
