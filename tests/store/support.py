"""What store tests share: a partition, its clock standing still, its whole state as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from beatline.job import FLAG_IGNORE_RESULT, record_body, record_head
from beatline.keys import prefix
from beatline.store.delivering import (
    Call,
    Consumer,
    Delivery,
    Settlement,
    Taken,
    read_offer,
    settle,
)
from beatline.store.enqueuing import Enqueued, enqueue
from beatline.store.invariants import violations
from beatline.store.leasing import Reclaimed, reclaim, register
from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import Script, script

#: Where clocks start: 2026-09-21 13:46:40 UTC.
START_US = 1_790_000_000_000_000
#: Result TTL of all test jobs, ms.
TTL_MS = 86_400_000
LEASE_MS = 15_000

State = dict[str, Any]


class ManualClock:
    """The time that all scripts are told; it moves when it is moved."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    @property
    def now_us(self) -> int:
        """The time, µs."""
        return Script.injected_now_us

    @now_us.setter
    def now_us(self, value: int) -> None:
        Script.injected_now_us = value

    @property
    def now_ms(self) -> int:
        """The time, ms."""
        return self.now_us // 1000

    def advance(self, ms: float) -> None:
        """Let time pass, or turn the clock back."""
        self.now_us += int(ms * 1000)


def dump(client: redis.Redis, key_prefix: bytes) -> State:
    """Every key of a partition, without the prefix, as plain values; TTLs are left out."""
    keys: list[Any] = sorted(client.scan_iter(match=key_prefix + b"*", count=1000))
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
        kinds = pipeline.execute()
        readers: dict[Any, Any] = {
            b"string": pipeline.get,
            b"hash": pipeline.hgetall,
            b"list": lambda key: pipeline.lrange(key, 0, -1),
            b"set": pipeline.smembers,
            b"zset": lambda key: pipeline.zrange(key, 0, -1, withscores=True),
        }
        live = [(key, kind) for key, kind in zip(keys, kinds, strict=True) if kind != b"none"]
        for key, kind in live:
            readers[kind](key)
        values = pipeline.execute()
    found: State = {}
    for (key, kind), value in zip(live, values, strict=True):
        name = bytes(key).removeprefix(key_prefix).decode("utf-8", "backslashreplace")
        found[name] = dict(value) if kind == b"zset" else value
    return found


def changed(before: State, after: State) -> State:
    """What differs: key -> its value afterwards, or None where it is gone."""
    return {
        key: after.get(key)
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def make_record(
    queue: str = "q",
    priority: int = 4,
    flags: int = FLAG_IGNORE_RESULT,
    schedule: str | None = None,
    nominal_ms: int = 0,
) -> bytes:
    """The record of a job that calls ``app.noop``."""
    head = record_head(queue, priority, flags, schedule, nominal_ms)
    return head + record_body("app.noop", [], {})


def make_id(number: int) -> bytes:
    """An id of ours that is the same in each run."""
    return b"\x01\x9a" + number.to_bytes(4) + b"\x70\x00\x80" + b"\0" * 5 + number.to_bytes(2)


class Partition:
    """
    One partition on a real server, with a clock that stands still.

    Attributes:
        client: A plain redis-py client.
        connection: What store functions take.
        prefix: The partition's key prefix.
        clock: What scripts are told as the time.
        is_sound: Whether the data must be sound at the end of the test.
    """

    def __init__(self, client: redis.Redis, connection: HeldConnection, clock: ManualClock) -> None:
        self.client = client
        self.connection = connection
        self.clock = clock
        self.prefix = prefix("t", 0)
        self.is_sound = True
        self._calls = 0

    def key(self, name: str | bytes) -> bytes:
        """The whole key behind a name."""
        return self.prefix + (name.encode() if isinstance(name, str) else name)

    def run(self, name: str, *arguments: Any) -> Any:
        """Call a script with its own arguments."""
        return self.connection.run(script(name), self.prefix, *arguments)

    def dump(self) -> State:
        """The whole state."""
        return dump(self.client, self.prefix)

    def violations(self) -> list[str]:
        """What is wrong with the data."""
        return [str(one) for one in violations(self.client, "t", 1)]

    def enqueue(
        self,
        *ids: bytes,
        due: str = "0",
        record: bytes | None = None,
        check: bool = True,
        sender: bytes = b"sender",
        number: int | None = None,
    ) -> Enqueued:
        """Enqueue jobs that share a record."""
        self._calls += 1
        jobs = [(raw_id, due, record or make_record()) for raw_id in ids]
        number = number or self._calls
        return enqueue(self.connection, self.prefix, sender, number, jobs, check)

    def register(self, worker: str = "w", *consumers: str, **about: str) -> bool:
        """A worker with consumers, ``c`` where none is named."""
        names = consumers or ("c",)
        return register(self.connection, self.prefix, worker, LEASE_MS, about, names)

    def tick(self, times: int = 1, every_ms: float = 1000, limit: int = 100) -> Reclaimed:
        """Tick the watch, with time passing before each tick."""
        found = None
        for _ in range(times):
            self.clock.advance(every_ms)
            found = reclaim(
                self.connection, self.prefix, limit=limit, max_deliveries=3, result_ttl_ms=TTL_MS
            )
        assert found is not None
        return found

    def offered(self, wake: str = "c:1", *, opened: bool = False) -> Delivery:
        """The first offer on a wake list, which is opened or only looked at."""
        key = self.key(f"wake:{wake}")
        payload: Any = self.client.lpop(key) if opened else self.client.lindex(key, 0)
        return read_offer(payload)

    def result_of(self, raw_id: bytes) -> bytes | None:
        """What is kept of a job's end."""
        kept: Any = self.client.get(self.key(b"result:" + raw_id))
        return kept if kept is None else bytes(kept)

    def taker(self, worker: str = "w", consumer: str = "c", queues: str = "q") -> Taker:
        """A consumer's side of the conversation."""
        return Taker(self, Consumer(worker, consumer, queues))


class Taker:
    """A consumer that counts its calls."""

    def __init__(self, partition: Partition, consumer: Consumer) -> None:
        self._partition = partition
        self.consumer = consumer
        self.number = 0

    def settle(
        self,
        *,
        acks: Sequence[tuple[bytes, int]] = (),
        settlements: Sequence[Settlement] = (),
        limit: int = 10,
        holding: int = 0,
        tell_all: bool = False,
        go_idle: bool = True,
        idle_with_jobs: bool = False,
        number: int | None = None,
    ) -> Taken:
        """Settle and take; the next call number unless one is given."""
        number = number if number is not None else self.number + 1
        taken = settle(
            self._partition.connection,
            Call(
                self._partition.prefix,
                self.consumer,
                number,
                settlements=(*(Settlement(*one, "ack") for one in acks), *settlements),
                limit=limit,
                holding=holding,
                tell_all=tell_all,
                go_idle=go_idle,
                idle_with_jobs=idle_with_jobs,
            ),
        )
        self.number = number
        return taken

    def take(self, limit: int = 10, **how: Any) -> list[bytes]:
        """Take, and name what was taken."""
        return [delivery.id for delivery in self.settle(limit=limit, **how).deliveries]
