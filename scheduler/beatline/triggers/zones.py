"""
Time zones from the pinned ``tzdata`` wheel, never from the machine.

Two beats on different machines must agree on every fire time, so the operating system's zone
files are not read, whatever ``zoneinfo`` would prefer. The wheel is opened here by path;
``zoneinfo.reset_tzpath`` would change the user's process.

`Zone` knows its segments: stretches of time in which the offset from UTC does not change. For
each segment it also knows from which wall time on fixed-time jobs fire in it, see
`beatline.triggers.placing`.
"""

from __future__ import annotations

import difflib
import io
import re
from bisect import bisect_right
from datetime import UTC, datetime
from functools import cache
from importlib import import_module, resources
from threading import Lock
from zoneinfo import ZoneInfo

from beatline.errors import InvalidTrigger
from beatline.triggers.zone_file import ZoneFile, read_zone_file

#: Start of the first and end of the last segment, UTC seconds: further away than any datetime.
DAWN_S = -(1 << 60)
DUSK_S = 1 << 60
#: A wall clock that leaps forward by this much or more leaves nothing to make up for, seconds.
#: Debian's cron compares in minutes: ``timeDiff > 3*MINUTE_COUNT`` counts the running minute too.
MADE_UP_BELOW_S = 3 * 3600
#: A wall clock set back by more than this starts over, seconds. Debian's cron compares
#: ``timeDiff > -(3*MINUTE_COUNT)``, which lets exactly three hours still count as a repetition.
REPEATED_UP_TO_S = 3 * 3600
_FIXED_OFFSET = re.compile(r"(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?", re.ASCII | re.IGNORECASE)
_ABBREVIATION = re.compile(r"[A-Z]{1,5}")
#: The last year whose changes are worked out from a zone's yearly rule.
_LAST_YEAR = 9998
#: Years of changes that are worked out at once.
_STRIDE_YEARS = 60


class Zone:
    """
    A time zone as a list of segments, in integer seconds.

    Segment ``i`` holds from ``starts[i]`` (UTC) to ``end_s(i)``; in it, wall time is UTC plus
    ``offsets[i]``.

    Attributes:
        name: Its IANA name.
        starts: First UTC second of each segment.
        offsets: Offset from UTC in each segment.
        fixed_from: The first wall time whose fixed-time jobs belong to the segment. It lies
            before the segment's first wall time where the clock leapt forward by less than three
            hours (the skipped times are made up for), and after it where the clock was set back
            (those times have been).
    """

    __slots__ = (
        "_floor_s",
        "_lock",
        "_next_year",
        "_rule",
        "_rule_from_s",
        "fixed_from",
        "name",
        "offsets",
        "starts",
    )

    def __init__(self, name: str, file: ZoneFile) -> None:
        self.name = name
        self.starts = [DAWN_S]
        self.offsets = [file.first_offset_s]
        self.fixed_from = [DAWN_S]
        self._floor_s = DAWN_S
        for start_s, offset_s in file.changes:
            self._append(start_s, offset_s)
        self._lock = Lock()
        self._rule = file.rule
        self._rule_from_s = DAWN_S if file.rule_from_s is None else file.rule_from_s
        self._next_year = (
            1900 if file.rule_from_s is None else datetime.fromtimestamp(file.rule_from_s, UTC).year
        )
        self._work_out_further()

    def index(self, utc_s: int) -> int:
        """The number of the segment in which the instant lies."""
        while utc_s >= self.starts[-1] and self._has_more():
            self._work_out_further()
        return bisect_right(self.starts, utc_s) - 1

    def end_s(self, index: int) -> int:
        """The first UTC second after a segment, `DUSK_S` for the last one."""
        while index + 1 >= len(self.starts) and self._has_more():
            self._work_out_further()
        return self.starts[index + 1] if index + 1 < len(self.starts) else DUSK_S

    def wall_s(self, utc_s: int) -> int:
        """The wall time of an instant, in seconds since 1970 as if the zone were UTC."""
        return utc_s + self.offsets[self.index(utc_s)]

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone for use in datetimes, from the same wheel."""
        return _zone_info(self.name)

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def _has_more(self) -> bool:
        return self._rule is not None and self._next_year <= _LAST_YEAR

    def _work_out_further(self) -> None:
        """Append the changes of some more years of the yearly rule."""
        if self._rule is None:
            return
        with self._lock:
            last_year = min(self._next_year + _STRIDE_YEARS, _LAST_YEAR)
            for year in range(self._next_year, last_year + 1):
                for start_s, offset_s in self._rule.changes(year):
                    if start_s > self._rule_from_s and offset_s != self.offsets[-1]:
                        self._append(start_s, offset_s)
            self._next_year = last_year + 1

    def _append(self, start_s: int, offset_s: int) -> None:
        """
        Add a segment, and decide what fixed-time jobs do at its beginning.

        ``starts`` grows last: a thread that finds the new segment there finds all of it.
        """
        #: Where a wall clock that never runs backwards stands when the segment begins.
        reached_s = max(self._floor_s, start_s + self.offsets[-1])
        first_s = start_s + offset_s
        leap_s = first_s - reached_s
        fixed_from_s = self._floor_s = first_s
        if 0 < leap_s < MADE_UP_BELOW_S:
            fixed_from_s = reached_s
        elif -REPEATED_UP_TO_S <= leap_s <= 0:
            fixed_from_s = self._floor_s = reached_s
        self.offsets.append(offset_s)
        self.fixed_from.append(fixed_from_s)
        self.starts.append(start_s)


@cache
def zone_names() -> frozenset[str]:
    """All names in the wheel."""
    listing = resources.files("tzdata").joinpath("zones").read_text("ascii")
    return frozenset(listing.split())


def tzdata_version() -> str:
    """The IANA version of the wheel, such as ``2026b``; later ones compare greater."""
    return str(import_module("tzdata").IANA_VERSION)


@cache
def zone(name: str) -> Zone:
    """
    The zone of that name.

    Raises:
        InvalidTrigger: The wheel holds no such zone.
    """
    if name not in zone_names():
        raise InvalidTrigger(f"unknown time zone {name!r}", remedy=_remedy(name))
    return Zone(name, read_zone_file(_content(name)))


@cache
def _zone_info(name: str) -> ZoneInfo:
    return ZoneInfo.from_file(io.BytesIO(_content(name)), key=name)


def _content(name: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def _remedy(name: str) -> str:
    if _FIXED_OFFSET.fullmatch(name):
        return 'a fixed offset is written "Etc/GMT-2" where clocks are two hours ahead of UTC'
    by_folded = {known.casefold(): known for known in zone_names()}
    # The city alone is what people remember: "Berlin" means "Europe/Berlin".
    for known in sorted(by_folded):
        by_folded.setdefault(known.rpartition("/")[2], by_folded[known])
    if _ABBREVIATION.fullmatch(name) and name.casefold() not in by_folded:
        # The nearest name is far away: "JST" is one letter from "MST", and 16 hours.
        return 'write the name of a place, such as "Europe/Berlin", or "UTC"'
    close = difflib.get_close_matches(name.strip().casefold(), by_folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_folded[close[0]]!r}?"
    return 'write an IANA name such as "Europe/Berlin" or "UTC"'
