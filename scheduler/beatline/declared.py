"""
What is declared against what is live: the plan, and its application.

`plan_changes` is pure: it compares declarations with stored schedules and says what would change.
A declared set is *in charge* of sources, such as the files of a folder: live schedules from these
sources that are declared no more are removed, and those from other sources are left alone, unless
they are taken over by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from beatline.errors import BeatlineError
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.store.applying import Refusal, Removal
from beatline.store.scheduling import DECLARED, StoredSchedule, pack_definition


class Difference(StrEnum):
    """What applying a declaration does to one schedule."""

    #: It is new.
    ADD = "add"
    #: Its definition, its pause or its owner changes.
    CHANGE = "change"
    #: It was declared by a source in our charge, and is declared no more.
    REMOVE = "remove"
    #: It is live as declared.
    UNTOUCHED = "untouched"
    #: Another source owns the name; nothing is done.
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Change:
    """
    What happens to one schedule.

    Attributes:
        name: Its name.
        difference: What applying does.
        declared: As declared, or None where it is not.
        live: As stored, or None where it is not.
        next_ms: Next nominal fire time afterwards, or None.
        fields: Names of the fields that differ, for changes.
        owner: The source that owns it now, where another one declares it.
    """

    name: str
    difference: Difference
    declared: Schedule | None = None
    live: StoredSchedule | None = None
    next_ms: int | None = None
    fields: tuple[str, ...] = ()
    owner: str = ""

    @property
    def old_next_ms(self) -> int | None:
        """Next nominal fire time before."""
        return self.live.next_ms if self.live else None


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """The difference between declared and live, by name."""

    changes: tuple[Change, ...]

    def of(self, difference: Difference) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.difference is difference]

    @property
    def is_empty(self) -> bool:
        """Whether applying would do nothing."""
        quiet = (Difference.UNTOUCHED, Difference.FOREIGN)
        return all(change.difference in quiet for change in self.changes)


@dataclass(frozen=True, slots=True)
class Applied:
    """
    What applying a plan did.

    Attributes:
        plan: What was to be done.
        refused: Names that stood in the way, with the reason. If there is any, nothing was done.
    """

    plan: SchedulePlan
    refused: dict[str, str] = field(default_factory=dict)

    def count(self, difference: Difference) -> int:
        """How many schedules were changed in this way."""
        return 0 if self.refused else len(self.plan.of(difference))


@dataclass(frozen=True, slots=True)
class DeclaredSet:
    """
    Schedules that are declared together.

    Attributes:
        schedules: The declarations; names are unique.
        files: Sources in charge, as they stand in `Schedule.source`; those of the declarations
            always are.
        folders: Beginnings of further sources in charge, such as ``file:schedules/``.
        taken_over: Names that are taken over from whichever source owns them.
    """

    schedules: tuple[Schedule, ...]
    files: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    taken_over: frozenset[str] = frozenset()

    @classmethod
    def of(cls, schedules: Iterable[Schedule]) -> DeclaredSet:
        """A set that is in charge of its schedules' sources, and of no others."""
        return cls(tuple(schedules))

    def is_in_charge_of(self, source: str) -> bool:
        """Whether schedules of this source are removed when they are declared no more."""
        if source in self.files or any(source == one.source for one in self.schedules):
            return True
        return any(
            source.startswith(folder) and "/" not in source[len(folder) :]
            for folder in self.folders
        )

    def plan(self, books: ScheduleBooks) -> SchedulePlan:
        """What applying this set would do now."""
        return self._planned(books)[0]

    def apply(self, books: ScheduleBooks) -> Applied:
        """
        Carry out the plan: all of it, or, where anything stands in the way, nothing.

        Returns:
            What was done, or which schedules belong to other sources.

        Raises:
            ResponseError: The server refused, as when its memory is full; nothing was changed.

        *Retry-safe*: yes. *Atomicity*: the set, see `ScheduleBooks.apply`.
        """
        plan, live = self._planned(books)
        refused = {
            change.name: f"declared by {change.owner}" for change in plan.of(Difference.FOREIGN)
        }
        if refused:
            return Applied(plan, refused)
        kinds = (Difference.ADD, Difference.CHANGE)
        refusals = books.apply(
            _declared_in(change for kind in kinds for change in plan.of(kind)),
            [
                Removal(change.name, change.live.source if change.live else "")
                for change in plan.of(Difference.REMOVE)
            ],
            untouched=_declared_in(plan.of(Difference.UNTOUCHED)),
            live=live,
            taken_over={change.name for change in plan.changes if change.owner},
        )
        return Applied(plan, {refusal.name: _reason(refusal) for refusal in refusals})

    def _planned(self, books: ScheduleBooks) -> tuple[SchedulePlan, dict[str, StoredSchedule]]:
        live = books.read_all()
        now_ms = books.now_ms()
        owned = {stored.source for stored in live.values()}
        plan = plan_changes(
            self.schedules,
            live,
            in_charge_of={source for source in owned if self.is_in_charge_of(source)},
            taken_over=self.taken_over,
            next_of=lambda schedule, stored: books.next_fire(schedule, stored, now_ms)[0],
            is_current=books.is_current,
        )
        return plan, live


