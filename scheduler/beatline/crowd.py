"""
Threads that send at once: in a crowd they share calls.

A lone thread, or a few, send on connections of their own, as ever. Where many are inside ``delay``
at the same time, one call is under way at a time; the jobs that come meanwhile wait, and one of
their threads sends them all in the next call. The server's time per job falls to a third, and
so does the time that threads spend waiting for it and for Python's lock. Far servers are left out:
where the way there takes longer than the work, more calls under way are better than fewer.

What happens when Redis is gone: who has waited a quarter of a second for the next call sends
alone, with all its time before it. A shared call that fails is told to each of its threads as if
it had been its own: `NotSent`, or `Uncertain` with its own id. A thread that is interrupted in the
middle of a shared call leaves it to the others, who repeat it under its number.

A process that forked has a crowd of its own.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from time import monotonic
from typing import Final

from beatline.errors import RedisUnavailable, Uncertain
from beatline.failures import twin_of, uncertain
from beatline.routing import NOW
from beatline.sender import Call, Posting, Sender
from beatline.settings import Settings
from beatline.store.enqueuing import LARGEST_CALL

#: Threads inside that make a crowd. Fewer gain nothing: measured with 4 threads, sharing took half
#: as much CPU again, for waking each other; with 8 it broke even, from 12 on it won.
_CROWD: Final = 12
#: A server whose fastest answers take longer is far, seconds.
_FAR_S: Final = 0.0005
#: By how much the fastest answer is forgotten with each call.
_FORGET: Final = 1.001
#: Longest wait for the next call, seconds: then a thread sends alone, and has not lost much.
_TURN_S: Final = 0.25
#: Calls that a thread makes for others before it passes that on: it wants to go home, too.
_ROUNDS: Final = 8
#: Most bytes of records in one call, as for `beatline.posting`.
_CALL_BYTES: Final = 1 << 20


class _Waiting:
    """
    A thread that waits for others to send its job.

    Attributes:
        told: Released when ``outcome`` is there.
        outcome: None while nothing is known; see below.
        call: The shared call that carries the job.
    """

    __slots__ = ("call", "job", "outcome", "partition", "told")

    def __init__(self, partition: int, job: Posting) -> None:
        self.partition = partition
        self.job = job
        self.told = Lock()
        self.told.acquire()
        self.outcome: str | RedisUnavailable | None = None
        self.call: Call | None = None

    def tell(self, outcome: str | RedisUnavailable) -> None:
        """Say what became of it, or what its thread has to do."""
        self.outcome = outcome
        self.told.release()


#: The job is enqueued.
_SENT: Final = "sent"
#: It is this thread's turn to send what waits.
_LEAD: Final = "lead"
#: Whoever led was interrupted before anything was sent.
_ALONE: Final = "alone"
#: Whoever sent the call was interrupted: repeat it.
_REPEAT: Final = "repeat"


class Crowd:
    """
    The threads of a process that send jobs of one app.

    Args:
        settings: Of their senders.

    Attributes:
        is_over: Somebody has waited in vain: make another one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pid = os.getpid()
        self.is_over = False
        #: One entry for each thread inside; appending is atomic, counting up is not.
        self._inside: deque[None] = deque()
        #: Held by the thread that sends.
        self._line = Lock()
        self._queue: deque[_Waiting] = deque()
        #: The fastest answer of late.
        self._shortest_s = float("inf")
        #: Longest that a call takes which is under way.
        self._call_s = settings.call_timeout_ms / 1000 + 0.25

    def enqueue(self, sender: Sender, partition: int, raw_id: bytes, record: bytes) -> None:
        """
        As `Sender.enqueue_ready`, alone or together with others.

        Args:
            sender: This thread's.
            partition: Where the job goes.
            raw_id: Its id, a new one.
            record: Its record.
        """
        inside = self._inside
        inside.append(None)
        try:
            if len(inside) < _CROWD or self._shortest_s > _FAR_S:
                self._send_alone(sender, partition, raw_id, record)
            elif self._line.acquire(False):
                begun = monotonic()
                try:
                    self._send_alone(sender, partition, raw_id, record)
                except BaseException:
                    self._pass_on()
                    raise
                self._serve(sender, begun)
            else:
                self._join(sender, _Waiting(partition, (raw_id, NOW, record)))
        finally:
            inside.pop()

    def _send_alone(self, sender: Sender, partition: int, raw_id: bytes, record: bytes) -> None:
        begun = monotonic()
        sender.enqueue_ready(partition, raw_id, record)
        self._shortest_s = min(monotonic() - begun, self._shortest_s * _FORGET)

    # --- waiting --------------------------------------------------------------------------------

    def _join(self, sender: Sender, waiting: _Waiting) -> None:
        """Have a job sent by whoever sends next, which may be this thread."""
        self._queue.append(waiting)
        is_alone = False
        try:
            if self._line.acquire(False):
                # Whoever held it has left before it could see us.
                self._withdraw(waiting)
                self._lead(sender, waiting)
            while not (is_alone := self._leaves(waiting)):
                if waiting.outcome is _SENT:
                    return
                if waiting.outcome is not _LEAD:
                    break
                self._lead(sender, waiting)
        except BaseException:
            # An exception of a signal: nobody may wait for us to lead. (Where it strikes between
            # two lines of ours, the others wait for `_TURN_S` in vain, and go alone.)
            if waiting.outcome is None and not self._withdraw(waiting):
                waiting.told.acquire(timeout=self._call_s)
            if waiting.outcome is _LEAD:
                self._pass_on()
            raise
        if is_alone or waiting.outcome is _ALONE:
            sender.enqueue_ready(waiting.partition, waiting.job[0], waiting.job[2])
        else:
            self._make_up_for(sender, waiting)

    def _make_up_for(self, sender: Sender, waiting: _Waiting) -> None:
        """What has become of a job whose call went wrong."""
        if isinstance(waiting.outcome, RedisUnavailable):
            raise waiting.outcome
        if waiting.call is None:
            cause = RedisUnavailable("the thread that sent it has vanished")
            raise uncertain([waiting.job[0]], sender.endpoint.safe_url, cause, None)
        sender.carry_out(replace(waiting.call, begun=monotonic()))

    def _leaves(self, waiting: _Waiting) -> bool:
        """Wait to be told; true where the turn takes too long, and the job goes alone."""
        if waiting.told.acquire(timeout=_TURN_S):
            return False
        if self._withdraw(waiting):
            self.is_over = True
            return True
        if not waiting.told.acquire(timeout=self._call_s):
            self.is_over = True
            waiting.outcome = _REPEAT
        return False

    def _withdraw(self, waiting: _Waiting) -> bool:
        """Leave the queue; false where somebody has taken the job out of it."""
        try:
            self._queue.remove(waiting)
        except ValueError:
            return False
        return True

    # --- leading: only who holds the line ---------------------------------------------------------

    def _lead(self, sender: Sender, waiting: _Waiting) -> None:
        """Send what waits, our own job before all others."""
        waiting.outcome = None
        self._queue.appendleft(waiting)
        self._serve(sender, monotonic())

    def _serve(self, sender: Sender, begun: float) -> None:
        """Send what waits, a few times and while all goes well, and pass the line on."""
        try:
            for _ in range(_ROUNDS):
                # No call is begun so late that it could end after our own caller's time.
                if not self._queue or monotonic() - begun > _TURN_S:
                    break
                if not self._send_together(sender):
                    break
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while True:
            try:
                heir = self._queue.popleft()
            except IndexError:
                self._line.release()
                # Who came between these two lines has seen the line held.
                if not self._queue or not self._line.acquire(False):
                    return
            else:
                heir.tell(_LEAD)
                return

    def _send_together(self, sender: Sender) -> bool:
        """Send the head of the queue in one call; whether it was carried out."""
        taken: list[_Waiting] = []
        call: Call | None = None
        try:
            self._take(taken)
            if not taken:
                return False
            call = sender.numbered(taken[0].partition, [waiting.job for waiting in taken])
            for waiting in taken:
                waiting.call = call
            sender.carry_out(call)
        except RedisUnavailable as error:
            for waiting in taken:
                waiting.tell(_own(error, waiting, sender))
            return False
        except BaseException:
            # The number is decided by those who repeat it: nothing later may overtake it.
            sender.begin_anew()
            for waiting in taken:
                waiting.call = call
                waiting.tell(_ALONE if call is None else _REPEAT)
            raise
        # Spelled out: it is done for every job.
        for waiting in taken:
            waiting.outcome = _SENT
            waiting.told.release()
        return True

    def _take(self, taken: list[_Waiting]) -> None:
        """Move the head of the queue into a list: what may go in one call."""
        queue, size = self._queue, 0
        with suppress(IndexError):  # The queue is empty; asking before would not make that sure.
            while len(taken) < LARGEST_CALL:
                waiting = queue.popleft()
                size += len(waiting.job[2])
                if taken and (size > _CALL_BYTES or waiting.partition != taken[0].partition):
                    queue.appendleft(waiting)
                    return
                taken.append(waiting)


def _own(error: RedisUnavailable, waiting: _Waiting, sender: Sender) -> RedisUnavailable:
    """A shared call's failure, as the thread of one of its jobs is told."""
    if isinstance(error, Uncertain) and error.repeat is not None:
        cause = error.__cause__ or error
        own: RedisUnavailable = uncertain(
            [waiting.job[0]], sender.endpoint.safe_url, cause, error.repeat
        )
    else:
        own = twin_of(error)
    own.__cause__ = error.__cause__
    return own
