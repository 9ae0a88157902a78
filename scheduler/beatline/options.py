"""
What can be said of a task, checked once, when it is declared.

`task_options` turns what was written at ``@app.task(...)`` into `TaskOptions`: frozen, durations
in milliseconds. What can be said of a single call is in `beatline.routing`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypedDict

from beatline.errors import InvalidSetting
from beatline.settings import DEFAULT_PRIORITY, Duration, check_priority, check_queue
from beatline.units import duration_ms

#: What becomes of a job of which nobody knows whether it ran.
OnUnsure = Literal["run", "skip"]
#: What a worker does with a run when it cannot reach Redis any more.
Isolation = Literal["kill"]
#: Classes of exceptions.
ErrorClasses = type[BaseException] | Iterable[type[BaseException]]

#: Factor of the back-off where ``retry_backoff=True``, ms.
BACKOFF_UNIT_MS: Final = 1_000
#: Longest delay or time limit that is taken, ms: ten years; more is a mistake in the unit.
LONGEST_MS: Final = 10 * 366 * 86_400_000


class TaskDeclaration(TypedDict, total=False):
    """
    The options of ``@app.task``, with Celery's names.

    Attributes:
        name: Name of the task; by default ``module.function``.
        base: Class of the task, a subclass of `beatline.Task`.
        queue: Queue of its jobs; by default the app's.
        priority: 0 (lowest) to 9 (highest); by default 4.
        max_retries: Attempts after the first; None without limit; by default 3.
        autoretry_for: Exceptions after which the job runs again by itself.
        dont_autoretry_for: Those of them after which it does not.
        retry_backoff: Double the delay with each attempt, from so many seconds on; True is 1 s.
        retry_backoff_max: Longest such delay; by default 600 s.
        retry_jitter: Draw each such delay between 0 and its value; by default True.
        default_retry_delay: Delay without back-off; by default 180 s.
        time_limit: The job's process is killed after so long.
        soft_time_limit: ``SoftTimeLimitExceeded`` is raised in the task after so long.
        ignore_result: Keep nothing of the jobs' ends.
        expires: Jobs that have not started after so long do not run.
        on_unsure: ``"skip"`` for tasks that must not run twice, whatever happens.
        isolation: ``"kill"``: end a run whose lease may be lost, instead of letting it finish.
    """

    name: str | None
    base: type[Any] | None
    queue: str | None
    priority: int | None
    max_retries: int | None
    autoretry_for: ErrorClasses
    dont_autoretry_for: ErrorClasses
    retry_backoff: bool | Duration
    retry_backoff_max: Duration
    retry_jitter: bool
    default_retry_delay: Duration
    time_limit: Duration | None
    soft_time_limit: Duration | None
    ignore_result: bool
    expires: Duration | None
    on_unsure: OnUnsure
    isolation: Isolation | None


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """
    The options of a task, checked. See `TaskDeclaration` for what they mean.

    Attributes:
        queue: None takes the app's default queue.
        retry_backoff_ms: 0 is no back-off.
        time_limit_ms, soft_time_limit_ms: 0 is none.
        expires_ms: From the moment of sending; None is never.
    """

    queue: str | None = None
    priority: int = DEFAULT_PRIORITY
    max_retries: int | None = 3
    autoretry_for: tuple[type[BaseException], ...] = ()
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    retry_backoff_ms: int = 0
    retry_backoff_max_ms: int = 600_000
    retry_jitter: bool = True
    default_retry_delay_ms: int = 180_000
    time_limit_ms: int = 0
    soft_time_limit_ms: int = 0
    ignore_result: bool = False
    expires_ms: int | None = None
    on_unsure: OnUnsure = "run"
    isolation: Isolation | None = None


#: Names of the options, as they are written.
OPTION_NAMES: Final = tuple(field.name.removesuffix("_ms") for field in fields(TaskOptions))


def task_options(given: Mapping[str, Any], where: str) -> TaskOptions:
    """
    The options of a task.

    Args:
        given: What was written, without ``name``, ``bind`` and ``base``.
        where: What they belong to, such as ``task reports.nightly``, for errors.

    Raises:
        InvalidSetting: An option is unknown or its value does not fit; the error names both.
    """
    check_names(given, OPTION_NAMES, where)
    checked: dict[str, Any] = {}
    for name, value in given.items():
        label = f"{where}: {name}"
        if name in ("queue", "priority") and value is None:
            continue
        try:
            checked[_FIELDS[name]] = _checked(name, value, label)
        except InvalidSetting as error:
            if error.message.startswith(where):
                raise
            raise InvalidSetting(f"{where}: {error.message}", remedy=error.remedy) from None
    options = TaskOptions(**checked)
    check_limits(options.time_limit_ms, options.soft_time_limit_ms, where)
    return options


def check_names(given: Iterable[str], known: Collection[str], where: str) -> None:
    """
    Refuse options that do not exist.

    Raises:
        InvalidSetting: With the nearest known name.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"
            raise InvalidSetting(f"{where}: unknown option {name!r}", remedy=remedy)


