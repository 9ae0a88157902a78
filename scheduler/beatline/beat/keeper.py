"""
The keeper of declarations: what is declared is live, from the start and after a FLUSHALL.

It applies the declared set before beat fires anything, so that a schedule that was just removed
is not caught up once more; again when the set is replaced; and again when the watch shows that
Redis has lost its data. In between it touches nothing: what a person removes stays removed until
the next start.

It also brings next fire times up to date that were computed with older time zones (SEMANTICS 2.8).

What happens when Redis is gone: `run` raises and is called again. When two beats declare the same:
the second one changes nothing. When they disagree: the one that applied last is right, and the
other lets it be. When another source owns a name: nothing of the set is applied, the log says so,
and the keeper tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

from redis.exceptions import ResponseError

from beatline.declared import Applied, DeclaredSet, Difference
from beatline.errors import BeatlineError
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.store.scheduling import StoredSchedule
from beatline.wire.refusals import REMEDIES, is_passing, refusal_code

_log = logging.getLogger("beatline.beat.keeper")

#: Rest before declarations that Redis refused are applied again, seconds.
_FAILED_PAUSE_S: Final = 5.0
#: Rest before a set is applied again in which another source's schedules stood, seconds: it takes
#: a person to change that.
_REFUSED_PAUSE_S: Final = 30.0
#: Refused schedules that are told by name.
_MOST_TOLD: Final = 10


class DeclarationKeeper:
    """
    Keeps a declared set live.

    Args:
        books: The namespace's schedules, on beat's working connection.
        declared: What is declared; None where nothing is.
        monotonic: The process's own clock, seconds.
    """

    def __init__(
        self,
        books: ScheduleBooks,
        declared: DeclaredSet | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._books = books
        self._declared = declared
        self._lock = threading.Lock()
        self._must_apply = True
        self._must_check = False
        self._is_first = True
        self._monotonic = monotonic
        self._apply_again_at: float | None = None

    def replace(self, declared: DeclaredSet) -> None:
        """Apply another set at the next round. May be called from any thread."""
        with self._lock:
            self._declared = declared
            self._must_apply = True

    def note_reset(self) -> None:
        """Redis may have lost its data: look at the next round."""
        with self._lock:
            self._must_check = True

    def run(self) -> bool:
        """Apply what is declared, if it is time to; whether anything may have changed."""
        with self._lock:
            if self._apply_again_at is not None and self._monotonic() >= self._apply_again_at:
                self._apply_again_at = None
                self._must_apply = True
            declared, applies, checks = self._declared, self._must_apply, self._must_check
            self._must_apply = self._must_check = False
        if not applies and not checks:
            return False
        try:
            if declared is not None and (applies or self._has_lost(declared)):
                self._apply(declared)
            if self._is_first:
                self._refresh()
        except BaseException:
            with self._lock:
                self._must_apply, self._must_check = self._must_apply or applies, checks
            raise
        self._is_first = False
        return True

    def _apply(self, declared: DeclaredSet) -> None:
        try:
            applied = declared.apply(self._books)
        except ResponseError as error:
            if is_passing(error):
                raise
            self._apply_again_at = self._monotonic() + _FAILED_PAUSE_S
            _log.error(
                "beat.declarations_failed count=%d error=%s remedy=%s",
                len(declared.schedules),
                error,
                REMEDIES.get(refusal_code(error) or "", "beat tries again every few seconds"),
            )
            return
        self._report(applied)
        if applied.refused:
            self._apply_again_at = self._monotonic() + _REFUSED_PAUSE_S

    def _has_lost(self, declared: DeclaredSet) -> bool:
        lost = self._books.missing([schedule.name for schedule in declared.schedules])
        if lost:
            _log.warning(
                "beat.schedules_lost missing=%d remedy=%s",
                len(lost),
                "Redis has lost data; what is declared is put back, other schedules are not",
            )
        return bool(lost)

    def _report(self, applied: Applied) -> None:
        for name, why in islice(sorted(applied.refused.items()), _MOST_TOLD):
            _log.warning(
                "beat.declaration_refused schedule=%s reason=%s remedy=%s",
                name,
                why,
                "rename one of the two, or take it over with `sched schedules apply --take-over`",
            )
        if applied.refused:
            _log.warning(
                "beat.declarations_refused refused=%d declared=%d remedy=%s",
                len(applied.refused),
                len(applied.plan.changes),
                "nothing of the set was changed; what is live goes on, and beat tries again",
            )
            return
        counts = {kind: applied.count(kind) for kind in Difference}
        changed = counts[Difference.ADD] + counts[Difference.CHANGE] + counts[Difference.REMOVE]
        _log.log(
            logging.INFO if changed or self._is_first else logging.DEBUG,
            "beat.declared added=%d changed=%d removed=%d untouched=%d",
            counts[Difference.ADD],
            counts[Difference.CHANGE],
            counts[Difference.REMOVE],
            counts[Difference.UNTOUCHED],
        )

    def _refresh(self) -> None:
        """
        Declare schedules again, as they are, whose next fire time comes from older zones.

        Also those that an older beat could not read and this one can.
        """
        outdated: dict[str, tuple[Schedule, StoredSchedule]] = {}
        for page in self._books.pages():
            for stored in page:
                if self._books.is_current(stored) and not stored.is_set_aside:
                    continue
                try:
                    outdated[stored.name] = (stored.schedule(), stored)
                except BeatlineError:
                    continue  # The firer sets it aside when it is due, or has done so.
        if not outdated:
            return
        answers = self._books.declare(
            [schedule for schedule, _ in outdated.values()],
            live={name: stored for name, (_, stored) in outdated.items()},
        )
        refused = [name for name, answer in answers.items() if isinstance(answer, ResponseError)]
        _log.info("beat.schedules_refreshed count=%d refused=%d", len(answers), len(refused))
