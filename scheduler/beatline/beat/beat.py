"""
Beat: the process that makes what is due ready, on time and once.

Any number of them run at the same time. Each one ticks the watch and reclaims; one leads each
partition, and promotes and fires; each puts its declarations in place. This module holds the loop
around the roles: connections, sleep, outages, and the end.

What happens when Redis is gone, restarted, demoted, full or silent: the round fails, all
connections are closed, and beat tries again with growing pauses, for as long as the patience it was
given; it ends then with exit code 3, so that whoever runs it can move it elsewhere. When the
process is paused: another beat leads, and time that no beat watched ages no lease. When the clock
of this machine jumps: nothing; Redis's clock decides, and the monotonic one measures sleep.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from redis.exceptions import RedisError, ResponseError

from beatline.beat.back_off import BackOff
from beatline.beat.freezing import Freezer
from beatline.beat.keeper import DeclarationKeeper
from beatline.beat.partition_round import LONGEST_US, PartitionRound
from beatline.beat.roles import Cast
from beatline.beat.sleeper import NudgeLine, Sleeper, sharpen_timers
from beatline.beat.statistics import Statistics
from beatline.declared import DeclaredSet
from beatline.errors import BeatlineError, NotSent, RedisUnavailable
from beatline.keys import prefix
from beatline.line import Line
from beatline.occurrence_jobs import RegisteredTask
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.settings import Settings
from beatline.version import __version__
from beatline.wire.connection import LOST, Endpoint
from beatline.wire.fitness import check_server, claim_namespace
from beatline.wire.refusals import REMEDIES, refusal_code
from beatline.wire.scripts import all_scripts

_log = logging.getLogger("beatline.beat")

#: How long beat tries to get a round through before it gives up, ms.
PATIENCE_MS: Final = 300_000
#: Shortest time between two lines about the same outage, seconds.
_OUTAGE_LINE_S: Final = 10.0
#: What a round fails with when Redis cannot be used.
_OUTAGE: Final = (*LOST, NotSent, RedisError)


class AppLike(Protocol):
    """What beat needs of an app."""

    @property
    def settings(self) -> Settings:
        """Its settings."""
        ...

    @property
    def tasks(self) -> Mapping[str, RegisteredTask]:
        """Its registered tasks by name."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """
    Whether beat gets its work done.

    Attributes:
        age_ms: Age of the last round that went through and wrote; before the first one, the time
            since the start.
        has_run: Whether any round has gone through.
        leads: Numbers of the partitions that this beat leads.
        outage: What Redis refuses or fails with at present; empty where it does not.
    """

    age_ms: int
    has_run: bool
    leads: tuple[int, ...]
    outage: str


class Beat:
    """
    One beat.

    Args:
        app: An app, whose tasks say in which queue their jobs go; or settings alone.
        endpoint: Where Redis is.
        declared: Schedules to be kept live: a `DeclaredSet`, or schedules, which are in charge of
            their own sources.
        patience_ms: How long an outage may last before `run_until` gives up.
        owns_process: Nothing else lives in this process. What beat knows of schedules is then
            taken from the garbage collector's sight: a full collection of ten thousand of them
            would hold everything up for 100 ms. The thread that calls `run_until` sleeps exactly.
        started: Called once, when the first round has gone through.
    """

    def __init__(
        self,
        app: AppLike | Settings,
        endpoint: Endpoint,
        declared: DeclaredSet | Iterable[Schedule] = (),
        *,
        patience_ms: int = PATIENCE_MS,
        owns_process: bool = False,
        started: Callable[[], None] | None = None,
    ) -> None:
        self._settings = app if isinstance(app, Settings) else app.settings
        self._tasks = {} if isinstance(app, Settings) else app.tasks
        self._endpoint = endpoint
        self._patience_s = patience_ms / 1_000
        self._started = started
        self._owns_process = owns_process
        self._freezer = Freezer(owns_process)
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.statistics = Statistics()
        self._connection = Line(endpoint)
        self._sleeper = Sleeper()
        self._back_off = BackOff()
        self._last_success = time.monotonic()
        self._has_run = self._has_stopped = False
        self._is_prepared = False
        self._outage = ""
        self._outage_since = 0.0
        self._line_at = float("-inf")
        books = ScheduleBooks(self._connection, self._settings.namespace, self._settings.partitions)
        self._keeper = DeclarationKeeper(books, _declared_set(declared))
        about = {"host": socket.gethostname(), "pid": str(os.getpid()), "version": __version__}
        cast = Cast(self._connection, self._settings, self._tasks, self.id, about, self.statistics)
        self._rounds = [
            PartitionRound(
                self._connection, prefix(self._settings.namespace, number), cast.roles(number)
            )
            for number in range(self._settings.partitions)
        ]
        self._lines = [NudgeLine(endpoint, one.prefix) for one in self._rounds]

    def run_until(self, stop: threading.Event) -> int:
        """
        Work until told to stop, by the event or by `stop`.

        Args:
            stop: Looked at once a second at least; `wake` makes beat look at once.

        Returns:
            Exit code: 0 where it was told to stop, 3 where Redis could not be used for too long.

        Raises:
            UnfitServer: The server would lose jobs.
            InvalidSetting: The namespace has another number of partitions.
        """
        _log.info(
            "beat.started beat=%s redis=%s namespace=%s",
            self.id,
            self._endpoint.safe_url,
            self._settings.namespace,
        )
        self._freezer.begin()
        if self._owns_process:
            sharpen_timers()
        try:
            while not stop.is_set() and not self._has_stopped:
                if not self._turn():
                    return RedisUnavailable.exit_code
            self._leave()
            return 0
        finally:
            self._close()

    def stop(self) -> None:
        """Let `run_until` end. May be called from any thread, and from a signal handler."""
        self._has_stopped = True
        self._sleeper.ring()

    def wake(self) -> None:
        """End beat's present sleep. May be called from any thread, and from a signal handler."""
        self._sleeper.ring()

    def declare(self, declared: DeclaredSet | Iterable[Schedule]) -> None:
        """Keep another set live from the next round on. May be called from any thread."""
        self._keeper.replace(_declared_set(declared) or DeclaredSet(()))
        self._sleeper.ring()

    @property
    def health(self) -> Health:
        """Whether beat gets its work done; may be read from any thread."""
        return Health(
            age_ms=int((time.monotonic() - self._last_success) * 1_000),
            has_run=self._has_run,
            leads=tuple(number for number, one in enumerate(self._rounds) if one.is_leader),
            outage=self._outage,
        )

    def _turn(self) -> bool:
        """One round and the sleep after it; False where patience has run out."""
        try:
            seconds = self._round()
            self._note_success()
            if seconds > 0:
                self._sleeper.sleep(self._led_lines(), seconds)
        except _OUTAGE as error:
            return self._bear(error)
        return True

    def _round(self) -> float:
        """All partitions once; seconds until the next round is due."""
        if not self._is_prepared:
            self._prepare()
        if self._keeper.run():
            self._freezer.note_declared()
            for one in self._rounds:
                one.roles.known.start_over()
        seconds = LONGEST_US / 1_000_000
        for one in self._rounds:
            seconds = min(seconds, one.run())
            if one.roles.watcher.was_reset:
                self._keeper.note_reset()
                self._is_prepared = False
                seconds = 0.0
        self.statistics.count("rounds")
        return seconds

    def _prepare(self) -> None:
        """What has to hold before the first round, and again when Redis has lost its data."""
        with self._endpoint.client() as client:
            if not self._has_run:
                for warning in check_server(client):
                    _log.warning("beat.doubtful_server problem=%s", warning)
            claim_namespace(client, self._settings.namespace, self._settings.partitions)
        for script in all_scripts():
            self._connection.call("SCRIPT", "LOAD", script.source)
        self._is_prepared = True

    def _led_lines(self) -> list[NudgeLine]:
        """The nudges of the partitions that this beat leads; the others are not listened to."""
        led = []
        for one, line in zip(self._rounds, self._lines, strict=True):
            if one.is_leader:
                led.append(line)
            elif line.is_listening:
                line.close()
        return led

    def _note_success(self) -> None:
        self._last_success = time.monotonic()
        self._freezer.run()
        if self._outage:
            _log.info("beat.recovered attempts=%d", self._back_off.failures)
            self._outage = ""
            self._back_off.reset()
        if not self._has_run:
            self._has_run = True
            if self._started is not None:
                self._started()

    def _bear(self, error: Exception) -> bool:
        """Close, tell, and wait before the next attempt; False where patience has run out."""
        self._close_connections()
        now = time.monotonic()
        if not self._outage:
            # Not since the last success: this process may have been paused for longer.
            self._outage_since = now
        self.statistics.count("outages" if not self._outage else "failed_attempts")
        silent_s = now - self._outage_since
        code = refusal_code(error) if isinstance(error, ResponseError) else None
        remedy = getattr(error, "remedy", "") or REMEDIES.get(code or "", "")
        if not self._outage or now >= self._line_at:
            self._line_at = now + _OUTAGE_LINE_S
            _log.warning(
                "beat.outage error=%s since_s=%.1f remedy=%s",
                error.message if isinstance(error, BeatlineError) else _text(error),
                silent_s,
                remedy or "beat goes on by itself when Redis answers again",
            )
        self._outage = _text(error)
        if silent_s > self._patience_s:
            _log.error(
                "beat.gives_up after_s=%.0f error=%s remedy=%s",
                silent_s,
                self._outage,
                "see why Redis cannot be used from here; the supervisor should start beat again",
            )
            return False
        self._sleeper.sleep([], self._back_off.next_s())
        return True

    def _leave(self) -> None:
        """Let another beat lead at once; if Redis is gone, it will in any case."""
        try:
            for one in self._rounds:
                one.roles.leadership.resign()
        except _OUTAGE as error:
            _log.info("beat.left_without_resigning error=%s", error)
        _log.info("beat.stopped beat=%s", self.id)

    def _close_connections(self) -> None:
        self._connection.close()
        for line in self._lines:
            line.close()
        for one in self._rounds:
            one.lose()

    def _close(self) -> None:
        self._close_connections()
        self._sleeper.close()


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _declared_set(declared: DeclaredSet | Iterable[Schedule]) -> DeclaredSet | None:
    """The set, or None where nothing is declared: nothing is removed then either."""
    if isinstance(declared, DeclaredSet):
        return declared
    schedules = list(declared)
    return DeclaredSet.of(schedules) if schedules else None
