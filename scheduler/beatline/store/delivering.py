"""
Deliveries: jobs into a consumer's hands, and out of them.

One call settles what is finished and takes what comes next. Calls of a consumer are numbered: a
repeat after a lost reply settles nothing anew and tells what the consumer holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from beatline.queue_turns import QueueTurns
from beatline.wire.connection import Argument, HeldConnection, pack_script
from beatline.wire.scripts import script


class Settlement(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """
    The end of one delivery.

    Attributes:
        id: The job.
        fence: Its fencing token.
        outcome: ``ack`` and ``keep`` are successes of plain jobs (ids of ours, no schedule) that
            leave nothing behind, or their result; else ``end``, ``retry``, ``unknown`` (no such
            task here), ``return`` or ``bury``.
        state: Final state, for ``end``.
        body: Result in msgpack, or forensics in JSON.
        ttl_ms: How long the result is kept; for ``unknown``, how long to wait for a worker.
        delay_ms: When the job runs again, for ``retry`` and ``unknown``.
        detail: What the schedule's ledger notes: ``<worker> <started ms>``.
    """

    id: bytes
    fence: int
    outcome: str
    state: str = ""
    body: bytes = b""
    ttl_ms: int = 86_400_000
    delay_ms: int = 0
    detail: str = ""


def arguments_of(settlements: Iterable[Settlement]) -> list[Argument]:
    """
    What scripts that end deliveries are told of them, see ``lua/parts/settling.lua``.

    Plain successes come first, in short forms. Results share one ttl there; what is to be kept for
    another time is told in full.
    """
    acks: list[Argument] = []
    kept: list[Argument] = []
    others: list[Argument] = []
    shared_ttl_ms = 0
    for one in settlements:
        outcome = one.outcome
        if outcome == "ack":
            acks += (one.id, one.fence)
        elif outcome == "keep" and (not kept or one.ttl_ms == shared_ttl_ms):
            shared_ttl_ms = one.ttl_ms
            kept += (one.id, one.fence, b"SUCCESS\n" + one.body)
        else:
            others += (one.id, one.fence, "end" if outcome == "keep" else outcome)
            others += (one.state, one.body, one.ttl_ms, one.delay_ms, one.detail)
    return [len(acks) // 2, len(kept) // 3, shared_ttl_ms, *acks, *kept, *others]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """
    One handing-over of a job.

    Attributes:
        id, record: The job.
        fence: Its fencing token.
        deliveries: Deaths of its process that the job was charged with before.
        attempts: Attempts that have failed before.
    """

    id: bytes
    record: bytes
    fence: int
    deliveries: int = 0
    attempts: int = 0


class Taken(msgspec.Struct, frozen=True):
    """
    The server's answer to a settle-and-take.

    Attributes:
        deliveries: Jobs now in the consumer's hands; with ``tell_all`` all of them.
        stale: Ids whose settlement was refused: another delivery owns them.
        now_us: The server's clock.
        repeated: The call had been carried out before; ``deliveries`` is all that is held.
        is_idle: The consumer is registered idle: wait on its wake list.
    """

    deliveries: list[Delivery]
    stale: list[bytes]
    now_us: int
    repeated: bool
    is_idle: bool


@dataclass(frozen=True, slots=True)
class Consumer:
    """
    Who takes.

    Attributes:
        worker: Id of the worker.
        id: Id of the consumer: one child of the worker, one incarnation.
        queues: Queue names separated by commas, in order of preference; ``name=weight`` lets them
            take turns instead.
        turns: The order of each take.
    """

    worker: str
    id: str
    queues: str
    turns: QueueTurns = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        entries = [entry for entry in self.queues.split(",") if entry]
        object.__setattr__(self, "turns", QueueTurns(entries))


class Call(msgspec.Struct, frozen=True):
    """
    One call of a consumer: what it ends, and what it wants.

    Attributes:
        prefix: The partition's key prefix.
        consumer: Who.
        number: Number of the call.
        settlements: Ends of deliveries.
        limit: Take at most so many.
        holding: How many jobs the consumer will still hold after this call.
        tell_all: Tell all that is held, and empty the wake list.
        go_idle: Register as idle where there is nothing to do.
        idle_with_jobs: Also while jobs are held: the consumer runs several at a time.
    """

    prefix: bytes
    consumer: Consumer
    number: int
    settlements: Sequence[Settlement] = ()
    limit: int = 0
    holding: int = 0
    tell_all: bool = False
    go_idle: bool = True
    idle_with_jobs: bool = False

    def arguments(self, generation: int) -> list[Argument]:
        """What the script is told, over a connection of that generation."""
        idle = ("ih" if self.idle_with_jobs else "i") if self.go_idle else ""
        arguments: list[Argument] = [
            self.consumer.worker,
            self.consumer.id,
            self.number,
            ("s" if self.tell_all else "") + idle,
            self.limit,
            generation,
            self.holding,
            self.consumer.turns.next(),
        ]
        return arguments + arguments_of(self.settlements)


def settle(connection: HeldConnection, call: Call) -> Taken:
    """
    End deliveries and take the next ones.

    Args:
        connection: The consumer's own; its generation tells an old connection from a new one.
        call: Which, and how many.

    Raises:
        redis.ResponseError: ``LEASELOST`` where worker or consumer is not registered,
            ``SKIPPED`` where the number does not follow the last one.

    *Retry-safe*: yes, with the same number. *Atomicity*: ``settle.lua``.
    """
    connection.connect()
    arguments = call.arguments(connection.generation)
    return read_taken(connection.run(script("settle"), call.prefix, *arguments))


def send_settle(connection: HeldConnection, call: Call) -> None:
    """The same, without waiting: `receive_settle` reads the answer."""
    connection.connect()
    arguments = call.arguments(connection.generation)
    connection.send(pack_script(script("settle"), call.prefix, arguments))


def receive_settle(connection: HeldConnection) -> Taken:
    """
    The answer to a call that was sent.

    Raises:
        redis.RedisError: As `settle`; also where the server does not have the script, or the
            connection was lost. `settle` with the same call is right then, if it tells all.
    """
    return read_taken(connection.receive())


def read_taken(reply: Any) -> Taken:
    """The answer behind a reply."""
    word, now_us, stale, ids, fences, records, marks, idle = reply
    tokens = [int(fence) for fence in fences]
    if len(tokens) < len(ids):
        tokens += range(tokens[-1] + 1, tokens[-1] + 1 + len(ids) - len(tokens))
    deliveries = list(map(Delivery, ids, records, tokens))
    for at in range(0, len(marks), 3):
        position, charged, failed = int(marks[at]) - 1, int(marks[at + 1]), int(marks[at + 2])
        one = deliveries[position]
        deliveries[position] = Delivery(one.id, one.record, one.fence, charged, failed)
    return Taken(deliveries, stale, int(now_us), word == b"REPEATED", bool(idle))


def wake_key(prefix: bytes, consumer: Consumer, generation: int) -> bytes:
    """The list on which a job is handed to an idle consumer's connection."""
    return prefix + f"wake:{consumer.id}:{generation}".encode()


def read_offer(payload: bytes) -> Delivery:
    """
    The delivery behind what lay on a wake list.

    Raises:
        ValueError: It is no offer of ours.
    """
    head, _, rest = payload.partition(b"\n")
    fence, charged, failed, size = (int(number) for number in head.split())
    if fence <= 0 or not 0 < size < len(rest):
        raise ValueError(f"{size} bytes of id in {len(rest)} under token {fence}")
    return Delivery(rest[:size], rest[size:], fence, charged, failed)
