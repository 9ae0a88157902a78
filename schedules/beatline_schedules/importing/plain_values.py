"""
Arguments as plain JSON types: what a schedule file can hold.

Other schedulers keep arguments as Python objects. Dates and the like become text, with a remark,
because the task will get text; what has no text of its own cannot be imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from beatline_schedules.importing.entry import Unsupported

#: How deep values may lie in each other; a loop would have no end.
_MAX_DEPTH: Final = 32
#: Integers that every reader of JSON and msgpack keeps.
_INT_LIMIT: Final = 2**63


class PlainValues:
    """
    Turns values into plain ones and collects what was changed on the way.

    Attributes:
        remarks: One sentence for each value that the task will get in another form.
    """

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def plain(self, value: Any, where: str, depth: int = 0) -> Any:
        """
        The value in plain JSON types.

        Args:
            value: Anything.
            where: What it is, for remarks: ``args[0]``.
            depth: How deep it lies.

        Raises:
            Unsupported: It has no such form.
        """
        if depth > _MAX_DEPTH:
            raise Unsupported(f"{where} is nested too deep")
        if isinstance(value, Enum):
            return self.plain(value.value, where, depth + 1)
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return self._integer(value, where)
        if isinstance(value, float):
            return value if isfinite(value) else self._as_text(value, where, str(value))
        if isinstance(value, Mapping):
            return self._mapping(value, where, depth)
        if isinstance(value, (list, tuple)):
            return [self.plain(one, f"{where}[{i}]", depth + 1) for i, one in enumerate(value)]
        if isinstance(value, Set):
            return self._set(value, where, depth)
        return self._other(value, where)

    def _integer(self, value: int, where: str) -> Any:
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return value
        return self._as_text(value, where, str(value))

    def _mapping(self, value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, one in value.items():
            name = key if isinstance(key, str) else str(self._as_text(key, f"a key of {where}"))
            plain[name] = self.plain(one, f"{where}.{name}", depth + 1)
        return plain

    def _set(self, value: Set[Any], where: str, depth: int) -> list[Any]:
        self.remarks.append(f"{where} was a set; the task gets a list")
        items = [self.plain(one, where, depth + 1) for one in value]
        return sorted(items, key=lambda one: (str(type(one)), str(one)))

    def _other(self, value: Any, where: str) -> Any:
        if isinstance(value, (datetime, date, time)):
            return self._as_text(value, where, value.isoformat())
        if isinstance(value, (Decimal, UUID)):
            return self._as_text(value, where, str(value))
        if isinstance(value, timedelta):
            self.remarks.append(f"{where} was a timedelta; the task gets a number of seconds")
            return value.total_seconds()
        raise Unsupported(f"{where} is of type {type(value).__name__}, which YAML cannot hold")

    def _as_text(self, value: Any, where: str, text: str | None = None) -> str:
        self.remarks.append(f"{where} was of type {type(value).__name__}; the task gets text")
        return str(value) if text is None else text
