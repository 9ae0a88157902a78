"""
Settings: what can be said, in which order of preference, and the defaults.

Command line, then environment (``BEATLINE_<NAME>``), then ``App(...)``, then the default. The
URL of Redis is ``BEATLINE_REDIS_URL``. Nothing needs to be set to start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from beatline.errors import InvalidSetting
from beatline.ids import MAX_PARTITIONS
from beatline.units import duration_ms

#: A duration as the API takes it: seconds, "5m", or a timedelta.
Duration = str | float | timedelta

#: The queue of jobs that name none.
DEFAULT_QUEUE: Final = "default"
#: Priority of jobs that name none; 0 is the lowest, 9 the highest.
DEFAULT_PRIORITY: Final = 4
#: Shortest lease, ms: below it a busy machine's scheduling delays read as death.
MIN_LEASE_MS: Final = 1_000

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_QUEUE = re.compile(r"[A-Za-z0-9_.\-/@+]{1,100}")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All settings of an app, checked.

    Attributes:
        redis: URL of Redis; None takes the embedded server of the nearest ``.beatline`` folder.
        namespace: First part of every key, 1 to 64 letters, digits, ``_ . -``.
        lease_ms: How long a silent worker keeps its jobs.
        max_deliveries: Deaths of its process that a job may cause before it is buried.
        partitions: Number of partitions, fixed for a namespace once data is in it.
        result_ttl_ms: How long results are kept.
        timezone: Meaning of naive datetimes given as ``eta``.
        default_queue: Queue of jobs that name none.
        unknown_task_ttl_ms: How long a job waits for a worker that knows its task.
        socket_timeout_ms: Longest wait for one reply of Redis.
        call_timeout_ms: Longest a client call takes before it raises.
    """

    redis: str | None = None
    namespace: str = "sched"
    lease_ms: int = 15_000
    max_deliveries: int = 3
    partitions: int = 1
    result_ttl_ms: int = 86_400_000
    timezone: str = "UTC"
    default_queue: str = DEFAULT_QUEUE
    unknown_task_ttl_ms: int = 600_000
    socket_timeout_ms: int = 3_000
    call_timeout_ms: int = 4_500

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.namespace):
            raise InvalidSetting(
                f"namespace {self.namespace!r} is not a name",
                remedy="use 1 to 64 letters, digits, '_', '.', '-'",
            )
        check_queue(self.default_queue, "default_queue")
        _check_range("lease", self.lease_ms, MIN_LEASE_MS, 86_400_000, "ms")
        _check_range("max_deliveries", self.max_deliveries, 1, 1000)
        _check_range("partitions", self.partitions, 1, MAX_PARTITIONS)
        _check_range("result_ttl", self.result_ttl_ms, 1000, 10 * 365 * 86_400_000, "ms")

    def with_environment(self, environ: Mapping[str, str] | None = None) -> Settings:
        """
        These settings, overruled by ``BEATLINE_<NAME>`` variables.

        Raises:
            InvalidSetting: A variable's value does not fit; the error names the variable.
        """
        environ = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        if environ.get("BEATLINE_REDIS_URL"):
            given["redis"] = environ["BEATLINE_REDIS_URL"]
        for field in fields(self):
            setting = field.name.removesuffix("_ms")
            text = environ.get(f"BEATLINE_{setting.upper()}")
            if not text or setting == "redis":
                continue
            given[field.name] = _from_text(field.name, text)
        return replace(self, **given) if given else self


def settings_from(options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """
    Settings from the keyword arguments of ``App``.

    Args:
        options: Names without the unit: ``lease="15s"``, ``result_ttl=timedelta(days=1)``.
        environ: Environment to overrule them; None takes the process's own.

    Raises:
        InvalidSetting: Unknown names and values out of range, with the nearest known name.
    """
    given: dict[str, Any] = {}
    names = {field.name.removesuffix("_ms"): field.name for field in fields(Settings)}
    for name, value in options.items():
        if name not in names:
            from_known = ", ".join(sorted(names))
            raise InvalidSetting(f"unknown setting {name!r}", remedy=f"known are: {from_known}")
        if value is None:
            continue
        target = names[name]
        given[target] = duration_ms(value, name) if target.endswith("_ms") else value
    return Settings(**given).with_environment(environ)


def check_queue(name: object, where: str = "queue") -> str:
    """
    The name of a queue, if it is one.

    Raises:
        InvalidSetting: For anything but 1 to 100 letters, digits and ``_ . - / @ +``.
    """
    if not isinstance(name, str) or not _QUEUE.fullmatch(name):
        raise InvalidSetting(
            f"{where} {name!r} is not a queue name",
            remedy="use 1 to 100 letters, digits, '_', '.', '-', '/', '@', '+'",
        )
    return name


def check_priority(value: object) -> int:
    """
    The priority, if it is one: 0 (lowest) to 9 (highest).

    Raises:
        InvalidSetting: For anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 9:
        raise InvalidSetting(
            f"priority {value!r} is not one", remedy="use 0 (lowest) to 9 (highest)"
        )
    return value


def _from_text(name: str, text: str) -> Any:
    variable = f"BEATLINE_{name.removesuffix('_ms').upper()}"
    if name.endswith("_ms"):
        return duration_ms(float(text) if _is_number(text) else text, variable)
    if name in ("max_deliveries", "partitions"):
        if not text.isdecimal():
            raise InvalidSetting(f"{variable}={text!r} is not a whole number", remedy="use digits")
        return int(text)
    return text


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII))


def _check_range(name: str, value: object, low: int, high: int, unit: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidSetting(
            f"{name} {value!r} is out of range", remedy=f"use {low} to {high} {unit}".rstrip()
        )
