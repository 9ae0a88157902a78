"""
The keys of a schedule file, in one table: the validator, the JSON Schema and the hints read it.

docs/schedules-yaml.md tells the same to people; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from beatline.schedule import CatchUp, Overlap
from beatline_schedules.kinds import (
    ARGUMENTS,
    CALENDAR,
    FLAG,
    INTERVAL,
    MOMENT,
    NAMED_ARGUMENTS,
    OFFSET,
    QUEUE,
    RETRY,
    SECOND,
    TEXT,
    ZONE,
    Kind,
    Schema,
    duration,
    whole,
    word,
)

#: Version of the file format that is read.
FORMAT_VERSION: Final = 1
#: Longest name of a schedule, bytes of UTF-8: it travels in each of its jobs' records.
MAX_NAME_BYTES: Final = 200


class Group(StrEnum):
    """What a key is about."""

    #: Says when; exactly one of these stands in a schedule.
    TRIGGER = "trigger"
    #: Goes with one sort of trigger.
    DETAIL = "detail"
    #: Goes with every trigger, as part of the timetable.
    TIMETABLE = "timetable"
    #: A field of the schedule itself.
    FIELD = "field"
    #: An option of each of its jobs.
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key of a schedule.

    Attributes:
        name: As written.
        group: What it is about.
        kind: What its value is.
        meaning: One sentence for people; editors show it.
        target: Name of the schedule's field or the job's option, where it is not ``name``.
        with_trigger: The trigger key that it goes with, for details.
        in_defaults: Whether it may stand under ``defaults:``.
    """

    name: str
    group: Group
    kind: Kind
    meaning: str
    target: str = ""
    with_trigger: str = ""
    in_defaults: bool = True


def _trigger(name: str, kind: Kind, meaning: str) -> Key:
    return Key(name, Group.TRIGGER, kind, meaning, in_defaults=False)


#: A trigger key whose value is read by `beatline_schedules.timing`, not by a kind.
_ANY_SCHEMA: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "items": {"$ref": "#/definitions/trigger"},
}
_EXCLUDE_SCHEMA: Final[Schema] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "examples": [["2026-12-25", "2026-12-27..2026-12-31", "sun", "holidays"]],
}


def _unread(schema: Schema) -> Kind:
    return Kind(lambda reader, node, what: node, schema)


TRIGGERS: Final = (
    _trigger(
        "cron",
        Kind(TEXT.read, {"type": "string", "examples": ["30 2 * * *", "@hourly"]}),
        "Five fields: minute, hour, day of month, month, day of week; or @daily and the like.",
    ),
    _trigger("every", INTERVAL, "An interval on a fixed grid that no restart moves."),
    _trigger("calendar", CALENDAR, "Every n days, weeks, months or years in wall time."),
    _trigger("at", MOMENT, "Once; without an offset it is wall time in the zone."),
    _trigger("rrule", TEXT, "A recurrence rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO."),
    _trigger(
        "any", _unread(_ANY_SCHEMA), "A list of triggers; instants that several name count once."
    ),
)

DETAILS: Final = (
    Key(
        "second", Group.DETAIL, SECOND, "Second of the minute, in cron syntax.", with_trigger="cron"
    ),
    Key("anchor", Group.DETAIL, MOMENT, "A point of the grid.", with_trigger="every"),
    Key(
        "offset",
        Group.DETAIL,
        OFFSET,
        'Shifts the grid; "spread" by a stable hash of the schedule\'s name.',
        with_trigger="every",
    ),
)

TIMETABLE: Final = (
    Key("timezone", Group.TIMETABLE, ZONE, "IANA name of the zone of wall times. Default: UTC."),
    Key("start", Group.TIMETABLE, MOMENT, "Nothing fires before it."),
    Key("end", Group.TIMETABLE, MOMENT, "Nothing fires after it."),
    Key(
        "jitter",
        Group.TIMETABLE,
        Kind(INTERVAL.read, INTERVAL.schema),
        "Delays each fire time by a stable hash of up to so much.",
    ),
    Key(
        "exclude",
        Group.TIMETABLE,
        _unread(_EXCLUDE_SCHEMA),
        "Dates, ranges of dates, weekdays, and names of calendars on which nothing fires.",
    ),
)