#: Gives the next nominal fire time with which a declaration starts.
NextOf = Callable[[Schedule, StoredSchedule | None], int | None]


def plan_changes(
    declared: Sequence[Schedule],
    live: Mapping[str, StoredSchedule],
    *,
    in_charge_of: Collection[str],
    next_of: NextOf,
    is_current: Callable[[StoredSchedule], bool],
    taken_over: Collection[str] = (),
) -> SchedulePlan:
    """
    The difference between declared and live.

    Args:
        declared: All declarations of the set.
        live: All stored schedules by name.
        in_charge_of: Sources whose schedules the set adds, changes and removes.
        next_of: Computes the next fire time of a declaration.
        is_current: Whether a stored next fire time was computed with zones as new as ours.
        taken_over: Names that are changed whoever owns them.
    """
    changes: list[Change] = []
    for schedule in declared:
        stored = live.get(schedule.name)
        changes.append(_change(schedule, stored, in_charge_of, taken_over, next_of, is_current))
    names = {schedule.name for schedule in declared}
    for name, stored in sorted(live.items()):
        if name not in names and stored.source in in_charge_of:
            changes.append(Change(name, Difference.REMOVE, live=stored))
    return SchedulePlan(tuple(changes))


def _change(
    schedule: Schedule,
    stored: StoredSchedule | None,
    in_charge_of: Collection[str],
    taken_over: Collection[str],
    next_of: NextOf,
    is_current: Callable[[StoredSchedule], bool],
) -> Change:
    name = schedule.name
    if stored is None:
        return Change(name, Difference.ADD, schedule, next_ms=next_of(schedule, None))
    owner = "" if stored.source == schedule.source else stored.source
    if owner and owner not in in_charge_of and name not in taken_over:
        return Change(name, Difference.FOREIGN, schedule, stored, stored.next_ms, owner=owner)
    fields = _differing_fields(schedule, stored)
    if not fields and not owner and is_current(stored):
        return Change(name, Difference.UNTOUCHED, schedule, stored, stored.next_ms)
    next_ms = next_of(schedule, stored)
    return Change(name, Difference.CHANGE, schedule, stored, next_ms, fields, owner)


def _differing_fields(schedule: Schedule, stored: StoredSchedule) -> tuple[str, ...]:
    pause = ("paused",) if _pause_differs(schedule, stored) else ()
    if stored.definition == pack_definition(schedule):
        return pause
    try:
        before = stored.schedule().definition()
    except BeatlineError:
        return ("definition",)
    after = schedule.definition()
    differing = sorted(
        key
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and key not in ("source", "paused")
    )
    return (*differing, *pause)


def _pause_differs(schedule: Schedule, stored: StoredSchedule) -> bool:
    """Whether declaring it puts it to rest or lets it go on; a pause by hand stays."""
    if stored.is_set_aside:
        return True
    if not stored.paused or stored.paused == DECLARED:
        return bool(stored.paused) != schedule.paused
    return False


def _declared_in(changes: Iterable[Change]) -> list[Schedule]:
    return [change.declared for change in changes if change.declared is not None]


def _reason(refusal: Refusal) -> str:
    if refusal.decided_ms is None:
        return f"declared by {refusal.owner}"
    return "it fires faster than it can be changed; pause it first"
