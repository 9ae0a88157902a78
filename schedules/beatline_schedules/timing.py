"""From the keys that say when to a timetable: each problem at the value that it lies in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers import Exclusions, Timetable, build_timetable, build_trigger, zone
from beatline.triggers.cron_fields import FIVE_FIELDS, read_field, split_expression
from beatline.triggers.reading import read_moment_ms
from beatline_schedules.calendars import Calendars
from beatline_schedules.document import Mapping, Node, Scalar, Sequence
from beatline_schedules.given import Given, read_given
from beatline_schedules.keys import DETAILS, MEMBER_KEYS, TRIGGER_NAMES
from beatline_schedules.problem import Place, shown
from beatline_schedules.reader import Reader

Spec = dict[str, Any]

_WORD: Final = re.compile(r"\S+")


class Timing:
    """
    Builds the timetables of one file.

    Args:
        reader: Reads values and reports problems.
        calendars: The file's named calendars.
    """

    def __init__(self, reader: Reader, calendars: Calendars) -> None:
        self._reader = reader
        self._report = reader.report
        self._calendars = calendars

    def timetable(self, name: str, place: Place, given: dict[str, Given]) -> Timetable | None:
        """
        The timetable of one schedule.

        Args:
            name: The schedule's name.
            place: Where the schedule is declared, for what is missing.
            given: Its keys, with defaults filled in.

        Returns:
            None where there were problems.
        """
        # With a zone that is a problem, the rest is checked as if it were UTC.
        timezone = (given["timezone"].value if "timezone" in given else None) or "UTC"
        spec = self._trigger(name, place, given, timezone)
        bounds = self._bounds(given, timezone)
        if spec is None or bounds is None:
            return None
        if "timezone" in given:
            spec["timezone"] = timezone
        return self._joined(name, given, spec, bounds)

    def _joined(
        self, name: str, given: dict[str, Given], spec: Spec, bounds: Spec
    ) -> Timetable | None:
        try:
            timetable = build_timetable({**spec, **bounds}, name)
        except InvalidTrigger:
            self._blame(name, given, spec, bounds)
            return None
        place = self._trigger_of(given).node
        for remark in timetable.remarks():
            message, _, remedy = remark.partition("; ")
            self._report.remark(place, message, remedy)
        return timetable

    def _blame(self, name: str, given: dict[str, Given], spec: Spec, bounds: Spec) -> None:
        """Find the key with which the timetable can't be built, by adding one after the other."""
        place: Node = self._trigger_of(given).node
        for key, value in [("", None), *bounds.items()]:
            if key:
                place, spec = given[key].node, {**spec, key: value}
            try:
                build_timetable(spec, name)
            except InvalidTrigger as error:
                self._report.problem(place, error.message, error.remedy)
                return

    def _trigger_of(self, given: dict[str, Given]) -> Given:
        return next(entry for key, entry in given.items() if key in TRIGGER_NAMES)

    def _trigger(
        self, name: str, place: Place, given: dict[str, Given], timezone: str
    ) -> Spec | None:
        """The trigger's part of the spec: the one trigger key and what goes with it."""
        kinds = [key for key in given if key in TRIGGER_NAMES]
        kinds.sort(key=lambda key: (given[key].key.line, given[key].key.column))
        if not kinds:
            self._report.problem(
                place,
                f"{shown(name)} does not say when it fires",
                f"add one of {', '.join(TRIGGER_NAMES)}",
            )
            return None
        for second in kinds[1:]:
            if given[second].value is None:
                continue
            self._report.problem(
                given[second].key,
                f"{shown(name)} has two triggers, {kinds[0]} and {second}",
                "keep one, or join them with any: [{…}, {…}]",
            )
        kind = kinds[0]
        spec, sound = {kind: given[kind].value}, len(kinds) == 1
        for detail in DETAILS:
            if detail.name not in given:
                continue
            if detail.with_trigger != kind:
                self._report.problem(
                    given[detail.name].key,
                    f"{detail.name} goes with {detail.with_trigger}, not with {kind}",
                    "remove it",
                )
                sound = False
                continue
            spec[detail.name] = given[detail.name].value
        sound = sound and all(value is not None for value in spec.values())
        if given[kind].value is None:
            return None
        checked = self._checks[kind](self, name, given, spec, timezone)
        return checked if sound else None

    def _check_cron(
        self, name: str, given: dict[str, Given], spec: Spec, zone_: str
    ) -> Spec | None:
        try:
            build_trigger({**spec, "timezone": zone_}, name)
        except InvalidTrigger as error:
            if not self._blame_fields(name, spec["cron"], given["cron"].node):
                place = given["second"] if error.message.startswith("second") else given["cron"]
                self._report.problem(place.node, error.message, error.remedy)
            return None
        return spec

    def _blame_fields(self, name: str, expression: str, node: Node) -> bool:
        """Tell each field that can't be read at its own place; whether there was one."""
        try:
            fields = split_expression(expression)
        except InvalidTrigger:
            return False
        has_bad = False
        words = list(_WORD.finditer(node.text)) if isinstance(node, Scalar) else []
        for index, (kind, text) in enumerate(zip(FIVE_FIELDS, fields, strict=True)):
            try:
                read_field(kind, text, name)
            except InvalidTrigger as error:
                has_bad = True
                place: Place = node
                if isinstance(node, Scalar) and len(words) == len(FIVE_FIELDS):
                    place = node.spot(words[index].start())
                self._report.problem(place, error.message, error.remedy)
        return has_bad

    def _check_every(
        self, name: str, given: dict[str, Given], spec: Spec, zone_: str
    ) -> Spec | None:
        if (
            spec.get("anchor") is not None
            and self._moment(given["anchor"], "anchor", zone_) is None
        ):
            return None
        return self._built(name, given["every"].node, spec, zone_)

    def _check_calendar(
        self, name: str, given: dict[str, Given], spec: Spec, zone_: str
    ) -> Spec | None:
        def place_of(message: str) -> Node:
            """The value of the key that the message begins with."""
            node = given["calendar"].node
            value = node.value(message.partition(" ")[0]) if isinstance(node, Mapping) else None
            return value or node

        return self._built(name, place_of, spec, zone_)

    def _check_other(
        self, name: str, given: dict[str, Given], spec: Spec, zone_: str
    ) -> Spec | None:
        kind = next(iter(spec))
        return self._built(name, given[kind].node, spec, zone_)

    def _check_any(self, name: str, given: dict[str, Given], spec: Spec, zone_: str) -> Spec | None:
        node = given["any"].node
        listed = self._reader.sequence(node, "any", 'any: [{cron: "0 9 * * *"}, {every: 1h}]')
        if listed is None:
            return None
        if not listed.items:
            self._report.problem(node, "any is an empty list", "list one trigger or more")
            return None
        members = [
            self._member(name, item, f"any[{index}]", zone_)
            for index, item in enumerate(listed.items)
        ]
        spec["any"] = members
        return self._built(name, node, spec, zone_) if all(members) else None

    def _member(self, name: str, item: Node, where: str, zone_: str) -> Spec | None:
        mapping = self._reader.mapping(item, where, '{cron: "0 9 * * *"} or {every: 1h}')
        if mapping is None:
            return None
        known = dict(MEMBER_KEYS)
        before = self._report.noted
        given = read_given(self._reader, mapping, known, where)
        timezone = (given["timezone"].value if "timezone" in given else None) or zone_
        spec = self._trigger(f"{name}.{where}", mapping, given, timezone)
        if spec is None or self._report.noted > before:
            return None
        return {**spec, "timezone": timezone} if "timezone" in given else spec

    def _built(
        self, name: str, place: Node | Callable[[str], Node], spec: Spec, zone_: str
    ) -> Spec | None:
        """The spec, if a trigger can be built from it."""
        if any(value is None for value in spec.values()):
            return None
        try:
            build_trigger({**spec, "timezone": zone_}, name)
        except InvalidTrigger as error:
            at = place(error.message) if callable(place) else place
            self._report.problem(at, error.message, error.remedy)
            return None
        return spec

    def _bounds(self, given: dict[str, Given], timezone: str) -> Spec | None:
        """``start``, ``end``, ``jitter`` and ``exclude``, each checked on its own."""
        bounds: Spec = {}
        for key in ("start", "end"):
            if key in given:
                bounds[key] = self._moment(given[key], key, timezone)
        if "jitter" in given:
            bounds["jitter"] = given["jitter"].value
        if "exclude" in given:
            bounds["exclude"] = self._exclusions(given["exclude"].node, timezone)
        return None if any(value is None for value in bounds.values()) else bounds

    def _moment(self, given: Given, key: str, timezone: str) -> str | None:
        if given.value is None:
            return None
        try:
            read_moment_ms(given.value, key, zone(timezone))
        except InvalidTrigger as error:
            self._report.problem(given.node, error.message, error.remedy)
            return None
        return str(given.value)

    def _exclusions(self, node: Node, timezone: str) -> list[Any] | None:
        items = node.items if isinstance(node, Sequence) else [node]
        entries: list[Any] = [self._exclusion(item, timezone) for item in items]
        return None if any(entry is None for entry in entries) else entries

    def _exclusion(self, item: Node, timezone: str) -> str | dict[str, Any] | None:
        text = self._reader.text(item, "exclude", dates=True)
        if text is None:
            return None
        if text in self._calendars:
            return self._calendars.exclusion(text, timezone)
        try:
            Exclusions([text])
        except InvalidTrigger as error:
            if any(char.isdigit() for char in text):
                self._report.problem(item, error.message, error.remedy)
            else:
                self._report.problem(
                    item,
                    f"exclude names {shown(text)}, which is no calendar of this file",
                    self._calendars.remedy(text),
                )
            return None
        return text

    _checks: Final = {
        "cron": _check_cron,
        "every": _check_every,
        "calendar": _check_calendar,
        "at": _check_other,
        "rrule": _check_other,
        "any": _check_any,
    }
