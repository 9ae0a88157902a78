"""What one partition holds, read from Redis and taken apart, to be compared with the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from beatline.store.delivering import read_offer
from beatline.store.snapshot import RecordHead, Snapshot
from tests.store.support import State

#: Redis types and where a snapshot keeps their values.
PLURALS = {
    "string": "strings",
    "hash": "hashes",
    "list": "lists",
    "set": "sets",
    "zset": "zsets",
}


class Holding(NamedTuple):
    """Who holds a job, and under which token."""

    worker: str
    consumer: str
    fence: int


@dataclass(frozen=True)
class Seen:
    """
    All keys of the partition at one instant.

    Attributes:
        state: Every key without the prefix, as plain values.
        snapshot: The same as the checker of invariants reads it.
        held: id -> who has it.
        idle: (worker, consumer) of everybody who waits, by queue.
        results: id -> state in which it ended.
        offers: id -> token of what lies unopened.
    """

    state: State
    snapshot: Snapshot
    held: dict[bytes, Holding]
    idle: dict[str, set[tuple[str, str]]]
    results: dict[bytes, str]
    offers: dict[bytes, int]

    @property
    def fence(self) -> int:
        """The last token that was drawn."""
        return int(self.state.get("fence", b"0"))

    def hashed(self, name: str) -> dict[bytes, bytes]:
        """A hash; empty where there is none."""
        found: dict[bytes, bytes] = self.state.get(name, {})
        return found

    def scores(self, name: str) -> dict[bytes, float]:
        """A sorted set; empty where there is none."""
        found: dict[bytes, float] = self.state.get(name, {})
        return found

    def named(self, start: str) -> dict[str, Any]:
        """All keys whose name begins so, by the rest of their name."""
        return {
            key.removeprefix(start): value
            for key, value in self.state.items()
            if key.startswith(start)
        }


def look_at(client: redis.Redis, prefix: bytes) -> Seen:
    """Read everything, in three round trips; nobody else writes meanwhile."""
    snapshot = Snapshot()
    keys: Any = client.keys("*")
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
            pipeline.pttl(key)
        found = pipeline.execute()
        kinds = [kind.decode() for kind in found[::2]]
        readers: dict[str, Any] = {
            "string": pipeline.get,
            "hash": pipeline.hgetall,
            "list": lambda key: pipeline.lrange(key, 0, -1),
            "set": pipeline.smembers,
            "zset": lambda key: pipeline.zrange(key, 0, -1, withscores=True),
        }
        for key, kind in zip(keys, kinds, strict=True):
            readers[kind](key)
        values = pipeline.execute()
    names = [key.removeprefix(prefix) for key in keys]
    snapshot.types = dict(zip(names, kinds, strict=True))
    snapshot.immortal = {
        name for name, ttl_ms in zip(names, found[1::2], strict=True) if ttl_ms == -1
    }
    state: State = {}
    for name, kind, found_there in zip(names, kinds, values, strict=True):
        value = dict(found_there) if kind == "zset" else found_there
        state[name.decode("utf-8", "backslashreplace")] = value
        getattr(snapshot, PLURALS[kind])[name] = value
    jobs: dict[bytes, bytes] = snapshot.hashes.pop(b"jobs", {})
    snapshot.heads = {raw_id: RecordHead.of(record) for raw_id, record in jobs.items()}
    return _taken_apart(state, snapshot)


def _taken_apart(state: State, snapshot: Snapshot) -> Seen:
    held: dict[bytes, Holding] = {}
    for key, entries in state.items():
        if key.startswith("held:"):
            for raw_id, entry in entries.items():
                consumer, _, fence = entry.decode().rpartition(":")
                assert raw_id not in held, f"{raw_id!r} is held twice"
                held[raw_id] = Holding(key.removeprefix("held:"), consumer, int(fence))
    idle = {
        key.removeprefix("idle:"): {_waiting(member) for member in members}
        for key, members in state.items()
        if key.startswith("idle:")
    }
    results = {
        _raw(key.removeprefix("result:")): value.partition(b"\n")[0].decode()
        for key, value in state.items()
        if key.startswith("result:")
    }
    offers: dict[bytes, int] = {}
    for key, payloads in state.items():
        if key.startswith("wake:") and key != "wake:beat":
            for payload in payloads:
                offer = read_offer(payload)
                assert offer.id not in offers, f"{offer.id!r} is offered twice"
                offers[offer.id] = offer.fence
    return Seen(state, snapshot, held, idle, results, offers)


def _raw(name: str) -> bytes:
    """The bytes that `dump` has written as text."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode())


def _waiting(member: bytes) -> tuple[str, str]:
    worker, consumer = member.decode().split("|")[:2]
    return worker, consumer