def check_limits(time_limit_ms: int, soft_time_limit_ms: int, where: str) -> None:
    """
    Refuse a soft limit that the hard one would always forestall.

    Raises:
        InvalidSetting: The soft limit is not shorter than the hard one.
    """
    if 0 < time_limit_ms <= soft_time_limit_ms:
        raise InvalidSetting(
            f"{where}: soft_time_limit of {soft_time_limit_ms} ms is not shorter than time_limit"
            f" of {time_limit_ms} ms",
            remedy="make soft_time_limit the shorter one",
        )


def check_duration(value: Any, label: str, *, shortest_ms: int = 0) -> int:
    """
    A duration in milliseconds, within bounds.

    Raises:
        InvalidSetting: It is no duration, shorter than ``shortest_ms``, or longer than ten years.
    """
    length_ms = duration_ms(value, label)
    if not shortest_ms <= length_ms <= LONGEST_MS:
        raise InvalidSetting(
            f"{label} {value!r} is out of range", remedy=f"use {shortest_ms} ms to 10 years"
        )
    return length_ms


def _checked(name: str, value: Any, label: str) -> Any:
    if name == "queue":
        return check_queue(value, label)
    if name == "priority":
        return check_priority(value)
    if name == "max_retries":
        return _check_retries(value, label)
    if name in ("autoretry_for", "dont_autoretry_for"):
        return _check_errors(value, label)
    if name == "retry_backoff":
        if isinstance(value, bool):
            return BACKOFF_UNIT_MS if value else 0
        return check_duration(value, label)
    if name in ("time_limit", "soft_time_limit"):
        return 0 if value is None else check_duration(value, label, shortest_ms=1)
    if name == "expires":
        return None if value is None else check_duration(value, label, shortest_ms=1)
    if name in ("retry_backoff_max", "default_retry_delay"):
        return check_duration(value, label)
    if name in ("retry_jitter", "ignore_result"):
        return _check_bool(value, label)
    return _check_choice(value, label, _CHOICES[name])


def _check_retries(value: Any, label: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidSetting(
            f"{label} {value!r} is not a number of attempts",
            remedy="use 0 for none, a positive number, or None without limit",
        )
    return value


def _check_errors(value: Any, label: str) -> tuple[type[BaseException], ...]:
    given: Any = (value,) if isinstance(value, type) or not isinstance(value, Iterable) else value
    classes: list[type[BaseException]] = []
    for one in given:
        if not isinstance(one, type) or not issubclass(one, BaseException):
            raise InvalidSetting(
                f"{label}: {one!r} is not an exception class",
                remedy="pass classes, such as (ConnectionError, TimeoutError)",
            )
        classes.append(one)
    return tuple(classes)


def _check_bool(value: Any, label: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidSetting(f"{label} {value!r} is not a bool", remedy="use True or False")
    return value


def _check_choice(value: Any, label: str, choices: tuple[str | None, ...]) -> str | None:
    if value not in choices:
        shown = " or ".join(repr(choice) for choice in choices)
        raise InvalidSetting(f"{label} {value!r} is not one of its values", remedy=f"use {shown}")
    return value  # type: ignore[no-any-return]  # one of the choices, checked above


_CHOICES: Final[dict[str, tuple[str | None, ...]]] = {
    "on_unsure": ("run", "skip"),
    "isolation": (None, "kill"),
}
#: Name as it is written -> field of `TaskOptions`.
_FIELDS: Final = {field.name.removesuffix("_ms"): field.name for field in fields(TaskOptions)}
