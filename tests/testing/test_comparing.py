"""What a failed assertion says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from beatline.ledger import Fate, Occurrence
from beatline.testing.comparing import cut, difference, moment_text, occurrence_text

BERLIN = ZoneInfo("Europe/Berlin")
#: Sun 2026-03-29 00:30 UTC, half an hour before the clocks go forward in Berlin.
BASE_MS = 1_774_744_200_000
HOUR_MS = 3_600_000


def fired(at_ms: int) -> Occurrence:
    return Occurrence(at_ms, at_ms, Fate.FIRED, enqueued_ms=at_ms)


def test_moment_when_it_is_shown_then_in_the_zone_and_in_utc() -> None:
    assert "Sun 2026-03-29 01:30:00 CET (00:30:00Z)" == moment_text(BASE_MS, BERLIN)
    assert "Sun 2026-03-29 03:30:00 CEST (01:30:00Z)" == moment_text(BASE_MS + HOUR_MS, BERLIN)
    assert "Sun 2026-03-29 00:30:00.007 UTC" == moment_text(BASE_MS + 7, ZoneInfo("UTC"))


def test_difference_when_there_is_none_then_it_is_empty() -> None:
    assert "" == difference("x", [BASE_MS], [fired(BASE_MS)], BERLIN)


def test_difference_when_there_is_one_then_it_is_shown_among_its_neighbours() -> None:
    hours = [BASE_MS + number * HOUR_MS for number in range(10)]
    seen = [fired(at_ms) for at_ms in hours if at_ms not in (hours[5], hours[9])]
    seen.append(Occurrence(hours[5], hours[5], Fate.SKIPPED, in_the_way="019c"))
    seen.append(fired(hours[0] - HOUR_MS // 2))

    told = difference("nightly", hours[:9], seen, BERLIN)

    assert (
        """\
schedule 'nightly' fired at other times than expected: 1 missing (-), 1 unexpected (+), 8 as expected (=)
  + Sun 2026-03-29 01:00:00 CET (00:00:00Z)
  = Sun 2026-03-29 01:30:00 CET (00:30:00Z)
  = Sun 2026-03-29 03:30:00 CEST (01:30:00Z)
  … 1 more
  = Sun 2026-03-29 05:30:00 CEST (03:30:00Z)
  = Sun 2026-03-29 06:30:00 CEST (04:30:00Z)
  - Sun 2026-03-29 07:30:00 CEST (05:30:00Z)  skipped: job 019c was in the way
  = Sun 2026-03-29 08:30:00 CEST (06:30:00Z)
  = Sun 2026-03-29 09:30:00 CEST (07:30:00Z)
  … 1 more"""  # noqa: E501 - as it is printed
        == told
    )


def test_difference_when_an_instant_was_missed_then_the_span_tells_why() -> None:
    missed = Occurrence(
        BASE_MS, BASE_MS, Fate.MISSED, last_ms=BASE_MS + 2 * HOUR_MS, count=3, reason="no_beat"
    )

    told = difference("x", [BASE_MS + HOUR_MS, BASE_MS + 9 * HOUR_MS], [missed], BERLIN)

    assert "03:30:00 CEST (01:30:00Z)  missed: no_beat" in told
    assert "11:30:00 CEST (09:30:00Z)  no fire time of it" in told


def test_difference_when_there_are_thousands_then_it_stays_readable() -> None:
    told = difference("x", [], [fired(BASE_MS + n * HOUR_MS) for n in range(5_000)], BERLIN)

    lines = told.splitlines()
    assert 62 == len(lines)
    assert "  … 4940 more" == lines[-1]


def test_occurrence_when_it_is_a_span_then_its_ends_and_count_are_told() -> None:
    missed = Occurrence(
        BASE_MS, BASE_MS, Fate.MISSED, last_ms=BASE_MS + HOUR_MS, count=2, reason="no_beat"
    )

    assert (
        "Sun 2026-03-29 01:30:00 CET (00:30:00Z) to Sun 2026-03-29 03:30:00 CEST (01:30:00Z), "
        "2 times: missed: no_beat"
    ) == occurrence_text(missed, BERLIN)


def test_lines_when_they_are_many_then_first_and_last_are_kept() -> None:
    assert ["0", "1", "  … 6 more", "8", "9"] == cut([str(n) for n in range(10)], 4)
    assert ["0", "1"] == cut(["0", "1"], 2)
