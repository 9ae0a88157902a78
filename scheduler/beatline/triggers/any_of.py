"""The union of triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beatline.errors import InvalidTrigger
from beatline.triggers.trigger import Trigger

#: Most members that a union may have; each costs one question at each fire.
_MAX_MEMBERS = 100


class AnyOf(Trigger):
    """
    Fires where any of its members does; instants that several name fire once.

    Args:
        triggers: One to a hundred triggers. Unions among them are taken apart.
        timezone: IANA name of the zone whose days a timetable excludes; default: the first
            member's. The members keep their own.

    Raises:
        InvalidTrigger: There are none, or too many.
    """

    def __init__(self, triggers: Sequence[Trigger], timezone: str | None = None) -> None:
        members: list[Trigger] = []
        for trigger in triggers:
            members.extend(trigger.members if isinstance(trigger, AnyOf) else (trigger,))
        if not 1 <= len(members) <= _MAX_MEMBERS:
            raise InvalidTrigger(
                f"any has {len(members)} triggers", remedy=f"list 1 to {_MAX_MEMBERS}"
            )
        self.members: tuple[Trigger, ...] = tuple(members)
        self.timezone = timezone or members[0].timezone

    def next_ms(self, after_ms: int) -> int | None:
        """The earliest fire time of a member strictly after an instant, UTC milliseconds."""
        earliest: int | None = None
        for member in self.members:
            next_ms = member.next_ms(after_ms)
            if next_ms is not None and (earliest is None or next_ms < earliest):
                earliest = next_ms
        return earliest

    def spec(self) -> dict[str, Any]:
        """``{"any": [spec, …], "timezone": …}``; each member says its zone, also if it is UTC."""
        members = [{**member.spec(), "timezone": member.timezone} for member in self.members]
        return {"any": members, "timezone": self.timezone}

    def interval_floor_ms(self) -> int | None:
        """The shortest interval of a member, ms: those of two members may be closer still."""
        floors = [member.interval_floor_ms() for member in self.members]
        return min((floor for floor in floors if floor is not None), default=None)

    def remarks(self) -> list[str]:
        """The members' remarks."""
        return [remark for member in self.members for remark in member.remarks()]

    def dst_remark(self, fire_ms: int) -> str:
        """The remarks of the members that fire then."""
        remarks = [
            member.dst_remark(fire_ms)
            for member in self.members
            if member.next_ms(fire_ms - 1) == fire_ms
        ]
        return "; ".join(remark for remark in dict.fromkeys(remarks) if remark)
