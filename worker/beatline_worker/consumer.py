"""
The consumer: one child's conversation with Redis.

Each call settles what is finished and takes what comes next; calls are numbered, so that a call
whose reply was lost is repeated without a second effect. While the quick jobs of a batch still run,
the next batch may be asked for: its call is under way, and is answered when they are done. Where
there is nothing to do the consumer is registered idle and waits on its wake list: the job itself
arrives there, already recorded as held.

What happens when Redis is gone: the same numbered call is repeated on a new connection, with
back-off, until it is answered. Nothing is given up here: the supervisor kills this child when
its lease turns out to be lost.
"""

from __future__ import annotations

import logging
import random
import select
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace
from redis.exceptions import ResponseError

from beatline.errors import NotSent
from beatline.ids import id_text
from beatline.keys import prefix
from beatline.line import Line
from beatline.store.delivering import (
    Call,
    Consumer,
    Delivery,
    Settlement,
    Taken,
    read_offer,
    receive_settle,
    send_settle,
    settle,
    wake_key,
)
from beatline.wire.connection import LOST, Endpoint, HeldConnection, pack
from beatline.wire.refusals import refusal_code
from beatline_worker.lease_keeper import awake_or_not_ns

#: Also that of the consumer with several lanes.
log = logging.getLogger("beatline.worker.consumer")

#: How long an idle consumer waits on the server for a job, ms, before it asks what it holds.
IDLE_WAIT_MS: Final = 4_000
#: The same where several partitions take turns.
TURN_MS: Final = 500
#: Longest pause between two attempts to reach Redis, ms.
LONGEST_PAUSE_MS: Final = 1_000
#: For how long a child that takes one job at a time looks for the answer before it sleeps, seconds;
#: see docs/decisions/0011-lingering.md.
LINGER_S: Final = 100e-6


class Desynchronised(Exception):  # noqa: N818 - a reason to start over, not a failure
    """The server has other numbers than we have: this incarnation cannot go on."""


class Partition:
    """The consumer's standing in one partition: its key prefix and its call numbers."""

    __slots__ = ("number", "prefix", "resync")

    def __init__(self, key_prefix: bytes) -> None:
        self.prefix = key_prefix
        self.number = 0
        #: Whether the next call must ask for all that is held.
        self.resync = False


class Asked(NamedTuple):
    """A call that is under way, of which partition, and when it was sent."""

    partition: Partition
    call: Call
    sent_ns: int


