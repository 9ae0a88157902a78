"""Finds and reads schedule files, in bounded time and memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beatline_schedules.problem import Place, Report

#: Endings of the files that are read from a folder.
_ENDINGS: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Start:
    """The first place of a file, for problems of the file as a whole."""

    line: int = 1
    column: int = 1


def find_files(paths: Iterable[Path | str]) -> tuple[list[Path], list[Report]]:
    """
    The files that paths stand for.

    Args:
        paths: Files, and folders, which stand for the ``*.yaml`` and ``*.yml`` files in them
            (not in folders below, and not those whose names begin with a dot).

    Returns:
        The files, each once, in the order of the paths and then by name; and a report for each
        path that stands for none.
    """
    files: dict[Path, Path] = {}
    reports: list[Report] = []
    for given in paths:
        path = Path(given)
        report = Report(shown_path(path))
        found = _in_folder(path, report) if path.is_dir() else [path]
        for file in found:
            files.setdefault(_identity(file), file)
        if report.problems:
            reports.append(report)
    return list(files.values()), reports


def read_bounded(
    path: Path, limit: int, place: Place, report: Report, name: str = "the file"
) -> bytes | None:
    """
    The content of a regular file; None where it cannot be read or is too large.

    Args:
        path: The file.
        limit: Most bytes.
        place: Where problems are reported.
        report: Gets them.
        name: What to call the file in them.
    """
    try:
        # A pipe or a device would be read for ever; opening a pipe alone can block.
        if not stat.S_ISREG(path.stat().st_mode):
            report.problem(place, f"{name} is not a regular file", "name a file")
            return None
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        report.problem(place, f"{name} does not exist", "check its path")
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.problem(place, f"{name} cannot be read: {reason}", "check its path and permissions")
        return None
    if len(content) > limit:
        report.problem(place, f"{name} is larger than {limit >> 20} MiB", "split it")
        return None
    return content


def shown_path(path: Path) -> str:
    """The path as it is told: relative to the working directory where it lies in it."""
    text = os.path.normpath(path)
    if os.path.isabs(text):
        relative = os.path.relpath(text)
        return text if relative.startswith("..") else relative
    return text


def _identity(file: Path) -> Path:
    """What two paths of one file have in common; a path that leads nowhere is its own."""
    try:
        return file.resolve()
    except (OSError, ValueError, RuntimeError):
        return file


def _in_folder(folder: Path, report: Report) -> list[Path]:
    try:
        found = sorted(
            path
            for path in folder.iterdir()
            if path.suffix in _ENDINGS and not path.name.startswith(".")
        )
    except OSError as error:
        report.problem(Start(), f"the folder cannot be read: {error.strerror}", "check it")
        return []
    if not found:
        report.problem(
            Start(), "the folder holds no *.yaml or *.yml file", "check the path, or add one"
        )
    return found
