"""What Redis says at a scenario's end: what must not remain there, and what became of a target."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator

from beatline.keys import KEYS, prefix
from tests.servers import RedisProcess

#: Keys that belong to jobs on their way and to living workers; none may remain.
_TRANSIENT = (
    *("timeline", "jobs", "held:*", "gone", "offers", "deliveries", "attempts", "cancelled"),
    *("unknown", "checkpoints", "ready:*", "open:*", "workers", "worker:*", "consumers:*"),
    *("control:*", "idle:*"),
)


def leftovers(server: RedisProcess, allowed: Collection[str] = ()) -> list[str]:
    """
    What is wrong with the keys of a system without work whose workers have left.

    Args:
        server: Which.
        allowed: Names after the partition's prefix, or beginnings of them, that may remain.
    """
    return list(_found(server, tuple(allowed)))


def _found(server: RedisProcess, allowed: tuple[str, ...]) -> Iterator[str]:
    with server.client() as client:
        for key in sorted(client.scan_iter(count=1000)):
            full = key.decode("utf-8", "replace")
            prefix, found, name = full.partition("}:")
            if not found or (name == "meta" and ":" not in prefix):
                continue
            if allowed and name.startswith(allowed):
                continue
            if not any(fnmatch.fnmatchcase(name, kind.pattern) for kind in KEYS):
                yield f"{full} is no key of ours"
            elif any(fnmatch.fnmatchcase(name, pattern) for pattern in _TRANSIENT):
                yield f"{full} remains"
            elif client.ttl(key) < 0 and _lifetime(name) == "ttl":
                yield f"{full} has no TTL"


def _lifetime(name: str) -> str:
    return next(kind.lifetime for kind in KEYS if fnmatch.fnmatchcase(name, kind.pattern))


def ledger_of(server: RedisProcess, occurrences: Collection[str]) -> list[str]:
    """What the ledger says of these occurrences, each named ``<schedule>@<fire time in ms>``."""
    found = []
    with server.client() as client:
        for key in occurrences:
            name, _, nominal = key.partition("@")
            events = client.lrange(prefix("sched", 0) + f"ledger:{name}".encode(), 0, -1)
            found += [f"{key}: {event!r}" for event in events if nominal in repr(event)]
    return found
