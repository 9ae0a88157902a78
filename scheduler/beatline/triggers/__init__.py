"""
Triggers: pure functions "next instant after t", in integer UTC milliseconds.

What they mean stands in docs/schedules.md. The parts: `cron_fields`, `cron_days` and `cron` read
and iterate cron expressions, `placing` puts wall times on the time line, `zones` knows when
clocks change, `timetable` adds start, end, jitter and exclusions, `building` converts from and to
plain JSON types.
"""

from __future__ import annotations

from beatline.triggers.any_of import AnyOf
from beatline.triggers.building import BOUND_KEYS, build_timetable, build_trigger
from beatline.triggers.calendar_steps import Calendar
from beatline.triggers.cron import Cron
from beatline.triggers.every import Every
from beatline.triggers.exclusions import Exclusions
from beatline.triggers.foreign import At, ForeignTrigger, adopt_trigger
from beatline.triggers.ics import dates_of_ics
from beatline.triggers.recurrence import RRule
from beatline.triggers.timetable import Timetable
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import Zone, tzdata_version, zone, zone_names

__all__ = [
    "BOUND_KEYS",
    "AnyOf",
    "At",
    "Calendar",
    "Cron",
    "Every",
    "Exclusions",
    "ForeignTrigger",
    "RRule",
    "Timetable",
    "Trigger",
    "Zone",
    "adopt_trigger",
    "build_timetable",
    "build_trigger",
    "dates_of_ics",
    "tzdata_version",
    "zone",
    "zone_names",
]
