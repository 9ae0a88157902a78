"""Zones come from the wheel, agree with zoneinfo, and unknown ones are told."""

from __future__ import annotations

import random
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from beatline.errors import InvalidTrigger
from beatline.triggers import tzdata_version, zone, zone_names
from beatline.triggers.zone_file import YearDay, read_zone_file
from tests.triggers.cron_model import zone_of_wheel
from tests.triggers.strategies import zones_with_changes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def assert_agree_with_zoneinfo(names: Iterable[str], samples: int) -> None:
    draw = random.Random(1)
    for name in names:
        ours, theirs = zone(name), zone_of_wheel(name)
        edges = [start_s + delta for start_s in ours.starts[1:] for delta in (-1, 0)]
        edges = draw.sample(edges, min(samples, len(edges)))
        for utc_s in [*edges, draw.randrange(253_000_000_000)]:
            moment = (EPOCH + timedelta(seconds=utc_s)).astimezone(theirs)
            offset = moment.utcoffset()
            assert offset is not None
            assert offset.total_seconds() == ours.offsets[ours.index(utc_s)], (name, moment)


def test_zones_when_read_then_offsets_agree_with_zoneinfo() -> None:
    assert_agree_with_zoneinfo(zones_with_changes(), samples=12)


@pytest.mark.slow
def test_zones_when_all_are_read_then_offsets_agree_with_zoneinfo() -> None:
    assert_agree_with_zoneinfo(sorted(zone_names()), samples=500)


def test_zone_when_its_rule_goes_on_then_years_far_ahead_are_known() -> None:
    berlin = zone("Europe/Berlin")
    summer_9000 = int((datetime(9000, 7, 1, tzinfo=UTC) - EPOCH).total_seconds())

    assert 7200 == berlin.offsets[berlin.index(summer_9000)]
    assert berlin.end_s(berlin.index(summer_9000)) > summer_9000


def test_zone_when_asked_for_tzinfo_then_of_the_wheel() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=zone("Europe/Berlin").tzinfo)

    assert timedelta(hours=2) == moment.utcoffset()
    assert "Europe/Berlin" == zone("Europe/Berlin").tzinfo.key


def test_zones_when_read_then_the_users_zoneinfo_is_left_alone() -> None:
    before = zoneinfo.TZPATH

    zone("Asia/Tokyo")

    assert before == zoneinfo.TZPATH


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Berlin", "'Europe/Berlin'"),
        ("europe/berlin", "'Europe/Berlin'"),
        ("Europe/Brelin", "'Europe/Berlin'"),
        ("utc", "'UTC'"),
        ("UTC+2", "Etc/GMT-2"),
        ("+02:00", "Etc/GMT-2"),
        ("", "IANA name"),
        ("../../../etc/passwd", "IANA name"),
        ("qqqq", "IANA name"),
    ],
)
def test_zone_when_unknown_then_refused_with_a_guess(name: str, remedy: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        zone(name)

    assert remedy in caught.value.remedy


def test_tzdata_version_when_asked_then_of_the_iana_kind() -> None:
    version = tzdata_version()

    assert 5 == len(version)
    assert version[:4].isdigit()
    assert "2020a" < version


@pytest.mark.parametrize(
    ("text", "year", "expected"),
    [
        ("M3.5.0", 2026, "2026-03-29T02:00"),
        ("M3.5.0/3", 2026, "2026-03-29T03:00"),
        ("M3.2.0", 2026, "2026-03-08T02:00"),
        ("M3.5.0/-1", 2026, "2026-03-28T23:00"),
        ("M3.4.4/50", 2026, "2026-03-28T02:00"),
        ("M2.5.0", 2032, "2032-02-29T02:00"),
        ("J60/0", 2028, "2028-03-01T00:00"),
        ("J59/0", 2028, "2028-02-28T00:00"),
        ("59/0", 2028, "2028-02-29T00:00"),
        ("0/0", 2026, "2026-01-01T00:00"),
        ("J365/23:30", 2026, "2026-12-31T23:30"),
    ],
)
def test_year_day_when_parsed_then_this_wall_time(text: str, year: int, expected: str) -> None:
    wall_s = YearDay.parse(text).wall_s(year)

    assert datetime.fromisoformat(f"{expected}+00:00") == EPOCH + timedelta(seconds=wall_s)


@pytest.mark.parametrize("content", [b"", b"TZif", b"x" * 100, b"TZif\0" + bytes(100)])
def test_zone_file_when_it_is_none_then_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="TZif"):
        read_zone_file(content)


@pytest.mark.parametrize("name", ["CEST", "JST", "PDT", "MSK", "Z"])
def test_zone_when_named_by_an_abbreviation_then_no_other_zone_is_suggested(name: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        zone(name)

    assert 'write the name of a place, such as "Europe/Berlin", or "UTC"' == caught.value.remedy
