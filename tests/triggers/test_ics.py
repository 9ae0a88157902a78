"""Days of iCalendar files."""

from __future__ import annotations

import pytest

from beatline.errors import InvalidTrigger
from beatline.triggers import Exclusions, dates_of_ics


def calendar(*events: str) -> str:
    body = "\n".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{body}\nEND:VCALENDAR\n".replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART;VALUE=DATE:20261225", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261226", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227", ["2026-12-24..2026-12-26"]),
        ("DTSTART;VALUE=DATE:20261224\nDURATION:P2D", ["2026-12-24..2026-12-25"]),
        ("DTSTART:20261224T090000\nDURATION:PT2H30M", ["2026-12-24"]),
        ("DTSTART:20261224T090000", ["2026-12-24"]),
        # 23:30 UTC is the next day in Berlin.
        ("DTSTART:20261224T233000Z\nDTEND:20261225T003000Z", ["2026-12-25"]),
        ("DTSTART;TZID=Asia/Tokyo:20261225T060000", ["2026-12-24"]),
        ('DTSTART;TZID="Asia/Tokyo":20261225T060000', ["2026-12-24"]),
        ("DTSTART;TZID=My Own Zone:20261225T060000", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261225\nSTATUS:CANCELLED", []),
        (
            "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;COUNT=3",
            ["2026-01-01", "2027-01-01", "2028-01-01"],
        ),
        (
            "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;UNTIL=20280601\n"
            "EXDATE;VALUE=DATE:20270101",
            ["2026-01-01", "2028-01-01"],
        ),
        (
            "SUMMARY:Folded\n  over lines\nDTSTART;VA\n LUE=DATE:20261225\n"
            "BEGIN:VALARM\nDTSTART:20200101\nEND:VALARM",
            ["2026-12-25"],
        ),
    ],
)
def test_event_when_read_then_its_local_days(event: str, expected: list[str]) -> None:
    assert expected == dates_of_ics(calendar(event), "Europe/Berlin")


def test_events_when_several_then_in_order_and_fit_for_exclusions() -> None:
    text = calendar(
        "DTSTART;VALUE=DATE:20261225",
        "DTSTART;VALUE=DATE:20260101",
        "DTSTART;VALUE=DATE:20260101",
    )

    days = dates_of_ics(text)

    assert ["2026-01-01", "2026-12-25"] == days
    assert Exclusions([{"calendar": "holidays", "dates": days}])


def test_event_when_it_repeats_for_ever_then_bounded() -> None:
    days = dates_of_ics(calendar("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY"))

    assert 75 == len(days)
    assert "2100-01-01" == days[-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        calendar("SUMMARY:No start"),
        calendar("DTSTART:soon"),
        calendar("DTSTART:20261301"),
        calendar("DTSTART:20260101\nDURATION:long"),
        calendar("DTSTART:20260101\nRRULE:FREQ=NEVER"),
    ],
)
def test_file_when_malformed_then_refused(text: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        dates_of_ics(text)

    assert caught.value.remedy
