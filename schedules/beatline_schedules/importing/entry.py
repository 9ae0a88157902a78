"""What importers bring: schedules as YAML will declare them, and what has to be said about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Unsupported(Exception):  # noqa: N818 - becomes a comment in the output, not an error
    """
    Something that has no counterpart here.

    Args:
        reason: Why, in a few words that may stand behind "not imported:".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One schedule, as it will stand in the file.

    Attributes:
        name: Its name there.
        fields: Keys of the file format with plain values, in the order in which they are written.
        origin: Where it comes from, such as ``line 12: 15 2 * * * backup``.
        remarks: Where its meaning differs, or something was lost; one sentence each.
    """

    name: str
    fields: dict[str, Any]
    origin: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    Something that was not imported.

    Attributes:
        name: What it is called there, or its text.
        reason: Why, and what to do instead.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """
    What was found in one place.

    Attributes:
        title: What it was read from, in one line.
        entries: The schedules, in an order that stays the same.
        left_out: What has no counterpart.
        remarks: What holds for all of them.
        defaults: Keys and values that all of them share.
    """

    title: str
    entries: tuple[Entry, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
