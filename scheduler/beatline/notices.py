"""
Hearing of a job's end: a subscription that each thread holds.

The notice is only a hint to look; what counts is what lies in Redis. So a notice that is lost
with its connection delays an answer by a few seconds at most, and never falsifies it.

What happens when Redis is gone: the wait goes on, with a new connection as soon as there is one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from redis.exceptions import ResponseError

from beatline.errors import NotSent, ServerRefused
from beatline.wire.connection import LOST, HeldConnection, pack
from beatline.wire.refusals import PASSING, REMEDIES, refusal_code

if TYPE_CHECKING:
    from beatline.app import App

T = TypeVar("T")

_log = logging.getLogger("beatline.notices")

#: Longest wait without a look, seconds: the net under a notice that got lost.
LOOK_EVERY_S: Final = 5.0
#: Pauses between attempts to reach Redis, seconds.
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class Subscription(HeldConnection):
    """One thread's connection that listens to one channel at a time."""

    def listen(self, channel: bytes) -> None:
        """Listen to a channel; when this returns, no later notice on it is missed."""
        self.send(pack("SUBSCRIBE", channel))
        self._await(b"subscribe", channel)

    def leave(self, channel: bytes) -> None:
        """Stop listening."""
        self.send(pack("UNSUBSCRIBE", channel))
        self._await(b"unsubscribe", channel)

    def hears(self, channel: bytes, limit_s: float) -> bool:
        """Wait for a notice on a channel; False when the time is over."""
        deadline = time.monotonic() + limit_s
        while True:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or not self._connection.can_read(timeout=remaining_s):
                return False
            kind, where, *_ = self.receive()
            if kind == b"message" and where == channel:
                return True

    def _await(self, kind: bytes, channel: bytes) -> None:
        while True:
            told, where, *_ = self.receive()
            if told == kind and where == channel:
                return


def await_notice(
    app: App, channel: bytes, look: Callable[[float | None, bool], T | None], limit_s: float | None
) -> T | None:
    """
    Look, and look again with each notice on a channel, until there is something to see.

    Args:
        app: Whose Redis.
        channel: Where the notice comes.
        look: What is waited for, or None while it is not there; is given the seconds left, and
            whether a notice is waited for from then on.
        limit_s: Longest wait; None without limit.

    Returns:
        What ``look`` found; None when the time is over.

    Raises:
        NotSent: The first look did not succeed; later it is only waited longer.
    """
    deadline = None if limit_s is None else time.monotonic() + limit_s
    found = look(limit_s, False)
    pause_s, is_warned = 0.0, False
    while found is None and _left(deadline) > 0:
        try:
            return _listen(app.subscription(), channel, look, deadline)
        except (NotSent, ResponseError, *LOST) as error:
            code = refusal_code(error)
            if code is not None and code not in PASSING:
                raise ServerRefused(
                    f"Redis refused to tell of the end of a job: {error}",
                    code=code,
                    remedy=REMEDIES.get(code, "see the server's log"),
                ) from error
            if pause_s and not is_warned:
                is_warned = True
                _log.warning("notices.waits_for_redis error=%s", error)
        time.sleep(min(pause_s, _left(deadline)))
        pause_s = min(2 * pause_s or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
    return found


def _listen(
    subscription: Subscription,
    channel: bytes,
    look: Callable[[float | None, bool], T | None],
    deadline: float | None,
) -> T | None:
    try:
        # The order matters: an end after this line is told, one before it is seen.
        subscription.listen(channel)
        found = look(_left(deadline), True)
        while found is None and _left(deadline) > 0:
            subscription.hears(channel, min(LOOK_EVERY_S, _left(deadline)))
            found = look(_left(deadline), True)
        subscription.leave(channel)
    except BaseException:
        # What is still to come on this connection would be taken for something else.
        subscription.close()
        raise
    return found


def _left(deadline: float | None) -> float:
    """Seconds that are left; infinitely many without a deadline."""
    return float("inf") if deadline is None else max(deadline - time.monotonic(), 0.0)