class ConsumerLoop:
    """
    Settles and takes for one child.

    Args:
        endpoint: Where Redis is.
        consumer: Who this child is.
        namespace, partitions: Which keys.
        wakeup_fd: Readable when a signal arrived; ends a wait.
        should_stop: Asked before each wait and each repetition.
        on_round: Called after each successful call, for health.
        lease_ms: Length of the worker's lease.

    Attributes:
        was_woken: Whether a signal arrived before the last wait was over.
    """

    #: The kind of the connection.
    line: type[HeldConnection] = Line

    def __init__(
        self,
        endpoint: Endpoint,
        consumer: Consumer,
        *,
        namespace: str,
        partitions: int,
        wakeup_fd: int,
        should_stop: Callable[[], bool],
        on_round: Callable[[], None],
        lease_ms: int,
    ) -> None:
        self._connection = self.line(endpoint)
        self._consumer = consumer
        self._partitions = [Partition(prefix(namespace, p)) for p in range(partitions)]
        self._turn = 0
        self._asked: Asked | None = None
        self._wakeup_fd = wakeup_fd
        self._should_stop = should_stop
        self._on_round = on_round
        self.was_woken = False
        self._clock_us = 0
        self._clock_at_ns = time.monotonic_ns()
        #: When the server last said that what we hold is ours, or a little earlier.
        self._confirmed_ns = awake_or_not_ns()
        self._doubtful_after_ns = lease_ms * 500_000

    @property
    def is_doubtful(self) -> bool:
        """
        Whether what we hold was confirmed so long ago that it must be asked for again.

        This process may have been stopped or suspended since, for longer than its lease. Half a
        lease is safe, because a lease is renewed each third of it.
        """
        return awake_or_not_ns() > self.doubtful_from_ns

    @property
    def doubtful_from_ns(self) -> int:
        """From when on, by `awake_or_not_ns`, what we hold is doubtful."""
        return self._confirmed_ns + self._doubtful_after_ns

    def server_now_ms(self) -> int:
        """The server's clock, carried on by our own monotonic one."""
        return self.server_ms_at(time.monotonic_ns())

    def server_ms_at(self, monotonic_ns: int) -> int:
        """What the server's clock said, or will say, at an instant of our monotonic one."""
        return (self._clock_us + (monotonic_ns - self._clock_at_ns) // 1000) // 1000

    def exchange(
        self, settlements: Sequence[Settlement], limit: int, *, resync: bool = False
    ) -> list[Delivery]:
        """
        Settle, and take up to ``limit`` jobs of the current partition.

        Args:
            settlements: Ends of jobs of the current partition.
            limit: 0 settles only.
            resync: Ask for all that is held; the answer then holds what was not run yet.

        Returns:
            Jobs to run, by rising fence. Empty where there is nothing to do; the consumer is
            then idle, and `wait` returns the next job.
        """
        partition = self._partitions[self._turn]
        self._connection.linger_s = LINGER_S if limit == 1 else 0.0
        call = self._make_call(partition, settlements, limit, resync=resync)
        return self._carry_out(partition, call).deliveries

    def ask(self, settlements: Sequence[Settlement], limit: int, *, holding: int) -> None:
        """
        Settle, and ask for up to ``limit`` jobs, without waiting for them; `answer` brings them.

        Args:
            settlements: Ends of jobs of the current partition.
            limit: How many jobs.
            holding: How many jobs are still held besides.
        """
        partition = self._partitions[self._turn]
        call = self._make_call(partition, settlements, limit, holding=holding, idle=False)
        self._asked = Asked(partition, call, awake_or_not_ns())
        try:
            send_settle(self._connection, call)
        except (*LOST, NotSent) as error:
            # There is no connection to read an answer from: it is repeated then.
            log.info("consumer.repeats error=%s", error)

    @property
    def is_asked(self) -> bool:
        """Whether an answer is to be read before the next call."""
        return self._asked is not None

    def answer(self) -> list[Delivery]:
        """
        What the call brought that `ask` has sent.

        Returns:
            Jobs by rising fence; after a lost reply all that is held.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            return []
        try:
            taken = receive_settle(self._connection)
        except (*LOST, NotSent, ResponseError) as error:
            self._judge(error)
            taken = self._carry_out(asked.partition, replace(asked.call, tell_all=True))
        else:
            self._note(asked.partition, asked.call, taken, asked.sent_ns)
        return taken.deliveries

    def flush(self, settlements: Sequence[Settlement]) -> None:
        """Settle without taking, while further jobs of the batch are held."""
        partition = self._partitions[self._turn]
        self._carry_out(
            partition, self._make_call(partition, settlements, 0, holding=1, idle=False)
        )

    def wait(self) -> list[Delivery]:
        """Wait for a job on the wake list; empty after the deadline, a signal, or an error."""
        partition = self._partitions[self._turn]
        alone = len(self._partitions) == 1
        wait_ms = IDLE_WAIT_MS if alone else TURN_MS
        generation = self._connection.generation
        key = wake_key(partition.prefix, self._consumer, generation)
        partition.resync = True
        try:
            self._connection.send(pack("BLPOP", key, wait_ms / 1000))
            readable, _, _ = select.select(
                [self._connection.fileno(), self._wakeup_fd], [], [], wait_ms / 1000 + 2
            )
            self.was_woken = self._wakeup_fd in readable
            if self.was_woken and self._connection.fileno() not in readable:
                # What is handed over from here on is returned by the supervisor's release, or
                # told by the next call: the old generation's list is drained by it.
                self._connection.close()
                return []
            if not readable:
                self._connection.close()
                return []
            reply = self._connection.receive()
        except (*LOST, NotSent, ResponseError) as error:
            log.info("consumer.wait_ended error=%s", error)
            self._connection.close()
            return []
        self._on_round()
        if reply is None:
            return [] if alone else self._leave_turn(partition)
        partition.resync = False
        return self._open(partition, reply[1])

    def next_turn(self) -> bool:
        """Go on to the next partition; True when all have had their turn."""
        self._turn = (self._turn + 1) % len(self._partitions)
        return self._turn == 0

    @property
    def has_turns(self) -> bool:
        """Whether there is more than one partition."""
        return len(self._partitions) > 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _open(self, partition: Partition, payload: bytes) -> list[Delivery]:
        """What was handed over; where that is no offer of ours, the next call asks what is held."""
        try:
            offer = read_offer(payload)
        except ValueError:
            log.warning("consumer.garbage_dropped bytes=%r", payload)
            partition.resync = True
            return []
        self._note_offered(offer.fence)
        return [offer]

    def _note_offered(self, fence: int) -> None:
        """An offer may have waited in our socket: its token tells when it was made, in µs."""
        made_ns = self._confirmed_ns + max(fence - self._clock_us, 0) * 1000
        self._confirmed_ns = min(made_ns, awake_or_not_ns())

    def _leave_turn(self, partition: Partition) -> list[Delivery]:
        """Leave the idle sets of a partition before listening elsewhere; what is held there."""
        call = self._make_call(partition, (), 0, resync=True, idle=False)
        return self._carry_out(partition, call).deliveries

    def _make_call(
        self,
        partition: Partition,
        settlements: Sequence[Settlement],
        limit: int,
        *,
        resync: bool = False,
        holding: int = 0,
        idle: bool = True,
        with_jobs: bool = False,
    ) -> Call:
        return Call(
            partition.prefix,
            self._consumer,
            partition.number + 1,
            tuple(settlements),
            limit,
            holding,
            resync or partition.resync,
            idle,
            with_jobs,
        )

    def _carry_out(self, partition: Partition, call: Call) -> Taken:
        """A numbered call, repeated with the same number until it is answered."""
        pause_ms = 20.0
        while True:
            sent_ns = awake_or_not_ns()
            try:
                taken = settle(self._connection, call)
                break
            except (*LOST, NotSent, ResponseError) as error:
                self._judge(error)
                call = replace(call, tell_all=True)
            if self._should_stop() and not call.settlements:
                return Taken([], [], 0, False, False)
            time.sleep(pause_ms / 1000 * random.uniform(0.5, 1.0))
            pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
        self._note(partition, call, taken, sent_ns)
        return taken

    def _note(self, partition: Partition, call: Call, taken: Taken, sent_ns: int) -> None:
        partition.number = call.number
        partition.resync = False
        self._clock_us, self._clock_at_ns = taken.now_us, time.monotonic_ns()
        self._confirmed_ns = sent_ns
        self._on_round()
        for raw_id in taken.stale:
            log.warning("job.stale_settlement job=%s", id_text(raw_id))

    def _judge(self, error: BaseException) -> None:
        """Whether to repeat; raises where this incarnation cannot go on."""
        code = refusal_code(error)
        if code == "SKIPPED":
            raise Desynchronised(str(error)) from error
        log.info("consumer.repeats error=%s", error)
        if code != "LEASELOST":
            self._connection.close()
