"""The JSON Schema of schedule files, for completion and checks in editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beatline_schedules.keys import (
    FORMAT_VERSION,
    MAX_NAME_BYTES,
    MEMBER_KEYS,
    SCHEDULE_KEYS,
    TRIGGER_NAMES,
    Key,
)
from beatline_schedules.kinds import Schema
from beatline_schedules.neighbours import ALIASES


def json_schema() -> dict[str, Any]:
    """
    The JSON Schema (draft 7) of a schedule file.

    It is made from the table that the validator reads. What only the validator can know (tasks,
    zones, whether a date exists) is left to it.
    """
    defaults = {name: key for name, key in SCHEDULE_KEYS.items() if key.in_defaults}
    schedule = _mapping(SCHEDULE_KEYS)
    schedule["required"] = ["task"]
    schedule["oneOf"] = [{"required": [name]} for name in TRIGGER_NAMES]
    member = _mapping(MEMBER_KEYS)
    member["oneOf"] = schedule["oneOf"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Schedules of Beatline",
        "type": "object",
        "required": ["schedules"],
        "properties": {
            "version": {
                "const": FORMAT_VERSION,
                "description": "Version of the file format.",
            },
            "defaults": {
                **_mapping(defaults),
                "description": "Values for all schedules of the file that do not say otherwise.",
            },
            "calendars": {
                "type": "object",
                "description": "Named sets of dates for exclude: lists, or paths of .ics files.",
                "additionalProperties": {
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
                },
            },
            "schedules": {
                "type": "object",
                "description": "The schedules by name; {} declares that there are none.",
                "propertyNames": {"minLength": 1, "maxLength": MAX_NAME_BYTES},
                "additionalProperties": {"$ref": "#/definitions/schedule"},
            },
        },
        "patternProperties": {"^x-": {"description": "A place for anchors; not read."}},
        "additionalProperties": False,
        "definitions": {"schedule": schedule, "trigger": member},
    }


def _mapping(known: Mapping[str, Key]) -> Schema:
    properties: dict[str, Schema] = {
        name: {**key.kind.schema, "description": key.meaning} for name, key in known.items()
    }
    for name, alias in ALIASES.items():
        if alias.target in known:
            properties[name] = {**alias.schema, "description": alias.meaning}
    return {"type": "object", "properties": properties, "additionalProperties": False}
