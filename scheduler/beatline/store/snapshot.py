"""
All of a partition's keys as values, read from outside, for `beatline.store.invariants`.

Reads page by page, so a live system goes on meanwhile and what moves may be seen twice or not at
all. Everything is kept in memory: about 300 bytes for each job.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from beatline.job import FLAG_OWN_ID, FLAG_SCHEDULE
from beatline.keys import KEYS, Key

#: Members read in one call.
PAGE: Final = 1_000

_PATTERNS: Final = tuple(
    (re.compile(re.escape(key.pattern).replace(r"\*", "(.+)").encode(), re.DOTALL), key)
    for key in KEYS
)
_SPECIAL: Final = re.compile(rb"([*?\[\]\\^-])")


def kind_of(name: bytes) -> Key | None:
    """The row of `KEYS` that a key's name, without the prefix, belongs to."""
    for pattern, key in _PATTERNS:
        if pattern.fullmatch(name):
            return key
    return None


@dataclass(frozen=True, slots=True)
class RecordHead:
    """What scripts read of a record."""

    place: bytes
    schedule: bytes | None
    has_own_id: bool

    @classmethod
    def of(cls, record: bytes) -> RecordHead | None:
        """The head, or None where the bytes are no record."""
        if len(record) < 6 or record[0] != 1 or not record[3] or not record[1:2].isdigit():
            return None
        at = 4 + record[3]
        place, flags = record[4:at] + b":" + record[1:2], record[2]
        schedule = None
        if flags & FLAG_SCHEDULE:
            if at >= len(record):
                return None
            schedule = record[at + 1 : at + 1 + record[at]]
        return cls(place, schedule, bool(flags & FLAG_OWN_ID))


@dataclass(slots=True)
class Snapshot:
    """
    The keys of one partition.

    Attributes:
        strings: name -> value.
        hashes: name -> field -> value; of ``jobs`` only `heads`.
        lists: name -> members.
        zsets: name -> member -> score.
        sets: name -> members.
        heads: id -> head of its record, None where it cannot be read.
        types: name -> type, for every key.
        immortal: Names of keys without a TTL.
    """

    strings: dict[bytes, bytes] = field(default_factory=dict)
    hashes: dict[bytes, dict[bytes, bytes]] = field(default_factory=lambda: defaultdict(dict))
    lists: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    zsets: dict[bytes, dict[bytes, float]] = field(default_factory=lambda: defaultdict(dict))
    sets: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    heads: dict[bytes, RecordHead | None] = field(default_factory=dict)
    types: dict[bytes, str] = field(default_factory=dict)
    immortal: set[bytes] = field(default_factory=set)

    def named(self, kind: dict[bytes, Any], start: str) -> Iterator[tuple[bytes, Any]]:
        """(rest of the name, value) of keys of a kind whose name begins so."""
        first = start.encode()
        for name in [name for name in kind if name.startswith(first)]:
            yield name.removeprefix(first), kind[name]


def read_snapshot(client: redis.Redis, prefix: bytes) -> Snapshot:
    """Read all keys of a partition; values of keys that have results are left out."""
    found = Snapshot()
    pattern = _SPECIAL.sub(rb"\\\1", prefix) + b"*"
    page: list[bytes] = []
    seen: set[bytes] = set()
    for key in client.scan_iter(match=pattern, count=PAGE):
        if key not in seen:
            seen.add(bytes(key))
            page.append(bytes(key))
        if len(page) >= PAGE:
            _read_page(client, prefix, page, found)
            page = []
    _read_page(client, prefix, page, found)
    return found


def _read_page(client: redis.Redis, prefix: bytes, keys: Sequence[bytes], found: Snapshot) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
            pipeline.pttl(key)
        replies: list[Any] = pipeline.execute()
    for index, key in enumerate(keys):
        name, kind, ttl_ms = key.removeprefix(prefix), replies[2 * index], replies[2 * index + 1]
        if kind == b"none":
            continue
        found.types[name] = kind.decode()
        if ttl_ms == -1:
            found.immortal.add(name)
        row = kind_of(name)
        if row is not None and row.type == found.types[name] and row.lifetime != "ttl":
            _READERS[row.type](client, key, name, found)


def _read_string(client: redis.Redis, key: bytes, name: bytes, found: Snapshot) -> None:
    found.strings[name] = client.get(key) or b""  # type: ignore[assignment]  # a sync client


def _read_hash(client: redis.Redis, key: bytes, name: bytes, found: Snapshot) -> None:
    if name == b"jobs":
        for raw_id, record in client.hscan_iter(key, count=PAGE):
            found.heads[bytes(raw_id)] = RecordHead.of(bytes(record))
        return
    found.hashes[name] = {
        bytes(member): bytes(value) for member, value in client.hscan_iter(key, count=PAGE)
    }


def _read_list(client: redis.Redis, key: bytes, name: bytes, found: Snapshot) -> None:
    members = found.lists[name]
    while True:
        start = len(members)
        page: Any = client.lrange(key, start, start + PAGE - 1)
        members += page
        if len(page) < PAGE:
            return


def _read_zset(client: redis.Redis, key: bytes, name: bytes, found: Snapshot) -> None:
    found.zsets[name] = {
        bytes(member): float(score) for member, score in client.zscan_iter(key, count=PAGE)
    }


def _read_set(client: redis.Redis, key: bytes, name: bytes, found: Snapshot) -> None:
    found.sets[name] = {bytes(member) for member in client.sscan_iter(key, count=PAGE)}


_READERS: Final[dict[str, Any]] = {
    "string": _read_string,
    "hash": _read_hash,
    "list": _read_list,
    "zset": _read_zset,
    "set": _read_set,
}
