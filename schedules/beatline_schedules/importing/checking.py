"""Each imported schedule is read back as a file is: what has a problem is left out, and told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatline_schedules.declaring import FileReading, Known
from beatline_schedules.document import read_document
from beatline_schedules.importing.entry import Entry, Imported, LeftOut
from beatline_schedules.importing.rendering import render
from beatline_schedules.problem import Report, TooManyProblems
from beatline_schedules.reader import Reader


def checked(imported: Imported) -> Imported:
    """The same without the entries that `sched schedules check` would not accept."""
    defaults = _accepted_defaults(imported)
    entries: list[Entry] = []
    left_out = list(imported.left_out)
    for entry in imported.entries:
        problems = _problems(Imported("", (replace(entry, remarks=()),), defaults=defaults))
        if problems:
            label = entry.origin or f"{entry.name}: {entry.fields.get('task', '')}"
            left_out.append(LeftOut(label, problems[0]))
        else:
            entries.append(entry)
    return replace(imported, entries=tuple(entries), left_out=tuple(left_out), defaults=defaults)


def _accepted_defaults(imported: Imported) -> dict[str, Any]:
    return {
        key: value
        for key, value in imported.defaults.items()
        if not _problems(Imported("", (), defaults={key: value}))
    }


def _problems(imported: Imported) -> list[str]:
    report = Report("")
    root = read_document(render(imported).encode(), report)
    with suppress(TooManyProblems):
        FileReading(Reader(report, {}), Path(), Known()).declarations(root)
    return [
        f"{problem.message} – {problem.remedy}" if problem.remedy else problem.message
        for problem in report.problems
    ]
