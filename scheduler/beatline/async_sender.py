"""
Sending jobs from an event loop: numbered calls, one under way at a time, that callers share.

Jobs that are sent while a call is under way, or in the same turn of the loop, go together in the
next one. One call is under way at a time, because the server remembers the last number of a
sender only: a later call that arrives makes it take an earlier one, whose refusal was lost, for
carried out. Questions may be under way beside it.

What happens when Redis is gone: a call is repeated under its number on new connections until its
``call_timeout`` has passed. Calls behind it wait, each no longer than its own time, and fail as not
sent. A caller that is cancelled stops waiting: its job is left out if it has not gone yet, and
may be enqueued otherwise. Nothing else notices. A loop that ends closes the connection.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from beatline.async_calls import CallKind, Posting, Refused, SharedCall
from beatline.errors import NotSent, RedisUnavailable
from beatline.failures import certain, code_of, described, may_have_run, uncertain
from beatline.keys import prefix
from beatline.rehearsal import Rehearsal, ReplyMissingError
from beatline.settings import Settings
from beatline.store.enqueuing import pack_enqueue, read_enqueued
from beatline.wire.async_line import AsyncLine, open_line
from beatline.wire.connection import LOST, Endpoint, HeldConnection
from beatline.wire.refusals import PASSING
from beatline.wire.scripts import script

T = TypeVar("T")

_log = logging.getLogger("beatline.async_sender")

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


class AsyncSender:
    """
    One event loop's way to Redis.

    Args:
        endpoint: Where Redis is.
        settings: Namespace, partitions and timeouts.
        of_this_loop: The sender of whatever loop calls it; repeats may be made anywhere.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: Settings,
        of_this_loop: Callable[[], Awaitable[AsyncSender]],
    ) -> None:
        self.endpoint = endpoint
        self.prefixes = [prefix(settings.namespace, p) for p in range(settings.partitions)]
        #: The partition of new jobs: it changes from call to call.
        self.partition = random.randrange(settings.partitions)
        self._of_this_loop = of_this_loop
        self._loop = asyncio.get_running_loop()
        self._timeout_s = settings.call_timeout_ms / 1000
        #: A call that has waited longer for its turn may not wait a whole reply's timeout.
        self._patience_s = max((settings.call_timeout_ms - endpoint.reply_timeout_ms) / 1000, 0.25)
        self._line: AsyncLine | None = None
        self._connecting = asyncio.Lock()
        self._name, self._number = os.urandom(8), 0
        self._queued: deque[SharedCall] = deque()
        #: Calls that others may join.
        self._open: dict[CallKind, SharedCall] = {}
        #: A call is under way, or about to be.
        self._is_busy = False
        self._current: SharedCall | None = None
        self._rescue: asyncio.Task[None] | None = None
        #: From then on the connection is looked at before it is used, on the loop's clock.
        self._rested_at = 0.0
        #: The server's clock in ms, and ``time.monotonic()`` when it was told.
        self._clock: tuple[bytes | int, float] = (0, float("-inf"))

    def close(self) -> None:
        """Close the connection; a call that is under way opens another."""
        if self._line is not None:
            self._line.close()

    # --- sending --------------------------------------------------------------------------------

    def enqueue(
        self, kind: CallKind, jobs: Sequence[Posting], size: int
    ) -> asyncio.Future[Refused]:
        """
        Enqueue jobs: all of them, or none.

        Args:
            kind: Their partition, and whether their ids are a caller's own.
            jobs: What goes; at most so many as fit into one call.
            size: Bytes of their records.

        Returns:
            Positions of jobs whose ids were taken. Instead it raises `NotSent` where nothing was
            enqueued, `Uncertain` where the reply was lost; its ``repeat()`` is awaited.
        """
        now = self._loop.time()
        call = self._open.get(kind)
        if call is None or not call.takes(jobs, size, now):
            call = self._open[kind] = SharedCall(kind, now, monotonic())
            self._line_up(call)
        future: asyncio.Future[Refused] = self._loop.create_future()
        call.add(jobs, size, future)
        return future

    async def repeat(self, lost: SharedCall) -> Refused:
        """
        Send a call again whose reply was lost, whoever sent it first.

        Returns:
            Positions of refused jobs among all of the call.

        Raises:
            RedisUnavailable: Too late: the server may have forgotten its number.
        """
        if monotonic() - lost.made > _REPEATABLE_S:
            raise RedisUnavailable(
                f"{described([job[0] for job in lost.jobs])}: too late to repeat the call",
                remedy="look the job up by its id: app.jobs.get(id)",
            )
        call = lost.again(self._loop.time())
        future: asyncio.Future[Refused] = self._loop.create_future()
        call.await_all(future)
        self._line_up(call)
        return await future

    def _line_up(self, call: SharedCall) -> None:
        self._queued.append(call)
        if not self._is_busy:
            self._is_busy = True
            # Whoever sends in this turn of the loop joins.
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Send the next call; only when none is under way."""
        while self._queued:
            call = self._queued.popleft()
            if self._open.get(call.kind) is call:
                del self._open[call.kind]
                self.partition = (self.partition + 1) % len(self.prefixes)
            if call.packed is None:
                call.leave_out_cancelled()
            if not call.jobs:
                continue
            if not self._is_ready(call):
                self._carry_out(call, None)
                return
            self._current = call
            assert self._line is not None
            self._line.request(self._bytes_of(call), self._hear)
            return
        self._is_busy = False

    def _is_ready(self, call: SharedCall) -> bool:
        """Whether a call may go the short way: there is a sound connection, and time enough."""
        line, now = self._line, self._loop.time()
        if line is None or not line.is_usable or now - call.begun > self._patience_s:
            return False
        if now >= self._rested_at and line.is_stale():
            line.close()
            return False
        return True

    def _bytes_of(self, call: SharedCall) -> bytes:
        if call.packed is None:
            self._number += 1
            partition, check = call.kind
            call.packed = pack_enqueue(
                self.prefixes[partition], self._name, self._number, call.jobs, check
            )
        return call.packed

    def _hear(self, reply: Any) -> None:
        """The reply to the call that is under way, or what came in its place."""
        call, self._current = self._current, None
        assert call is not None
        if isinstance(reply, Exception):
            # NOSCRIPT proves that nothing was run.
            self._carry_out(call, None if isinstance(reply, NoScriptError) else reply)
            return
        call.tell(self._answered(reply))
        self._go_on()

    def _answered(self, reply: Any) -> Refused:
        self._rested_at = self._loop.time() + _REST_S
        self._clock = (reply[2], monotonic())
        return read_enqueued(reply).refused if reply[1] else ()

    # --- when something is wrong ----------------------------------------------------------------

    def _carry_out(self, call: SharedCall, failure: BaseException | None) -> None:
        """Send a call until it is answered, beside whatever else the loop does."""
        if failure is not None and not call.waiting():
            self._begin_anew()
            self._go_on()
            return
        self._rescue = self._loop.create_task(self._until_told(call, failure))
        self._rescue.add_done_callback(lambda rescue: self._rescued(call, rescue))

    async def _until_told(self, call: SharedCall, failure: BaseException | None) -> None:
        deadline = call.begun + self._timeout_s

        async def attempt() -> Refused:
            line = await self._usable_line(deadline)
            packed = self._bytes_of(call)
            try:
                reply = await line.exchange(packed, deadline - self._loop.time())
            except NoScriptError:
                await line.call("SCRIPT", "LOAD", script("enqueue").source)
                reply = await line.exchange(packed, deadline - self._loop.time())
            return self._answered(reply)

        try:
            call.tell(await self._until_answered(attempt, deadline, failure))
        except _GivenUpError as given_up:
            self._tell_failure(call, given_up)

    def _rescued(self, call: SharedCall, rescue: asyncio.Task[None]) -> None:
        error = None if rescue.cancelled() else rescue.exception()
        if rescue.cancelled() or error is not None:
            # Somebody has cancelled all tasks of the loop, or this is a fault of ours.
            self._begin_anew()
        for future, _, _ in call.waiting():
            if error is not None:
                future.set_exception(error)
            else:
                future.cancel()
        self._go_on()

    def _begin_anew(self) -> None:
        """
        Send under another name from here on, because the last call is not known to have ended.

        Its number thus remains the last one of the old name, so that it can be repeated.
        """
        self._name, self._number = os.urandom(8), 0

    def _tell_failure(self, call: SharedCall, given_up: _GivenUpError) -> None:
        where, cause = self.endpoint.safe_url, given_up.cause
        if given_up.is_lost:
            self._begin_anew()
        for future, first, end in call.waiting():
            error: RedisUnavailable
            if given_up.is_lost:
                ids = [job[0] for job in call.jobs[first:end]]
                error = uncertain(ids, where, cause, self._repeat_of(call, first, end))
            else:
                error = certain(where, cause)
            error.__cause__ = cause
            future.set_exception(error)

    def _repeat_of(
        self, call: SharedCall, first: int, end: int
    ) -> Callable[[], Awaitable[Refused]]:
        async def repeat() -> Refused:
            sender = await self._of_this_loop()
            refused = await sender.repeat(call)
            return tuple(at - first for at in refused if first <= at < end)

        return repeat

    async def _until_answered(
        self,
        attempt: Callable[[], Awaitable[T]],
        deadline: float,
        failure: BaseException | None = None,
    ) -> T:
        """
        The first answer to attempts.

        Raises:
            _GivenUpError: None before the deadline, or the server refused.
        """
        pause_s, is_lost = _FIRST_PAUSE_S, False
        while True:
            if failure is None:
                try:
                    return await attempt()
                except (NotSent, ResponseError, *LOST) as error:
                    failure = error
            code = code_of(failure)
            is_lost = is_lost or may_have_run(failure, code)
            _log.info("async_sender.repeats redis=%s error=%s", self.endpoint.safe_url, failure)
            if code is not None and code not in PASSING:
                raise _GivenUpError(failure, is_lost)
            if code is not None:
                # Another connection may lead to a server that is ready.
                self.close()
            if deadline - self._loop.time() <= pause_s:
                raise _GivenUpError(failure, is_lost)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            failure = None

    async def _usable_line(self, deadline: float) -> AsyncLine:
        """The connection; made where there is none."""
        async with self._connecting:
            line = self._line
            limit_s = deadline - self._loop.time()
            if limit_s <= 0:
                raise NotSent(
                    f"Redis at {self.endpoint.safe_url} has not answered earlier calls in time",
                    remedy="see whether the server is up and reachable",
                )
            if line is None or not line.is_usable:
                limit_s = min(limit_s, self.endpoint.connect_timeout_ms / 1000)
                line = self._line = await open_line(self.endpoint, limit_s, AsyncLine)
            return line

    # --- asking ---------------------------------------------------------------------------------

    async def ask(
        self, question: Callable[[HeldConnection], T], timeout_s: float | None = None
    ) -> T:
        """
        The answer to something that may be asked twice, such as a look or a cancel.

        Args:
            question: Is called again with each reply that it waits for, so it must do nothing
                else than ask; see `beatline.rehearsal`.
            timeout_s: Longest wait, if shorter than ``call_timeout``.

        Raises:
            NotSent: No answer in time, or the server said no.
        """

        limit_s = self._timeout_s if timeout_s is None else timeout_s
        deadline = self._loop.time() + limit_s

        async def attempt() -> T:
            rehearsal = Rehearsal(self.endpoint)
            line = await self._usable_line(deadline)
            while True:
                try:
                    return rehearsal.answer(question)
                except ReplyMissingError as missing:
                    packed, source = missing.packed, missing.source
                try:
                    reply = await line.exchange(packed, deadline - self._loop.time())
                except NoScriptError:
                    await line.call("SCRIPT", "LOAD", source)
                    reply = await line.exchange(packed, deadline - self._loop.time())
                rehearsal.add(reply)

        try:
            return await self._until_answered(attempt, deadline)
        except _GivenUpError as given_up:
            raise certain(self.endpoint.safe_url, given_up.cause) from given_up.cause

    async def server_now_ms(self) -> int:
        """The server's clock, UTC ms, carried on by our own monotonic one."""
        told, at = self._clock
        if monotonic() - at > _CLOCK_AGE_S:
            seconds, micros = await self.ask(lambda connection: connection.call("TIME"))
            told, at = int(seconds) * 1000 + int(micros) // 1000, monotonic()
            self._clock = (told, at)
        return int(told) + int((monotonic() - at) * 1000)


class _GivenUpError(Exception):
    """No attempt has succeeded: the last failure, and whether one may have taken effect."""

    def __init__(self, cause: BaseException, is_lost: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.is_lost = is_lost
