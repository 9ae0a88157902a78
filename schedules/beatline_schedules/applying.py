"""
From files to what is live: which schedules a set of files is in charge of.

A file is in charge of the schedules that it declares and has declared; a folder is in charge of
its files, also of those that are gone. What such a source declared and declares no more is removed
when the set is applied. Schedules from other files and from code are left alone, unless they are
taken over by name. Sources are paths as they are told, relative to the working directory, so that
a set is applied from the same directory each time.

The difference and its application are `beatline.declared.DeclaredSet`'s ``plan`` and ``apply``;
beat applies the same set when it starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from beatline.declared import Applied, Change, DeclaredSet, Difference, SchedulePlan
from beatline_schedules.files import shown_path
from beatline_schedules.loading import Declared

__all__ = ["Applied", "Change", "DeclaredSet", "Difference", "SchedulePlan", "declared_set"]


def declared_set(
    declared: Declared, paths: Iterable[Path | str], *, taken_over: Collection[str] = ()
) -> DeclaredSet:
    """
    The set that files declare, in charge of these files and folders.

    Args:
        declared: What `load_declarations` has read.
        paths: The files and folders that it was read from.
        taken_over: Names of schedules that are taken over from other sources.
    """
    folders = [path for path in map(Path, paths) if path.is_dir()]
    return DeclaredSet(
        schedules=tuple(declared.schedules),
        files=frozenset(f"file:{shown_path(file)}" for file in declared.files),
        folders=tuple(_source_of_folder(folder) for folder in folders),
        taken_over=frozenset(taken_over),
    )


def _source_of_folder(folder: Path) -> str:
    shown = shown_path(folder)
    return "file:" if shown == "." else f"file:{shown.rstrip('/')}/"
