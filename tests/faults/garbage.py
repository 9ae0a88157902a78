"""Garbage for every key of the layout: bytes beside what is ours, and keys of a wrong type."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterator

import redis

from beatline.keys import KEYS, prefix

PREFIX = prefix("sched", 0)

#: What stands for ``*`` in patterns of which no key exists.
_STANDS_FOR_STAR = {"ready:*": "default:4", "idle:*": "default", "sched:*": "stranger"}


def names(client: redis.Redis, pattern: str) -> list[bytes]:
    """The keys of a pattern, or the one that a stranger would make."""
    found = [
        key
        for key in client.scan_iter(match=PREFIX + b"*", count=1000)
        if fnmatch.fnmatchcase(key[len(PREFIX) :].decode("utf-8", "replace"), pattern)
        and not (pattern == "wake:*" and key.endswith(b"wake:beat"))
    ]
    star = _STANDS_FOR_STAR.get(pattern, "stranger")
    return found or [PREFIX + pattern.replace("*", star).encode()]


def add_garbage(client: redis.Redis, chances: random.Random) -> int:
    """Add garbage to every collection there is; the number of keys."""
    count = 0
    for kind in KEYS:
        for key in names(client, kind.pattern):
            for blob in blobs(kind.pattern, chances):
                _add(client, kind.type, key, blob, chances)
            count += 1
    return count


def blobs(pattern: str, chances: random.Random) -> Iterator[bytes]:
    """Garbage: nothing, noise, text, and what looks almost like ours."""
    yield b""
    yield b"garbage"
    yield chances.randbytes(16)
    yield chances.randbytes(300)
    yield b"\xff\xfe|\x00:12"
    if pattern == "timeline":
        yield from (b"j", b"u", b"s", b"s!", b"j4", b"u4\x05abc", b"jx" + bytes(16) + b"default")


def _add(client: redis.Redis, kind: str, key: bytes, blob: bytes, chances: random.Random) -> None:
    try:
        if kind == "list":
            (client.lpush if chances.random() < 0.5 else client.rpush)(key, blob)
        elif kind == "hash":
            client.hset(key, blob, chances.choice([b"", b"garbage", chances.randbytes(20), b"-1"]))
        elif kind == "set":
            client.sadd(key, blob)
        elif kind == "zset":
            client.zadd(key, {blob: chances.choice([0, -5, 1e15, chances.random() * 1e12])})
    except redis.ResponseError:
        # The layout has another type there than `KEYS` says: then nothing was added.
        raise AssertionError(f"{key!r} is no {kind}") from None


def spoil(client: redis.Redis, key: bytes, kind: str) -> None:
    """Put a key of a wrong type in a key's place."""
    client.delete(key)
    if kind == "string":
        client.rpush(key, b"garbage", b"\x00\xff")
    else:
        client.set(key, b"garbage \x00\xff")
