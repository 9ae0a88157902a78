"""
The accounts of a living system: each key in Redis has an owner that is there, or a TTL.

`tests.faults.leftovers` looks at a system that has been shut down; this looks at one that lives and
has nothing to do. What the invariants of the product know is asked of them; what they leave open,
keys whose name says whose they are, is compared here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from beatline.keys import prefix
from beatline.store.invariants import violations
from beatline.store.snapshot import Snapshot, kind_of, read_snapshot
from tests.servers import RedisProcess

#: Families whose names end with a schedule.
_OF_SCHEDULES = ("sched:", "ledger:", "open:", "buffered:")

_SOON_S = 60


@dataclass(frozen=True, slots=True)
class Accounts:
    """
    What the keys of a namespace are.

    Attributes:
        count: All keys.
        expiring: Those with a TTL.
        results: Results that go within a minute; what keeps a caller's own id from being used
            again stays for an hour.
        unaccounted: What is wrong, one line each.
        families: Number of keys by pattern of the layout.
        kib: What they take in Redis, by pattern.
    """

    count: int
    expiring: int
    results: int
    unaccounted: list[str]
    families: dict[str, int]
    kib: dict[str, float]


def accounts_of(server: RedisProcess) -> Accounts:
    """Read all keys, and say of each whose it is."""
    start = prefix("sched", 0)
    with server.client() as client:
        wrong = [str(one) for one in violations(client, "sched", 1)]
        seen = read_snapshot(client, start)
        strangers = [
            f"{key!r} is outside of the layout"
            for key in client.scan_iter(count=1000)
            if not key.startswith(start) and key != b"{sched}:meta"
        ]
        results = [
            key
            for key in client.scan_iter(match=start + b"result:*", count=1000)
            if 0 <= client.ttl(key) < _SOON_S
        ]
        sizes = {name: client.memory_usage(start + name, samples=0) or 0 for name in seen.types}
    families: Counter[str] = Counter()
    kib: defaultdict[str, float] = defaultdict(float)
    for name in seen.types:
        kind = kind_of(name)
        pattern = kind.pattern if kind is not None else "?"
        families[pattern] += 1
        kib[pattern] += sizes[name] / 1024
    wrong += strangers + [line for look in _LOOKS for line in look(seen)]
    expiring = len(seen.types) - len(seen.immortal)
    return Accounts(
        len(seen.types),
        expiring,
        len(results),
        wrong,
        dict(sorted(families.items())),
        {pattern: round(size, 1) for pattern, size in sorted(kib.items())},
    )


def _look_at_schedules(seen: Snapshot) -> list[str]:
    known = seen.hashes[b"schedules"]
    return [
        f"{name!r}: there is no such schedule"
        for name in seen.types
        for start in _OF_SCHEDULES
        if name.startswith(start.encode()) and name.removeprefix(start.encode()) not in known
    ]


def _look_at_wakes(seen: Snapshot) -> list[str]:
    living = {
        consumer for _, consumers in seen.named(seen.hashes, "consumers:") for consumer in consumers
    }
    return [
        f"{name!r}: there is no such consumer"
        for name in seen.types
        if name.startswith(b"wake:")
        and name != b"wake:beat"
        and name.removeprefix(b"wake:").rpartition(b":")[0] not in living
    ]


def _look_aside(seen: Snapshot) -> list[str]:
    return [
        f"{name!r}: nobody put garbage anywhere"
        for name in seen.types
        if name.startswith((b"aside:", b"quarantine"))
    ]


_LOOKS: tuple[Callable[[Snapshot], list[str]], ...] = (
    _look_at_schedules,
    _look_at_wakes,
    _look_aside,
)
