"""Keys that Kubernetes' CronJob and APScheduler have for what is called otherwise here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from beatline.schedule import CatchUp, Overlap
from beatline_schedules.document import Node
from beatline_schedules.keys import SCHEDULE_KEYS
from beatline_schedules.kinds import FLAG, ZONE, Schema
from beatline_schedules.reader import Reader


class ConcurrencyPolicy(StrEnum):
    """Kubernetes' words for what happens when jobs overlap."""

    #: ``overlap: skip``
    FORBID = "Forbid"
    #: ``overlap: cancel_running``
    REPLACE = "Replace"
    #: ``overlap: allow``
    ALLOW = "Allow"


_OVERLAP: Final = {
    ConcurrencyPolicy.FORBID: Overlap.SKIP,
    ConcurrencyPolicy.REPLACE: Overlap.CANCEL_RUNNING,
    ConcurrencyPolicy.ALLOW: Overlap.ALLOW,
}


@dataclass(frozen=True, slots=True)
class Alias:
    """
    A neighbour's key.

    Attributes:
        name: As the neighbour writes it.
        target: Our key.
        read: Reads its value as one of our key's.
        schema: JSON Schema of its value.
    """

    name: str
    target: str
    read: Callable[[Reader, Node, str], Any]
    schema: Schema

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return f"Another name for {self.target}. {SCHEDULE_KEYS[self.target].meaning}"


def _read_policy(reader: Reader, node: Node, what: str) -> Overlap | None:
    policy = reader.choice(node, what, ConcurrencyPolicy)
    return None if policy is None else _OVERLAP[policy]


def _read_seconds(reader: Reader, node: Node, what: str) -> int | None:
    return reader.duration_ms(node, what, low_ms=1)


def _read_coalesce(reader: Reader, node: Node, what: str) -> CatchUp | None:
    coalesces = reader.boolean(node, what)
    if coalesces is None:
        return None
    return CatchUp.LATEST if coalesces else CatchUp.ALL


def _read_instances(reader: Reader, node: Node, what: str) -> Overlap | None:
    instances = reader.integer(node, what, 1, 1_000_000)
    if instances is None or instances == 1:
        return None if instances is None else Overlap.SKIP
    reader.report.problem(
        node,
        f"{what} {instances} has no counterpart: a schedule's jobs overlap freely or not at all",
        "write overlap: allow, or overlap: skip",
    )
    return None


_SECONDS: Final[Schema] = {"type": ["integer", "string"], "minimum": 1}

ALIASES: Final = {
    alias.name: alias
    for alias in (
        Alias("timeZone", "timezone", ZONE.read, ZONE.schema),
        Alias("suspend", "paused", FLAG.read, FLAG.schema),
        Alias(
            "concurrencyPolicy",
            "overlap",
            _read_policy,
            {"enum": [str(policy) for policy in ConcurrencyPolicy]},
        ),
        Alias("startingDeadlineSeconds", "catch_up_window", _read_seconds, _SECONDS),
        Alias("misfire_grace_time", "catch_up_window", _read_seconds, _SECONDS),
        Alias("coalesce", "catch_up", _read_coalesce, {"type": "boolean"}),
        Alias("max_instances", "overlap", _read_instances, {"const": 1}),
    )
}
