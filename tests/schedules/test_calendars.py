"""Named calendars: lists of dates, and .ics files beside the schedule file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.schedules.conftest import Examine

ICS = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261227
END:VEVENT
BEGIN:VEVENT
DTSTART:20260701T230000Z
DTEND:20260701T233000Z
END:VEVENT
END:VCALENDAR
"""
USING = "schedules: {a: {task: t, every: 1h, exclude: [days, sun], timezone: Europe/Berlin}}\n"


def test_examine_when_a_calendar_is_a_list_then_its_dates_are_excluded(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        'calendars: {days: [2026-12-25, "2026-12-27..2026-12-31"], unused: []}\n' + USING
    )

    assert [] == declared.problems
    assert [
        {"calendar": "days", "dates": ["2026-12-25", "2026-12-27..2026-12-31"]},
        "sun",
    ] == declared.schedules[0].timetable.spec()["exclude"]


def test_examine_when_a_calendar_is_an_ics_file_then_its_days_count_in_the_schedules_zone(
    examine_text: Examine, tmp_path: Path
) -> None:
    (tmp_path / "days.ics").write_text(ICS)

    declared = examine_text("calendars: {days: days.ics}\n" + USING)

    assert [] == declared.problems
    exclude = declared.schedules[0].timetable.spec()["exclude"]
    assert {"calendar": "days", "dates": ["2026-07-02", "2026-12-25..2026-12-26"]} == exclude[0]


@pytest.mark.parametrize(
    ("calendars", "column", "told"),
    [
        ("{days: [2026-02-30]}", 20, 'calendar "days" has "2026-02-30", no date – write a date'),
        ("{days: [sun]}", 20, 'calendar "days" has "sun", no date'),
        ("{days: [[]]}", 20, 'a date of calendar "days" is a list, where one value is wanted'),
        ("{days: {}}", 19, 'calendar "days" is a mapping, not a list'),
        ("{days: missing.ics}", 19, "missing.ics does not exist – check its path"),
        ("{days: bad.ics}", 19, "bad.ics: the text is not an iCalendar file"),
        ("{days: /dev/zero}", 19, "/dev/zero is not a regular file"),
        ("[days]", 12, "calendars is a list, not a mapping"),
    ],
)
def test_examine_when_a_calendar_has_a_mistake_then_it_is_told_once(
    examine_text: Examine, tmp_path: Path, calendars: str, column: int, told: str
) -> None:
    (tmp_path / "bad.ics").write_text("hello")

    problems = examine_text(f"calendars: {calendars}\n{USING}").problems

    first = problems[0]
    assert (1, column) == (first.line, first.column)
    assert told in str(first)
    assert all(problem.line == 2 for problem in problems[1:])
