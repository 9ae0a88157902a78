"""
Triggers: pure functions "next instant after t", in integer UTC milliseconds.

What they mean stands in docs/schedules.md. The parts: `cron_fields`, `cron_days` and `cron` read
and iterate cron expressions, `placing` puts wall times on the time line, `zones` knows when
clocks change, `timetable` adds start, end, jitter and exclusions, `building` converts from and to
plain JSON types.

What stands on a library of its own (croniter, dateutil, APScheduler) is imported when it is first
asked for: together they take two megabytes, and most processes need one of them or none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beatline.triggers.any_of import AnyOf
from beatline.triggers.building import BOUND_KEYS, build_timetable, build_trigger, spec_of_given
from beatline.triggers.calendar_steps import Calendar
from beatline.triggers.every import Every
from beatline.triggers.exclusions import Exclusions
from beatline.triggers.timetable import Timetable
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import Zone, tzdata_version, zone, zone_names

if TYPE_CHECKING:
    from beatline.triggers.cron import Cron
    from beatline.triggers.foreign import At, ForeignTrigger, adopt_trigger
    from beatline.triggers.ics import dates_of_ics
    from beatline.triggers.recurrence import RRule

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
    "spec_of_given",
    "tzdata_version",
    "zone",
    "zone_names",
]

#: Name -> the module that it lives in.
_HOMES = {
    "At": "beatline.triggers.foreign",
    "Cron": "beatline.triggers.cron",
    "ForeignTrigger": "beatline.triggers.foreign",
    "RRule": "beatline.triggers.recurrence",
    "adopt_trigger": "beatline.triggers.foreign",
    "dates_of_ics": "beatline.triggers.ics",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
