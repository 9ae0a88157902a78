"""Problems of schedule files, each with the place where it lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Protocol

#: Problems of one file that are told: more are no help, and looking for what each may mean has
#: its price.
MAX_PROBLEMS: Final = 1_000
#: Characters of a message; some quote a value, which may be as long as the file.
_MAX_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """
    One thing that is wrong in a file, or, among remarks, worth a look.

    Attributes:
        file: The path as it was given.
        line, column: The place, both counted from 1.
        message: What is wrong, with the value.
        remedy: What to do.
    """

    file: str
    line: int
    column: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{told} – {self.remedy}" if self.remedy else told


class TooManyProblems(Exception):  # noqa: N818 - ends the reading of one file
    """A file has more problems than are told; they are in the report."""


class Place(Protocol):
    """Something that has a place in a file."""

    @property
    def line(self) -> int:
        """Counted from 1."""
        ...

    @property
    def column(self) -> int:
        """Counted from 1, in characters."""
        ...


class Report:
    """
    Collects what is found in one file; what is found twice (through an alias) counts once.

    Attributes:
        file: The path as it was given.
        noted: How often a problem was noted, repetitions included.
        calendars: Files that the file names and that were read for it, or that were to be.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.noted = 0
        self.calendars: list[Path] = []
        self._problems: dict[Problem, None] = {}
        self._remarks: dict[Problem, None] = {}

    @property
    def problems(self) -> list[Problem]:
        """What keeps the file from being used, in the order of its lines."""
        return sorted(self._problems)

    @property
    def remarks(self) -> list[Problem]:
        """What is allowed, but may not mean what its author thinks."""
        return sorted(self._remarks)

    def problem(self, place: Place, message: str, remedy: str = "") -> None:
        """
        Note a problem.

        Raises:
            TooManyProblems: There are `MAX_PROBLEMS` already.
        """
        self.noted += 1
        if len(self._problems) >= MAX_PROBLEMS:
            raise TooManyProblems
        message = message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…"
        self._problems[Problem(self.file, place.line, place.column, message, remedy)] = None

    def remark(self, place: Place, message: str, remedy: str = "") -> None:
        """Note a remark."""
        self._remarks[Problem(self.file, place.line, place.column, message, remedy)] = None


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a mistyped one; empty where none is near."""
    by_folded = {one.casefold(): one for one in known}
    close = get_close_matches(word.casefold()[:200], by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "queue"?`` for the known word nearest to a mistyped one, or nothing."""
    meant = nearest(word, known)
    return f'did you mean "{meant}"?' if meant else ""


def shown(text: str, limit: int = 60) -> str:
    """The text in double quotes as a message shows it: one line, cut where it is long."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    escaped = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
    return f'"{escaped}"'
