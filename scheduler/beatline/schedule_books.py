"""
The schedules of a namespace as one set, over all partitions.

A schedule lives in the partition of its name. These books find it there, compute the next fire
time that a new or changed declaration starts from, and read and write many schedules in few round
trips. They hold one connection and serve one thread; `beatline.schedules_api` is what users call,
and beat applies its declarations through them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from redis.exceptions import ResponseError

from beatline.ids import partition_of_name
from beatline.keys import prefix
from beatline.planner import first_next_ms, recomputed_next_ms
from beatline.schedule import Schedule
from beatline.store import schedule_reading, scheduling
from beatline.store.applying import Refusal, Removal, SetPart, apply_set, check_set, mend_set
from beatline.store.expecting import Alert, read_alerts
from beatline.store.scheduling import Declaration, Put, StoredSchedule, trigger_text
from beatline.triggers import tzdata_version
from beatline.wire.connection import HeldConnection

#: Schedules that one call adds, changes and removes: they hold Redis up for 15 µs each, 150 ms in
#: all, once for each set that differs so much.
WHOLE_SET: Final = 10_000
#: How often a set is planned anew because its schedules have fired on the way.
_MOST_ROUNDS: Final = 20


class ScheduleBooks:
    """
    Reads and changes the schedules of a namespace.

    Args:
        connection: Of the thread that uses the books.
        namespace: First part of every key.
        partitions: The namespace's number of partitions.
    """

    def __init__(self, connection: HeldConnection, namespace: str, partitions: int) -> None:
        self.connection = connection
        self._namespace = namespace
        self._partitions = partitions
        self._tzdata = tzdata_version()

    def prefix_of(self, name: str) -> bytes:
        """The key prefix of the partition in which a schedule of this name lives."""
        return prefix(self._namespace, partition_of_name(name, self._partitions))

    def pages(self) -> Iterator[list[StoredSchedule]]:
        """All schedules, page by page; one that changes meanwhile may come twice."""
        for partition in range(self._partitions):
            where = prefix(self._namespace, partition)
            for names in schedule_reading.names(self.connection, where):
                found = schedule_reading.read_many(self.connection, where, names)
                yield [stored for stored in found if stored is not None]

    def read_all(self) -> dict[str, StoredSchedule]:
        """All schedules by name."""
        return {stored.name: stored for page in self.pages() for stored in page}

    def read(self, name: str) -> StoredSchedule | None:
        """The schedule of this name, or None."""
        return schedule_reading.read_many(self.connection, self.prefix_of(name), [name])[0]

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of the names under which there is no schedule."""
        absent: list[str] = []
        for where, group in self._by_prefix(names).items():
            absent += schedule_reading.missing(self.connection, where, group)
        return absent

    def alerts(self) -> list[Alert]:
        """Schedules that have not succeeded within ``expect_within``, the oldest alert first."""
        prefixes = [prefix(self._namespace, one) for one in range(self._partitions)]
        found = [alert for where in prefixes for alert in read_alerts(self.connection, where)]
        return sorted(found, key=lambda alert: alert.raised_ms)

    def now_ms(self) -> int:
        """The server's clock."""
        return schedule_reading.server_time_us(self.connection) // 1_000

    def declare(
        self,
        schedules: Sequence[Schedule],
        *,
        live: dict[str, StoredSchedule] | None = None,
        taken_over: Collection[str] = (),
    ) -> dict[str, Put | ResponseError]:
        """
        Declare schedules: new ones are added, others changed where they differ.

        Args:
            schedules: What is declared; names are unique.
            live: What is stored under these names, where the caller has read it.
            taken_over: Names that are taken over from other sources.

        Returns:
            Name to what became of it; a server's error stands in its place.

        *Retry-safe*: yes. *Atomicity*: each schedule for itself, ``put_schedule.lua``.
        """
        if live is None:
            live = self._read_named([schedule.name for schedule in schedules])
        now_ms = self.now_ms()
        answers: dict[str, Put | ResponseError] = {}
        by_name = {schedule.name: schedule for schedule in schedules}
        for where, names in self._by_prefix(by_name).items():
            calls = [
                self._declaration(by_name[name], live.get(name), now_ms, name in taken_over)
                for name in names
            ]
            for name, answer in zip(
                names, scheduling.put_many(self.connection, where, calls), strict=True
            ):
                answers[name] = answer
                if isinstance(answer, Put) and answer.word == "PASSED":
                    takes_over = name in taken_over
                    answers[name] = self._declare_after(by_name[name], answer, takes_over)
        return answers

    def apply(
        self,
        changed: Sequence[Schedule],
        removals: Sequence[Removal],
        *,
        untouched: Sequence[Schedule] = (),
        live: dict[str, StoredSchedule],
        taken_over: Collection[str] = (),
    ) -> list[Refusal]:
        """
        Carry out a plan: all of it, or, where anything is refused, nothing.

        Args:
            changed: What is added and changed.
            removals: What goes.
            untouched: What is stored as declared; put back where index or timeline lack it.
            live: What the plan was made from.
            taken_over: Names that are taken over from other sources.

        Returns:
            What was refused.

        Raises:
            ResponseError: The server refused a call, and that call changed nothing.

        *Retry-safe*: yes. *Atomicity*: ``apply_schedules.lua``, for each partition and up to
        `WHOLE_SET` schedules. What is more than that is judged as a whole and applied in parts:
        what is cut short in between is completed by applying again.
        """
        now_ms = self.now_ms()
        stays = {
            one.name: self._declaration(one, live.get(one.name), now_ms, one.name in taken_over)
            for one in untouched
        }
        wanted = {
            one.name: self._declaration(one, live.get(one.name), now_ms, one.name in taken_over)
            for one in changed
        }
        for where, names in self._by_prefix(stays).items():
            for name in mend_set(self.connection, where, [stays[name] for name in names]):
                # Somebody has changed it since the plan was made.
                wanted[name] = stays[name]
        refusals: list[Refusal] = []
        for _ in range(_MOST_ROUNDS):
            refusals = self._apply_once(list(wanted.values()), removals)
            if not refusals or any(refusal.decided_ms is None for refusal in refusals):
                return refusals
            for refusal in refusals:
                wanted[refusal.name] = self._after(wanted[refusal.name], refusal.decided_ms)
        return refusals

    def _apply_once(
        self, declarations: Sequence[Declaration], removals: Sequence[Removal]
    ) -> list[Refusal]:
        parts: list[tuple[bytes, SetPart]] = []
        declared = {one.schedule.name: one for one in declarations}
        going = {one.name: one for one in removals}
        for where, names in self._by_prefix([*declared, *going]).items():
            for first in range(0, len(names), WHOLE_SET):
                page = names[first : first + WHOLE_SET]
                puts = [declared[name] for name in page if name in declared]
                parts.append((where, SetPart(puts, [going[one] for one in page if one in going])))
        if len(parts) > 1:
            judged = [check_set(self.connection, where, part) for where, part in parts]
            if refusals := [refusal for found in judged for refusal in found]:
                return refusals
        for where, part in parts:
            if refusals := apply_set(self.connection, where, part):
                return refusals
        return []

    def remove(self, name: str, source: str = "") -> Put:
        """Remove a schedule, only if ``source`` declared it unless that is empty."""
        return scheduling.remove(self.connection, self.prefix_of(name), name, source)

    def next_fire(
        self, schedule: Schedule, stored: StoredSchedule | None, now_ms: int
    ) -> tuple[int | None, int | None]:
        """
        The next nominal fire time with which a declaration would start, and when it is due.

        A schedule whose trigger stays keeps the stored one, unless zones have changed since; a new
        or changed one starts after now and after what was decided last.
        """
        decided_ms = stored.decided_ms if stored is not None else None
        if stored is None or self._starts_anew(schedule, stored):
            next_ms = first_next_ms(schedule, now_ms, decided_ms)
        elif self.is_current(stored):
            return stored.next_ms, stored.due_ms
        else:
            next_ms = recomputed_next_ms(schedule, stored.state())
        fired = stored.counters.get("fired", 0) if stored is not None else 0
        if next_ms is None or (schedule.max_runs is not None and fired >= schedule.max_runs):
            return None, None
        return next_ms, schedule.timetable.due_ms(next_ms)

    def is_current(self, stored: StoredSchedule) -> bool:
        """Whether its next fire time was computed with zones as new as this process's."""
        return stored.tzdata >= self._tzdata

    def _starts_anew(self, schedule: Schedule, stored: StoredSchedule) -> bool:
        return (
            stored.is_set_aside
            or stored.next_ms is None
            or stored.due_ms is None
            or stored.applied_ms is None
            or stored.trigger != trigger_text(schedule)
        )

    def _declaration(
        self, schedule: Schedule, stored: StoredSchedule | None, now_ms: int, takes_over: bool
    ) -> Declaration:
        next_ms, due_ms = self.next_fire(schedule, stored, now_ms)
        return Declaration(schedule, next_ms, due_ms, self._tzdata, takes_over)

    def _declare_after(self, schedule: Schedule, passed: Put, takes_over: bool) -> Put:
        """Declare again, from the fire time that somebody else has fired meanwhile."""
        planned = Declaration(schedule, None, None, self._tzdata, takes_over)
        declaration = self._after(planned, passed.decided_ms)
        return scheduling.put(self.connection, self.prefix_of(schedule.name), declaration)

    def _after(self, planned: Declaration, decided_ms: int | None) -> Declaration:
        """The same declaration, from the fire time on that follows the last decided one."""
        schedule = planned.schedule
        next_ms = first_next_ms(schedule, self.now_ms(), decided_ms)
        due_ms = None if next_ms is None else schedule.timetable.due_ms(next_ms)
        return planned._replace(next_ms=next_ms, due_ms=due_ms)

    def _read_named(self, names: Sequence[str]) -> dict[str, StoredSchedule]:
        found: dict[str, StoredSchedule] = {}
        for where, group in self._by_prefix(names).items():
            for stored in schedule_reading.read_many(self.connection, where, group):
                if stored is not None:
                    found[stored.name] = stored
        return found

    def _by_prefix(self, names: Iterable[str]) -> dict[bytes, list[str]]:
        groups: dict[bytes, list[str]] = {}
        for name in names:
            groups.setdefault(self.prefix_of(name), []).append(name)
        return groups
