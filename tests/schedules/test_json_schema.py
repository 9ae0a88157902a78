"""The JSON Schema knows the keys that the validator knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from beatline_schedules import json_schema
from beatline_schedules.keys import FILE_KEYS, MEMBER_KEYS, SCHEDULE_KEYS
from beatline_schedules.neighbours import ALIASES
from tests.schedules.conftest import Examine
from tests.schedules.test_declaring import FULL


def test_json_schema_when_made_then_it_holds_every_key_with_a_description() -> None:
    schema = json_schema()

    schedule = schema["definitions"]["schedule"]["properties"]
    assert {*SCHEDULE_KEYS, *ALIASES} == set(schedule)
    assert {*MEMBER_KEYS, "timeZone"} == set(schema["definitions"]["trigger"]["properties"])
    assert set(FILE_KEYS) == set(schema["properties"])
    assert all(entry["description"] for entry in schedule.values())
    assert "task" not in schema["properties"]["defaults"]["properties"]


def test_json_schema_when_made_then_it_is_plain_json() -> None:
    schema = json_schema()

    assert schema == json.loads(json.dumps(schema))


def test_json_schema_when_a_library_checks_it_then_it_is_one_and_takes_what_we_take(
    examine_text: Examine,
) -> None:
    jsonschema: Any = pytest.importorskip("jsonschema")
    import yaml

    validator = jsonschema.Draft7Validator(json_schema())
    jsonschema.Draft7Validator.check_schema(json_schema())
    text = FULL.replace("2026-01-01", "'2026-01-01'").replace("2027-01-01T00:00:00Z", "'x'")

    assert [] == examine_text(FULL).problems
    assert [] == list(validator.iter_errors(yaml.safe_load(text)))
    wrongs: list[Any] = [{}, {"schedules": {"a": {}}}, {"schedules": {}, "x": 1}]
    for wrong in wrongs:
        assert list(validator.iter_errors(wrong))
