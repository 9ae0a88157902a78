"""
The time that a test decides: all scripts of this process are told it instead of the server's own.

Everything that matters is decided in scripts, and they take their time from one argument (G9). So
moving this clock moves the world: schedules, ETAs, retries, expiry. Only one can be on at a time;
the injected time holds for the whole process, also for other threads and apps.

Redis itself does not know: the lifetimes of its keys (results) run on real time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from beatline.errors import WrongUse
from beatline.settings import Duration
from beatline.units import duration_ms, instant_ms, moment_of
from beatline.wire.scripts import Script


class ManualClock:
    """
    A clock that stands still until it is moved; it is on inside ``with``.

    Args:
        start: Where it begins: an aware datetime.
        followers: Called with the time, as an aware datetime in UTC, by `tell_followers`:
            ``move_to`` of freezegun's frozen time, for example.

    Raises:
        InvalidSetting: The datetime has no time zone.
    """

    def __init__(
        self, start: datetime, *, followers: tuple[Callable[[datetime], object], ...] = ()
    ) -> None:
        self._now_ms = instant_ms(start)
        self._followers = followers
        self._is_on = False

    @property
    def now_ms(self) -> int:
        """UTC milliseconds."""
        return self._now_ms

    @property
    def now(self) -> datetime:
        """An aware datetime in UTC."""
        return moment_of(self._now_ms)

    def move_to_ms(self, now_ms: int) -> None:
        """
        Set the clock.

        Args:
            now_ms: Not before now: time goes one way.

        Raises:
            WrongUse: It lies before now.
        """
        if now_ms < self._now_ms:
            raise WrongUse(
                f"the clock stands at {self.now.isoformat()} and cannot go back to"
                f" {moment_of(now_ms).isoformat()}",
                remedy="take another clock, which starts there",
            )
        self._now_ms = now_ms
        if self._is_on:
            Script.injected_now_us = now_ms * 1_000

    def move_to(self, moment: datetime) -> None:
        """Set the clock to an aware datetime."""
        self.move_to_ms(instant_ms(moment))
        self.tell_followers()

    def advance(self, duration: Duration) -> None:
        """Set the clock on by a duration: seconds, "2h", or a timedelta."""
        self.move_to_ms(self._now_ms + duration_ms(duration))
        self.tell_followers()

    def tell_followers(self) -> None:
        """Call the followers with the time."""
        for follow in self._followers:
            follow(self.now)

    def __enter__(self) -> Self:
        if Script.injected_now_us:
            raise WrongUse(
                "another manual clock is on, at"
                f" {moment_of(Script.injected_now_us // 1_000).isoformat()}",
                remedy="leave its `with` first: the time holds for the whole process",
            )
        self._is_on = True
        Script.injected_now_us = self._now_ms * 1_000
        self.tell_followers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_on = False
        Script.injected_now_us = 0
