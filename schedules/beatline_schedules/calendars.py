"""The ``calendars:`` section: named sets of dates, written out or read from ``.ics`` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers import Exclusions, dates_of_ics
from beatline_schedules.document import Node, Scalar, Sequence
from beatline_schedules.files import read_bounded, shown_path
from beatline_schedules.problem import did_you_mean, shown
from beatline_schedules.reader import Reader

#: Bytes of an ``.ics`` file.
_MAX_ICS_BYTES: Final = 4 << 20


class Calendars:
    """
    The named calendars of one file.

    Args:
        reader: Reads the file's values and reports what does not fit.
        folder: Where ``.ics`` paths begin: the folder of the schedule file.
        node: The value of ``calendars:``, or None.
    """

    def __init__(self, reader: Reader, folder: Path, node: Node | None) -> None:
        self._reader = reader
        self._dates: dict[str, list[str] | None] = {}
        #: name -> text of the file and where its path stands.
        self._ics: dict[str, tuple[str, Scalar]] = {}
        self._ics_dates: dict[tuple[str, str], list[str]] = {}
        mapping = None
        if node is not None:
            mapping = reader.mapping(node, "calendars", "calendars: {holidays: holidays.ics}")
        for name, (key, value) in mapping.entries.items() if mapping else ():
            if reader.key(key, "a calendar's name") is not None:
                self._declare(name, value, folder)

    def exclusion(self, name: str, timezone: str) -> dict[str, Any] | None:
        """
        A calendar as an entry of ``exclude`` in a trigger's spec.

        Args:
            name: Its name.
            timezone: The zone whose days count, for events with a time of day.

        Returns:
            None where its declaration has problems, which are reported there.
        """
        dates = self._dates[name]
        if name in self._ics:
            text, place = self._ics[name]
            dates = self._ics_dates.get((name, timezone))
            if dates is None:
                dates = self._ics_dates[name, timezone] = self._read_ics(text, place, timezone)
        return None if dates is None else {"calendar": name, "dates": dates}

    def __contains__(self, name: object) -> bool:
        return name in self._dates

    def remedy(self, word: str) -> str:
        """What to do about a word in ``exclude`` that is neither a date nor a known calendar."""
        weekdays = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        return did_you_mean(word, [*self._dates, *weekdays]) or (
            'write a date ("2026-12-25"), a range ("2026-12-24..2027-01-02"), a weekday ("sat"), '
            "or the name of a calendar of this file"
        )

    def _declare(self, name: str, node: Node, folder: Path) -> None:
        what = f"calendar {shown(name)}"
        self._dates[name] = None
        if isinstance(node, Scalar):
            path = self._reader.text(node, what)
            if path is not None:
                self._declare_ics(name, node, folder / path)
            return
        listed = self._reader.sequence(node, what, 'a list of dates, or the path of an ".ics" file')
        if listed is None:
            return
        self._dates[name] = self._read_dates(listed, what)

    def _declare_ics(self, name: str, node: Scalar, path: Path) -> None:
        report = self._reader.report
        report.calendars.append(path)
        content = read_bounded(path, _MAX_ICS_BYTES, node, report, shown_path(path))
        if content is None:
            return
        self._ics[name] = (content.decode("utf-8-sig", "replace"), node)
        # Read once now, so that a bad file is told even where no schedule names it.
        self.exclusion(name, "UTC")

    def _read_ics(self, text: str, place: Scalar, timezone: str) -> list[str]:
        try:
            return dates_of_ics(text, timezone)
        except InvalidTrigger as error:
            self._reader.report.problem(place, f"{place.text}: {error.message}", error.remedy)
            return []

    def _read_dates(self, listed: Sequence, what: str) -> list[str] | None:
        dates: list[str] = []
        for item in listed.items:
            text = self._reader.text(item, f"a date of {what}", dates=True)
            if text is None:
                continue
            try:
                Exclusions([{"calendar": what, "dates": [text]}])
            except InvalidTrigger:
                remedy = 'write a date ("2026-12-25") or a range ("2026-12-24..2027-01-02")'
                self._reader.report.problem(item, f"{what} has {shown(text)}, no date", remedy)
                continue
            dates.append(text)
        return dates if len(dates) == len(listed.items) else None