FIELDS: Final = (
    Key("task", Group.FIELD, TEXT, "Name of the task whose jobs it makes.", in_defaults=False),
    Key("args", Group.FIELD, ARGUMENTS, "Positional arguments of each job.", in_defaults=False),
    Key("kwargs", Group.FIELD, NAMED_ARGUMENTS, "Named arguments of each job.", in_defaults=False),
    Key("queue", Group.FIELD, QUEUE, "Queue of the jobs. Default: the task's own."),
    Key("priority", Group.FIELD, whole(0, 9), "0 (lowest) to 9 (highest)."),
    Key(
        "overlap",
        Group.FIELD,
        word(Overlap),
        "What happens at a fire time while an earlier job has not ended. Default: skip.",
    ),
    Key(
        "catch_up",
        Group.FIELD,
        word(CatchUp),
        "What becomes of fire times that passed while nobody fired them. Default: latest.",
    ),
    Key(
        "catch_up_window",
        Group.FIELD,
        duration(),
        "How far back catching up reaches. Default: 1h; to be given with catch_up: all.",
        target="catch_up_window_ms",
    ),
    Key(
        "max_catch_up",
        Group.FIELD,
        whole(1, 100_000),
        "At most so many are caught up. Default: 100.",
    ),
    Key(
        "grace",
        Group.FIELD,
        duration(0),
        "A fire time that passed less than this ago is still on time. Default: 5s.",
        target="grace_ms",
    ),
    Key("max_runs", Group.FIELD, whole(1, 10**12), "The schedule ends after so many jobs."),
    Key("paused", Group.FIELD, FLAG, "Declares the schedule at rest."),
    Key(
        "expect_within",
        Group.FIELD,
        duration(1000),
        "Raises an alert after so long without a success.",
        target="expect_within_ms",
    ),
    Key(
        "pause_after_failures",
        Group.FIELD,
        whole(1, 1_000_000),
        "Pauses the schedule after so many failures in a row.",
    ),
    Key("note", Group.FIELD, TEXT, "Free text for people.", in_defaults=False),
)

OPTIONS: Final = (
    Key(
        "time_limit",
        Group.OPTION,
        duration(),
        "A job that runs longer is killed.",
        target="time_limit_ms",
    ),
    Key(
        "soft_time_limit",
        Group.OPTION,
        duration(),
        "A job that runs longer gets an exception that it can catch.",
        target="soft_time_limit_ms",
    ),
    Key(
        "expires",
        Group.OPTION,
        duration(),
        "A job that has not started after so long is not run.",
        target="expires_ms",
    ),
    Key("retry", Group.OPTION, RETRY, "Attempts after failures: {max: 5, backoff: 10s..10m}."),
)

#: All keys of a schedule by name.
SCHEDULE_KEYS: Final = {
    key.name: key for key in (*FIELDS[:1], *TRIGGERS, *DETAILS, *TIMETABLE, *FIELDS[1:], *OPTIONS)
}
#: Keys that a member of ``any:`` may have.
MEMBER_KEYS: Final = {key.name: key for key in (*TRIGGERS, *DETAILS, *TIMETABLE[:1])}
TRIGGER_NAMES: Final = tuple(key.name for key in TRIGGERS)
#: Keys of the file itself; those that begin with ``x-`` are left alone, as places for anchors.
FILE_KEYS: Final = ("version", "defaults", "calendars", "schedules")

#: Words of neighbours that are no keys here -> the key that is meant, and what to do.
HINTS: Final = {
    "schedule": ("cron", 'write "cron: …" or "every: …"'),
    "crontab": ("cron", 'write "cron: …"'),
    "interval": ("every", 'write "every: …"'),
    "seconds": ("every", 'write "every: 30s"'),
    "minutes": ("every", 'write "every: 5m"'),
    "hours": ("every", 'write "every: 2h"'),
    "run_date": ("at", 'write "at: …"'),
    "eta": ("at", 'write "at: …"'),
    "tz": ("timezone", 'write "timezone: …"'),
    "enabled": ("paused", 'write "paused: true" for "enabled: false"'),
    "name": ("", "the key above it is the schedule's name"),
    "id": ("", "the key above it is the schedule's name"),
    "func": ("task", 'write "task: …"'),
    "job": ("task", 'write "task: …"'),
    "timeout": ("time_limit", 'write "time_limit: …"'),
    "activeDeadlineSeconds": ("time_limit", 'write "time_limit: …"'),
    "backoffLimit": ("retry", 'write "retry: {max: …}"'),
    "retries": ("retry", 'write "retry: {max: …}"'),
    "max_retries": ("retry", 'write "retry: {max: …}"'),
    "start_date": ("start", 'write "start: …"'),
    "end_date": ("end", 'write "end: …"'),
    "description": ("note", 'write "note: …"'),
    "comment": ("note", 'write "note: …"'),
}
