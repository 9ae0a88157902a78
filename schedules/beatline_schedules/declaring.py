"""From one file's tree to declarations: schedules with the place where they are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from inspect import Signature
from pathlib import Path
from typing import Any, Final

from beatline.schedule import CatchUp, Schedule
from beatline.triggers import Timetable
from beatline.units import duration_text
from beatline_schedules.calendars import Calendars
from beatline_schedules.calls import check_arguments, check_queue_name, check_task
from beatline_schedules.document import Mapping as MappingNode
from beatline_schedules.document import Node, Scalar
from beatline_schedules.files import Start
from beatline_schedules.given import Given, read_given
from beatline_schedules.keys import (
    DETAILS,
    FIELDS,
    FILE_KEYS,
    FORMAT_VERSION,
    MAX_NAME_BYTES,
    OPTIONS,
    SCHEDULE_KEYS,
    TRIGGER_NAMES,
)
from beatline_schedules.problem import did_you_mean, shown
from beatline_schedules.reader import Reader
from beatline_schedules.timing import Timing

_DEFAULT_KEYS: Final = {name: key for name, key in SCHEDULE_KEYS.items() if key.in_defaults}


@dataclass(frozen=True, slots=True)
class Declaration:
    """
    A schedule as a file declares it.

    Attributes:
        schedule: The schedule.
        file: Path of the file, as it is told.
        line, column: Where its name stands, both counted from 1.
    """

    schedule: Schedule
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is known beside the file.

    Attributes:
        environ: What ``${NAME}`` is looked up in.
        task_names: Names of the app's tasks; None where no app is given.
        queue_names: Queues that are in use; None where that is not known.
        signatures: The tasks' functions' signatures by name.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    task_names: Collection[str] | None = None
    queue_names: Collection[str] | None = None
    signatures: Mapping[str, Signature] | None = None


class FileReading:
    """
    Reads the declarations of one file.

    Args:
        reader: Reads values and reports problems.
        folder: The folder of the file.
        known: What is known beside it.
    """

    def __init__(self, reader: Reader, folder: Path, known: Known) -> None:
        self._reader = reader
        self._report = reader.report
        self._folder = folder
        self._known = known
        self._timing = Timing(reader, Calendars(reader, folder, None))
        self._defaults: dict[str, Given] = {}
        #: The keys of all schedules, also of those with problems.
        self.names: list[Scalar] = []

    def declarations(self, root: Node | None) -> list[Declaration]:
        """The schedules of the file that have no problems; the others are in the report."""
        if root is None:
            self._report.problem(
                Start(), "the file declares no schedules", 'write "schedules: {}" if that is meant'
            )
            return []
        file = self._reader.mapping(root, "the file", '"schedules:" with schedules below it')
        if file is None:
            return []
        is_misspelt = self._check_file_keys(file)
        self._check_version(file)
        calendars = Calendars(self._reader, self._folder, file.value("calendars"))
        self._timing = Timing(self._reader, calendars)
        self._read_defaults(file)
        if is_misspelt and file.value("schedules") is None:
            return []
        return self._schedules(file)

    def _check_file_keys(self, file: MappingNode) -> bool:
        """Whether one of the unknown keys says where the schedules went."""
        is_misspelt = False
        for name, (key, node) in file.entries.items():
            if name in FILE_KEYS or name.startswith("x-"):
                continue
            remedy = did_you_mean(name, FILE_KEYS)
            if isinstance(node, MappingNode) and "task" in node.entries:
                remedy = 'schedules stand below the key "schedules:"'
            is_misspelt = is_misspelt or "schedules" in remedy
            self._report.problem(
                key,
                f"unknown key {shown(name)} at the top of the file",
                remedy or f"known are {', '.join(FILE_KEYS)}, and names that begin with x-",
            )
        return is_misspelt

    def _check_version(self, file: MappingNode) -> None:
        node = file.value("version")
        if node is None:
            return
        version = self._reader.integer(node, "version", 1, 1_000_000)
        if version is not None and version != FORMAT_VERSION:
            self._report.problem(
                node,
                f"version {version} of the file format is not known",
                f"write version: {FORMAT_VERSION}, or use a newer Beatline",
            )

    def _read_defaults(self, file: MappingNode) -> None:
        node = file.value("defaults")
        if node is None:
            return
        mapping = self._reader.mapping(node, "defaults", "defaults: {timezone: Europe/Berlin}")
        if mapping is None:
            return
        for name, (key, _) in mapping.entries.items():
            if name in SCHEDULE_KEYS and name not in _DEFAULT_KEYS:
                self._report.problem(
                    key, f"{name} cannot be a default", "write it in each schedule"
                )
        own = MappingNode(mapping.line, mapping.column)
        own.entries = {
            name: entry
            for name, entry in mapping.entries.items()
            if name in _DEFAULT_KEYS or name not in SCHEDULE_KEYS
        }
        self._defaults = read_given(self._reader, own, _DEFAULT_KEYS, "defaults")

    def _schedules(self, file: MappingNode) -> list[Declaration]:
        node = file.value("schedules")
        if node is None or (isinstance(node, Scalar) and self._reader.is_empty(node)):
            self._report.problem(
                node or Start(),
                "the file declares no schedules",
                'write "schedules: {}" if that is meant',
            )
            return []
        mapping = self._reader.mapping(
            node, "schedules", 'each schedule as "name: {task: …, cron: …}"'
        )
        if mapping is None:
            return []
        self.names = [key for key, _ in mapping.entries.values()]
        found = [self._declaration(key, value) for key, value in mapping.entries.values()]
        return [declaration for declaration in found if declaration]

    def _declaration(self, key: Scalar, node: Node) -> Declaration | None:
        before = self._report.noted
        name = self._name(key)
        mapping = self._reader.mapping(
            node, f"schedule {shown(key.text)}", "its keys below it: task, cron, …"
        )
        if mapping is None:
            return None
        own = read_given(self._reader, mapping, SCHEDULE_KEYS, f"schedule {shown(key.text)}")
        given = self._with_defaults(own)
        timetable = self._timing.timetable(key.text, key, given)
        task = given.get("task")
        if task is None:
            self._report.problem(
                key, f"schedule {shown(key.text)} has no task", 'add "task: …" with a task\'s name'
            )
        else:
            self._check_call(task, given)
        if "queue" in given:
            check_queue_name(self._report, given["queue"], self._known.queue_names)
        self._check_together(given)
        if timetable is not None:
            self._check_expectation(given, timetable)
        if name is None or timetable is None or self._report.noted > before:
            return None
        if any(entry.value is None for entry in given.values()):
            return None  # a default has a problem, which is told there
        schedule = Schedule(
            name=name,
            timetable=timetable,
            options=_options(given),
            source=f"file:{self._report.file}",
            **_fields(given),
        )
        return Declaration(schedule, self._report.file, key.line, key.column)

    def _name(self, key: Scalar) -> str | None:
        name = self._reader.key(key, "a schedule's name")
        if name is None:
            return None
        if len(name.encode()) > MAX_NAME_BYTES:
            self._report.problem(
                key, f"name {shown(name)} is longer than {MAX_NAME_BYTES} bytes", "shorten it"
            )
            return None
        if not name.isprintable() or name != name.strip():
            self._report.problem(
                key,
                f"name {shown(name)} holds control characters or begins or ends with a space",
                "use letters, digits and signs",
            )
            return None
        return name

    def _with_defaults(self, own: dict[str, Given]) -> dict[str, Given]:
        """The keys of a schedule, with those defaults that fit its trigger."""
        given = dict(own)
        kinds = [name for name in TRIGGER_NAMES if name in own]
        misfits = {detail.name for detail in DETAILS if detail.with_trigger not in kinds}
        for name, default in self._defaults.items():
            if name not in misfits:
                given.setdefault(name, default)
        return given

    def _check_call(self, task: Given, given: dict[str, Given]) -> None:
        check_task(self._report, task, self._known.task_names)
        check_arguments(
            self._report, task, given.get("args"), given.get("kwargs"), self._known.signatures
        )

    def _check_together(self, given: dict[str, Given]) -> None:
        catch_up = given.get("catch_up")
        if catch_up and catch_up.value is CatchUp.ALL and "catch_up_window" not in given:
            self._report.problem(
                catch_up.node,
                "catch_up: all needs catch_up_window",
                "say how far back, such as catch_up_window: 6h",
            )
        soft, hard = given.get("soft_time_limit"), given.get("time_limit")
        if soft and hard and soft.value and hard.value and soft.value >= hard.value:
            self._report.problem(
                soft.node,
                "soft_time_limit is not shorter than time_limit, so it never takes effect",
                "make it shorter, or leave it out",
            )

    def _check_expectation(self, given: dict[str, Given], timetable: Timetable) -> None:
        within = given.get("expect_within")
        if within is None or not within.value:
            return
        shortest_ms = timetable.trigger.interval_floor_ms()
        if shortest_ms is not None and shortest_ms >= within.value:
            self._report.remark(
                within.node,
                f"expect_within {duration_text(within.value)} raises alerts where all is well: "
                f"fire times lie at least {duration_text(shortest_ms)} apart",
                "make it longer than the longest pause between two fire times and a job's run",
            )


def _fields(given: dict[str, Given]) -> dict[str, Any]:
    return {key.target or key.name: given[key.name].value for key in FIELDS if key.name in given}


def _options(given: dict[str, Given]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key in OPTIONS:
        if key.name not in given:
            continue
        value = given[key.name].value
        options.update(value if isinstance(value, dict) else {key.target: value})
    return options
