"""
Sending jobs: numbered calls on a connection that one thread holds.

A call whose reply was lost is sent again with the same number, so that it has one effect at
most. What cannot be known is said: `Uncertain` where a request may have arrived, `NotSent` where
certainly none has.

What happens when Redis is gone: the call is repeated on new connections until
``call_timeout`` has passed, then it raises. It never hangs. A process that forked has a sender
of its own; so has each thread.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final, NoReturn, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from beatline.durability import check_durability, wait_for_copies
from beatline.errors import (
    NotSent,
    RedisUnavailable,
    WrongUse,
)
from beatline.failures import certain, code_of, described, may_have_run, uncertain
from beatline.keys import prefix
from beatline.line import Line
from beatline.packing import ReadyJobCall
from beatline.routing import NOW, Durability
from beatline.settings import Settings
from beatline.store.enqueuing import pack_enqueue, read_enqueued
from beatline.wire.connection import LOST, Endpoint, HeldConnection
from beatline.wire.refusals import PASSING
from beatline.wire.scripts import Script, script

T = TypeVar("T")

_log = logging.getLogger("beatline.sender")

#: (id, due, record) of one job.
Posting = tuple[bytes, str, bytes]

#: Positions of jobs whose ids were taken.
Refused = tuple[int, ...]

#: First pause between two attempts, seconds, and the longest.
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
#: A connection that rested so long is looked at before it is used, seconds: a server that has
#: closed it meanwhile would leave us uncertain without need.
_REST_S: Final = 1.0
#: The server forgets a call's number after one to two hours; repeating it is refused earlier.
_REPEATABLE_S: Final = 3_000.0
#: A clock that was read so long ago is read again, seconds: the server's may have been set.
_CLOCK_AGE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """
    One numbered call.

    Attributes:
        packed: Its bytes.
        ids: Ids of its jobs.
        durability: How far it must get.
        made: ``time.monotonic()`` when it was made.
        begun: The same when it was last begun: a repeat has its own time.
    """

    packed: bytes
    ids: tuple[bytes, ...]
    durability: Durability | None
    made: float
    begun: float


class Sender:
    """
    One thread's way to Redis: enqueues by numbered calls, and asks questions.

    Args:
        endpoint: Where Redis is.
        settings: Namespace, partitions and timeouts.
        of_this_thread: The sender of whatever thread calls it; repeats may be made anywhere.
    """

    def __init__(
        self, endpoint: Endpoint, settings: Settings, of_this_thread: Callable[[], Sender]
    ) -> None:
        self.settings = settings
        self._of_this_thread = of_this_thread
        self.pid = os.getpid()
        self.prefixes = [prefix(settings.namespace, p) for p in range(settings.partitions)]
        self.endpoint = endpoint
        self._connection = Line(endpoint)
        self._timeout_s = settings.call_timeout_ms / 1000
        self._name = os.urandom(8)
        self._number = 0
        self._ready_calls: dict[int, ReadyJobCall] = {}
        self._turn = random.randrange(settings.partitions)
        #: Between sending and the end of receiving: an exception of a signal leaves it true.
        self._is_open = False
        #: From then on the connection is looked at before it is used, monotonic seconds.
        self._rested_at = 0.0
        #: The server's clock in ms, as text, and ``time.monotonic()`` when it was told.
        self._clock: tuple[bytes | int, float] = (0, float("-inf"))

    def next_partition(self) -> int:
        """The partition of the next new job: they take turns."""
        if len(self.prefixes) == 1:
            return 0
        self._turn = (self._turn + 1) % len(self.prefixes)
        return self._turn

    def enqueue(
        self,
        partition: int,
        jobs: Sequence[Posting],
        *,
        check: bool = False,
        durability: Durability | None = None,
    ) -> Refused:
        """
        Enqueue jobs of one partition: all of them, or none.

        Args:
            partition: Where they go.
            jobs: What goes.
            check: Their ids are a caller's own, and may be taken.
            durability: How far they must get before this returns.

        Returns:
            Positions of jobs whose ids were taken.

        Raises:
            NotSent: Nothing was enqueued (`ServerRefused`: the server said no).
            Uncertain: The reply was lost; ``repeat()`` finds out.
            NotDurable: Enqueued, but not on as many copies as asked.
        """
        packed = pack_enqueue(self.prefixes[partition], self._name, self._next(), jobs, check)
        return self._send(packed, jobs, durability)

    def numbered(self, partition: int, jobs: Sequence[Posting]) -> Call:
        """A call for new jobs of one partition; whoever carries it out, its effect is one."""
        packed = pack_enqueue(self.prefixes[partition], self._name, self._next(), jobs, False)
        now = monotonic()
        return Call(packed, tuple(job[0] for job in jobs), None, now, now)

    def enqueue_ready(self, partition: int, raw_id: bytes, record: bytes) -> None:
        """As `enqueue`, for one new job that is ready at once."""
        number = self._next()
        if Script.injected_now_us:
            self.enqueue(partition, ((raw_id, NOW, record),))
            return
        call = self._ready_calls.get(partition)
        if call is None:
            call = ReadyJobCall(self.prefixes[partition], self._name)
            self._ready_calls[partition] = call
        self._send(call.pack(number, raw_id, record), ((raw_id, NOW, record),), None)

    def _next(self) -> int:
        """The number of the next call."""
        if self._is_open:
            self.begin_anew()
        self._number = number = self._number + 1
        return number

    def _send(
        self, packed: bytes, jobs: Sequence[Posting], durability: Durability | None
    ) -> Refused:
        begun = monotonic()
        failure: BaseException | None = None
        if begun < self._rested_at and not self._is_open and not durability:
            # The usual case without detours: they would cost as much as the rest of the call.
            self._is_open = True
            try:
                reply = self._connection.exchange(packed)
            except NoScriptError:
                self._is_open = False
            except (NotSent, ResponseError, *LOST) as error:
                failure = error
            else:
                return self._answered(reply)
        call = Call(packed, tuple(job[0] for job in jobs), durability, begun, begun)
        return self.carry_out(call, failure)

    def carry_out(self, call: Call, failure: BaseException | None = None) -> Refused:
        """
        Send a call until it is answered or its time is over.

        Args:
            call: What is sent.
            failure: What has become of a first attempt.
        """
        if call.durability == "fsync":
            self.ask(check_durability)
        return self._until_answered(lambda: self._attempt(call), call, failure=failure)

    def ask(self, question: Callable[[HeldConnection], T], timeout_s: float | None = None) -> T:
        """
        The answer to something that may be asked twice, such as a look or a cancel.

        Raises:
            NotSent: No answer within ``call_timeout``, or the server said no.
        """

        def attempt() -> T:
            return question(self._connection)

        return self._until_answered(attempt, None, timeout_s)

    def server_now_ms(self) -> int:
        """The server's clock, UTC ms, carried on by our own monotonic one."""
        told, at = self._clock
        if monotonic() - at > _CLOCK_AGE_S:
            seconds, micros = self.ask(lambda connection: connection.call("TIME"))
            told, at = int(seconds) * 1000 + int(micros) // 1000, monotonic()
            self._clock = (told, at)
        return int(told) + int((monotonic() - at) * 1000)

    def open(self) -> None:
        """
        Connect now, without a second attempt.

        Raises:
            NotSent: No server accepts connections there (`ServerRefused`: it refuses us).
        """
        try:
            self._connection.connect()
        except NotSent as error:
            code = code_of(error)
            if code not in PASSING:
                self._give_up(error, code, None, lost=False)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def _attempt(self, call: Call) -> Refused:
        connection = self._connection
        try:
            reply = connection.exchange(call.packed)
        except NoScriptError:
            # NOSCRIPT proves that nothing was run.
            connection.call("SCRIPT", "LOAD", script("enqueue").source)
            reply = connection.exchange(call.packed)
        if call.durability:
            wait_for_copies(connection, call.durability, call.ids, self.endpoint.reply_timeout_ms)
        return self._answered(reply)

    def _answered(self, reply: Any) -> Refused:
        now = monotonic()
        self._is_open = False
        self._rested_at = now + _REST_S
        self._clock = (reply[2], now)
        return read_enqueued(reply).refused if reply[1] else ()

    def _until_answered(
        self,
        attempt: Callable[[], T],
        call: Call | None,
        timeout_s: float | None = None,
        failure: BaseException | None = None,
    ) -> T:
        begun = monotonic() if call is None else call.begun
        deadline = begun + (self._timeout_s if timeout_s is None else timeout_s)
        pause_s, lost = _FIRST_PAUSE_S, False
        if failure is None and (self._is_open or begun >= self._rested_at):
            self._look_at_connection()
        while True:
            if failure is None:
                self._is_open = True
                try:
                    return self._done(attempt())
                except (NotSent, ResponseError, *LOST) as error:
                    failure = error
                except (WrongUse, RedisUnavailable):
                    # The answer was read to its end, and is not good enough. (Other errors of
                    # ours come out of a signal's handler, between any two lines.)
                    self._is_open = False
                    raise
            code = code_of(failure)
            lost = lost or may_have_run(failure, code)
            _log.info("sender.repeats redis=%s error=%s", self.endpoint.safe_url, failure)
            self._connection.close()
            self._is_open = False
            if code is not None and code not in PASSING:
                self._give_up(failure, code, call, lost=lost)
            if deadline - monotonic() <= pause_s:
                self._give_up(failure, code, call, lost=lost)
            time.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self._shorten_waits(deadline - monotonic())
            failure = None

    def _done(self, answer: T) -> T:
        self._is_open = False
        self._rested_at = monotonic() + _REST_S
        if self._connection.endpoint is not self.endpoint:
            self._restore_waits()
        return answer

    def begin_anew(self) -> None:
        """
        Send under another name from here on, because the last call is not known to have ended.

        Its number thus remains the last one of the old name, and it can be decided whether it
        was carried out. (A signal's handler that sends in the middle of our own call would
        otherwise make the server take that call for an old one.)
        """
        self._name, self._number = os.urandom(8), 0
        self._ready_calls.clear()

    def _look_at_connection(self) -> None:
        """Drop a connection that was left in the middle of a call, or that the server closed."""
        if self._is_open or self._connection.is_stale():
            self._connection.close()
        self._is_open = False

    def _shorten_waits(self, remaining_s: float) -> None:
        most_ms = max(int(remaining_s * 1000), 1)
        self._connection.endpoint = replace(
            self.endpoint,
            connect_timeout_ms=min(self.endpoint.connect_timeout_ms, most_ms),
            reply_timeout_ms=min(self.endpoint.reply_timeout_ms, most_ms),
        )

    def _restore_waits(self) -> None:
        if self._connection.endpoint != self.endpoint:
            # Its socket has the short timeouts of the last attempts.
            self._connection.close()
        self._connection.endpoint = self.endpoint

    def _give_up(
        self, error: BaseException, code: str | None, call: Call | None, *, lost: bool
    ) -> NoReturn:
        self._restore_waits()
        where = self.endpoint.safe_url
        if lost and call is not None:
            self.begin_anew()
            raise uncertain(
                call.ids, where, error, lambda: self._of_this_thread().repeat(call)
            ) from error
        if code is None and isinstance(error, NotSent):
            raise error
        raise certain(where, error) from error

    def repeat(self, call: Call) -> Refused:
        """
        Send a call again whose reply was lost, whoever sent it first.

        Raises:
            RedisUnavailable: Too late: the server may have forgotten its number.
        """
        if monotonic() - call.made > _REPEATABLE_S:
            raise RedisUnavailable(
                f"{described(call.ids)}: too late to repeat the call",
                remedy="look the job up by its id: app.jobs.get(id)",
            )
        return self.carry_out(replace(call, begun=monotonic()))
