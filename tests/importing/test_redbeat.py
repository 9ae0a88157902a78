"""celery-redbeat's definitions, as redbeat 2.4 writes them, and the keys in which they lie."""

from __future__ import annotations

import json
from typing import Any

import redis

from beatline_schedules.importing.redbeat_keys import read_definitions
from tests.importing.conftest import Import, only
from tests.servers import RedisProcess

CRONTAB = {
    "__type__": "crontab",
    "minute": "*/5",
    "hour": "*",
    "day_of_week": "monday",
    "day_of_month": "*",
    "month_of_year": "*",
}


def definition(schedule: Any, **more: Any) -> str:
    return json.dumps(
        {
            "name": "it",
            "task": "shop.close",
            "args": [],
            "kwargs": {},
            "options": {},
            "schedule": schedule,
            "enabled": True,
            **more,
        }
    )


def test_redbeat_when_the_schedule_is_a_crontab_then_it_becomes_cron(bring: Import) -> None:
    entry = only(bring("redbeat", {"redbeat:it": definition(CRONTAB, args=[1])}))

    assert {"task": "shop.close", "cron": "*/5 * * * mon", "args": [1]} == entry.fields
    assert "redbeat:it" == entry.origin


def test_redbeat_when_both_day_fields_are_restricted_then_both_count_as_in_celery(
    bring: Import,
) -> None:
    crontab = {**CRONTAB, "minute": 0, "hour": 9, "day_of_month": "8-14", "day_of_week": [1]}

    entry = only(bring("redbeat", {"redbeat:it": definition(crontab)}))

    assert "0 9 * * mon#2" == entry.fields["cron"]


def test_redbeat_when_an_entry_is_disabled_then_it_is_paused(bring: Import) -> None:
    interval = {"__type__": "interval", "every": 60.5, "relative": False}

    entry = only(bring("redbeat", {"redbeat:it": definition(interval, enabled=False)}))

    assert "1m500ms" == entry.fields["every"]
    assert entry.fields["paused"] is True


def test_redbeat_when_the_schedule_is_a_rule_then_it_becomes_an_rrule(bring: Import) -> None:
    rule = {
        "__type__": "rrule",
        "freq": 2,
        "interval": 2,
        "wkst": None,
        "count": None,
        "byweekday": [{"__type__": "weekday", "wkday": 0}, 4],
        "byhour": 9,
        "dtstart": 1767258000,
        "dtstart_tz": 60.0,
        "until": 1798794000,
        "until_tz": 0,
    }

    entry = only(bring("redbeat", {"redbeat:it": definition(rule)}, timezone="Europe/Berlin"))

    expected = (
        "DTSTART:20260101T090000Z\n"
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYHOUR=9;BYDAY=MO,FR;UNTIL=20270101T090000Z"
    )
    assert expected == entry.fields["rrule"]


def test_redbeat_when_arguments_hold_moments_then_they_become_text(bring: Import) -> None:
    moment = {
        "__type__": "datetime",
        "year": 2026,
        "month": 1,
        "day": 2,
        "hour": 3,
        "minute": 4,
        "second": 5,
        "microsecond": 0,
        "timezone": 7200,
    }
    interval = {"__type__": "interval", "every": 60, "relative": True}

    entry = only(bring("redbeat", {"redbeat:it": definition(interval, kwargs={"at": moment})}))

    assert {"at": "2026-01-02T03:04:05+02:00"} == entry.fields["kwargs"]
    assert "kwargs.at was of type datetime; the task gets text" in entry.remarks


def test_redbeat_when_definitions_are_no_good_then_each_is_left_out_with_a_reason(
    bring: Import,
) -> None:
    imported = bring(
        "redbeat",
        {
            "redbeat:a": "{",
            "redbeat:b": "[]",
            "redbeat:c": definition({"__type__": "solar", "event": "sunset"}),
            "redbeat:d": definition({**CRONTAB, "minute": "61"}),
            "redbeat:e": definition({"__type__": "interval", "every": None}),
            "redbeat:f": b"\xff",
            "redbeat:g": definition(60, task=None),
        },
    )

    assert () == imported.entries
    assert list("abcdefg") == [one.name[-1] for one in imported.left_out]


def test_redbeat_when_keys_are_read_then_its_other_keys_are_passed_over(
    redis_server: RedisProcess,
) -> None:
    with redis_server.client() as client:
        client.hset("redbeat:it", mapping={"definition": definition(CRONTAB), "meta": "{}"})
        client.hset("redbeat:half", mapping={"meta": "{}"})
        client.zadd("redbeat::schedule", {"redbeat:it": 1})
        client.set("redbeat::lock", "x")
        client.sadd("redbeat::statics", "it")
        client.hset("other:it", mapping={"definition": "{}"})

        found = read_definitions(redis.Redis(connection_pool=client.connection_pool))

    assert {"redbeat:it": definition(CRONTAB).encode()} == found
