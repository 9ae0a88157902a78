"""
Loads schedule files: all of them are right, or none is used.

`load` is for those who want the schedules; `load_declarations` also tells where each is written
and what is worth a remark. Neither needs Redis or imports an app.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import Signature
from pathlib import Path

from beatline.errors import InvalidScheduleFile
from beatline.schedule import Schedule
from beatline_schedules.declaring import Declaration, FileReading, Known
from beatline_schedules.document import MAX_BYTES, read_document
from beatline_schedules.files import Start, find_files, read_bounded, shown_path
from beatline_schedules.problem import Problem, Report, TooManyProblems, shown
from beatline_schedules.reader import Reader


@dataclass(frozen=True, slots=True)
class Declared:
    """
    What a set of files declares.

    Attributes:
        declarations: Each schedule with its place, in the order of files and lines.
        problems: What keeps the set from being used.
        remarks: What is allowed, but may not mean what its author thinks.
        files: The files that were read.
        calendars: Files of dates that they name.
    """

    declarations: list[Declaration] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    calendars: list[Path] = field(default_factory=list)

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules alone."""
        return [declaration.schedule for declaration in self.declarations]


def load(
    paths: Iterable[Path | str],
    *,
    environ: Mapping[str, str] | None = None,
    task_names: Collection[str] | None = None,
    queue_names: Collection[str] | None = None,
    signatures: Mapping[str, Signature] | None = None,
) -> list[Schedule]:
    """
    The schedules that files declare.

    Args:
        paths: Files, and folders, which stand for the ``*.yaml`` and ``*.yml`` files in them.
        environ: What ``${NAME}`` is looked up in; None takes the process's environment.
        task_names: Names of the app's tasks; None where no app is known.
        queue_names: Queues that are in use; one that is nearly the same gets a remark.
        signatures: Signatures of the tasks' functions by name, without a bound first argument.

    Raises:
        InvalidScheduleFile: There are problems, in any of the files; it carries them all.
    """
    return load_declarations(
        paths,
        environ=environ,
        task_names=task_names,
        queue_names=queue_names,
        signatures=signatures,
    ).schedules


def load_declarations(
    paths: Iterable[Path | str],
    *,
    environ: Mapping[str, str] | None = None,
    task_names: Collection[str] | None = None,
    queue_names: Collection[str] | None = None,
    signatures: Mapping[str, Signature] | None = None,
) -> Declared:
    """
    The declarations of files, with remarks; arguments as for `load`.

    Raises:
        InvalidScheduleFile: There are problems, in any of the files; it carries them all.
    """
    declared = examine(
        paths,
        environ=environ,
        task_names=task_names,
        queue_names=queue_names,
        signatures=signatures,
    )
    if declared.problems:
        raise InvalidScheduleFile(declared.problems)
    return declared


def examine(
    paths: Iterable[Path | str],
    *,
    environ: Mapping[str, str] | None = None,
    task_names: Collection[str] | None = None,
    queue_names: Collection[str] | None = None,
    signatures: Mapping[str, Signature] | None = None,
) -> Declared:
    """As `load_declarations`, but with the problems in the answer instead of raised."""
    environ = os.environ if environ is None else environ
    known = Known(environ, task_names, queue_names, signatures)
    files, reports = find_files(paths)
    declarations: list[Declaration] = []
    first: dict[str, str] = {}
    for file in files:
        report = Report(shown_path(file))
        reports.append(report)
        try:
            declarations += _read(file, report, known, first)
        except TooManyProblems:
            continue
    return Declared(
        declarations=declarations,
        problems=[problem for report in reports for problem in report.problems],
        remarks=[remark for report in reports for remark in report.remarks],
        files=files,
        calendars=[path for report in reports for path in report.calendars],
    )


def _read(file: Path, report: Report, known: Known, first: dict[str, str]) -> list[Declaration]:
    """The declarations of one file; ``first`` tells where each name has stood before."""
    content = read_bounded(file, MAX_BYTES, Start(), report)
    if content is None:
        return []
    root = read_document(content, report)
    if root is None and report.noted:
        return []
    reading = FileReading(Reader(report, known.environ), file.parent, known)
    declarations = reading.declarations(root)
    for key in reading.names:
        place = f"{report.file}:{key.line}"
        if first.setdefault(key.text, place) != place:
            report.problem(
                key,
                f"schedule {shown(key.text)} is declared already in {first[key.text]}",
                "rename or remove one of them",
            )
    return declarations
