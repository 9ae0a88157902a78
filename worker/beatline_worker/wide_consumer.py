"""
The consumer of a child with several lanes: it settles and takes while it listens.

Calls and listening each have a connection. A call that finds nothing to take leaves the consumer
registered idle, also while it holds jobs; from then on it listens on its wake list. A settlement
that comes in between is a call like any other: it takes the consumer out of the idle sets, looks
for jobs, and registers it again, while the listening connection goes on waiting on the same list.

The wake list belongs to one connection of the calls (R6). Where that is opened anew, or all that
is held is told, listening starts over, too: what it may have heard in between has been told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from redis.exceptions import ResponseError

from beatline.errors import NotSent
from beatline.ids import partition_of
from beatline.store.delivering import Delivery, Settlement, wake_key
from beatline.wire.connection import LOST, HeldConnection, pack
from beatline_worker.consumer import IDLE_WAIT_MS, TURN_MS, ConsumerLoop, log

#: How much longer than the server an idle consumer waits before it gives its connection up, s.
_PATIENCE_S: Final = 2.0


class WideConsumer(ConsumerLoop):
    """
    Settles, takes and listens for one child.

    Attributes:
        is_idle: Whether a job may come by listening.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._listening = HeldConnection(self._connection.endpoint)
        self._heard_until = 0.0
        self.is_idle = False

    @property
    def ear(self) -> int:
        """The descriptor that is readable when something was heard; -1 while not listening."""
        return self._listening.fileno() if self._heard_until else -1

    @property
    def must_ask(self) -> bool:
        """Whether the next call has to ask for all that is held."""
        return self._partitions[self._turn].resync

    def trade(
        self, settlements: Iterable[Settlement], limit: int, *, holding: int, resync: bool = False
    ) -> list[Delivery]:
        """
        Settle, and take up to ``limit`` jobs of the current partition.

        Args:
            settlements: Ends of jobs, of any partition.
            limit: 0 takes none.
            holding: How many jobs are held besides.
            resync: Ask for all that is held instead of taking more.

        Returns:
            What was taken; after a lost reply, or with ``resync``, also what is held already.
        """
        here: list[Settlement] = []
        elsewhere: dict[int, list[Settlement]] = {}
        if len(self._partitions) == 1:
            here = list(settlements)
        else:
            for one in settlements:
                partition = partition_of(one.id, len(self._partitions))
                mine = here if partition == self._turn else elsewhere.setdefault(partition, [])
                mine.append(one)
        for partition, ends in elsewhere.items():
            there = self._partitions[partition]
            self._carry_out(there, self._make_call(there, ends, 0, holding=1, idle=False))
        return self._trade_here(here, limit, holding, resync=resync or self.must_ask)

    def hear(self) -> list[Delivery]:
        """What was heard, once the ear is readable."""
        partition = self._partitions[self._turn]
        try:
            reply = self._listening.receive()
        except (*LOST, NotSent, ResponseError) as error:
            log.info("consumer.wait_ended error=%s", error)
            self._give_up()
            return []
        self._heard_until, self.is_idle = 0.0, False
        self._on_round()
        if reply is None:
            # Nothing came: the next call asks what is held, in this partition or the next one.
            partition.resync = True
            if self.has_turns:
                told = self._leave_turn(partition)
                self.next_turn()
                return told
            return []
        return self._open(partition, reply[1])

    def check_ear(self) -> None:
        """Give a connection up that should have answered by now."""
        if self._heard_until and time.monotonic() > self._heard_until:
            self._give_up()

    def close(self) -> None:
        """Close both connections."""
        self._listening.close()
        super().close()

    def _trade_here(
        self, settlements: list[Settlement], limit: int, holding: int, *, resync: bool
    ) -> list[Delivery]:
        partition = self._partitions[self._turn]
        if resync:
            limit = 0
            if self._heard_until:
                # What was said to the ear already is told by the answer; a new list takes the rest.
                self._give_up()
        generation = self._connection.generation
        call = self._make_call(
            partition,
            settlements,
            limit,
            resync=resync,
            holding=holding,
            idle=limit > 0,
            with_jobs=True,
        )
        taken = self._carry_out(partition, call)
        self.is_idle = taken.is_idle
        if self._connection.generation != generation:
            self._listening.close()
            self._heard_until = 0.0
        if self.is_idle and not self._heard_until:
            self._listen(partition.prefix)
        return taken.deliveries

    def _listen(self, key_prefix: bytes) -> None:
        wait_ms = TURN_MS if self.has_turns else IDLE_WAIT_MS
        key = wake_key(key_prefix, self._consumer, self._connection.generation)
        try:
            self._listening.send(pack("BLPOP", key, wait_ms / 1000))
        except (*LOST, NotSent) as error:
            log.info("consumer.wait_ended error=%s", error)
            self._give_up()
            return
        self._heard_until = time.monotonic() + wait_ms / 1000 + _PATIENCE_S

    def _give_up(self) -> None:
        """Both connections are opened anew, and the next call asks for all that is held."""
        self._listening.close()
        self._connection.close()
        self._heard_until, self.is_idle = 0.0, False
        self._partitions[self._turn].resync = True


class GreenletConsumer(WideConsumer):
    """The same in greenlets, where timeouts are kept by the loop and not by the kernel."""

    line = HeldConnection
