"""
Where and when a job goes: the options of one call, and what a record's head says of them.

Pure: what depends on the server's clock is given as a function. `Route` is worked out once for
a call, however many jobs it makes; for a task's plain calls it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from beatline.errors import InvalidSetting, UnserializableArgument
from beatline.ids import id_from_text, is_ours
from beatline.job import (
    FLAG_IGNORE_RESULT,
    FLAG_OWN_ID,
    FLAG_SKIP_UNSURE,
    record_body,
    record_head,
)
from beatline.options import (
    LONGEST_MS,
    TaskOptions,
    check_duration,
    check_limits,
    check_names,
)
from beatline.payload import plain
from beatline.settings import Duration, Settings, check_priority, check_queue
from beatline.units import duration_ms, instant_ms, instant_us

#: How far a job must have got before the call returns: the server's memory (as its persistence
#: setting has it), its disk, or one replica.
Durability = Literal["memory", "fsync", "replica"]

#: Largest record, bytes: Redis answers nobody else while it copies one.
LARGEST_RECORD: Final = 16 << 20

#: Most tags of a job, and the longest one, characters: they travel in each record.
MOST_TAGS: Final = 20
LONGEST_TAG: Final = 100

#: Due of a job that is ready at once.
NOW: Final = "0"


class SendOptions(TypedDict, total=False):
    """
    The options of one call, with Celery's names. None is as good as leaving one out.

    Attributes:
        countdown: Earliest start, from the server's now.
        eta: Earliest start as an instant; a naive datetime is in the app's time zone.
        expires: A job that has not started by then does not run: from now, or an instant.
        queue: Instead of the task's.
        priority: Instead of the task's, 0 (lowest) to 9 (highest).
        task_id: An id of your own: repeating a call with it makes at most one job.
        headers: Travel with the job, for ``current_job().headers``.
        tags: Words by which jobs that have not ended are found: ``app.jobs.list(tag=…)``.
        ignore_result: Instead of the task's.
        time_limit: Instead of the task's.
        soft_time_limit: Instead of the task's.
        durability: How far the job must have got before the call returns.
    """

    countdown: Duration | None
    eta: datetime | None
    expires: Duration | datetime | None
    queue: str | None
    priority: int | None
    task_id: str | None
    headers: Mapping[str, Any] | None
    tags: Sequence[str] | None
    ignore_result: bool | None
    time_limit: Duration | None
    soft_time_limit: Duration | None
    durability: Durability | None


_NAMES: Final = tuple(SendOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class Route:
    """
    What the jobs of one call have in common.

    Attributes:
        head: What scripts read of their records.
        due: ``"0"``, ``"+ms"`` from the server's now, or UTC ms.
        options: Options of the record's body, or None.
        ignores_result: Nothing is kept of their ends.
        task_id: The caller's own id, as Redis has it, or None.
        durability: How far they must get, or None.
        is_plain: They are new and ready at once, and nobody waits for copies.
    """

    head: bytes
    due: str = NOW
    options: dict[str, Any] | None = None
    ignores_result: bool = False
    task_id: bytes | None = None
    durability: Durability | None = None
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        is_plain = self.due == NOW and self.task_id is None and self.durability is None
        object.__setattr__(self, "is_plain", is_plain)

    def record(self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """
        The record of one job.

        Raises:
            UnserializableArgument: A value cannot travel, or all together are too large.
        """
        record = self.head + record_body(task, args, kwargs, self.options)
        if len(record) > LARGEST_RECORD:
            raise UnserializableArgument(
                f"the arguments of {task} take {len(record)} bytes",
                path="args",
                remedy=f"at most {LARGEST_RECORD} can be sent: store them, and send where they are",
            )
        return record


def route_for(
    given: Mapping[str, Any],
    task: TaskOptions,
    settings: Settings,
    server_now_ms: Callable[[], int],
) -> Route:
    """
    The route of one call.

    Args:
        given: What the caller wrote, as `SendOptions`.
        task: Options of the task, which the caller's overrule.
        settings: Settings of the app.
        server_now_ms: The server's clock; asked only where it matters.

    Raises:
        InvalidSetting: An option is unknown or its value does not fit.
        InvalidTaskId: The ``task_id`` cannot be one.
        UnserializableArgument: A header cannot travel.
    """
    check_names(given, _NAMES, "apply_async")
    said = {name: value for name, value in given.items() if value is not None}
    queue = check_queue(said.get("queue") or task.queue or settings.default_queue)
    priority = check_priority(said.get("priority", task.priority))
    ignores_result = said.get("ignore_result", task.ignore_result)
    if not isinstance(ignores_result, bool):
        raise InvalidSetting(
            f"ignore_result {ignores_result!r} is not a bool", remedy="use True or False"
        )
    raw_id = id_from_text(said["task_id"]) if "task_id" in said else None
    flags = FLAG_IGNORE_RESULT if ignores_result else 0
    if task.on_unsure == "skip":
        flags |= FLAG_SKIP_UNSURE
    if raw_id is not None and not is_ours(raw_id):
        flags |= FLAG_OWN_ID
    due, options = _when(said, settings, server_now_ms)
    options |= _limits(said, task)
    expires_ms = _expires_ms(said.get("expires"), task, settings, server_now_ms)
    if expires_ms is not None:
        options["expires"] = expires_ms
    if said.get("headers"):
        options["headers"] = _headers(said["headers"])
    if said.get("tags"):
        options["tags"] = _tags(said["tags"])
    return Route(
        record_head(queue, priority, flags),
        due,
        options or None,
        ignores_result,
        raw_id,
        _durability(said.get("durability")),
    )


def _when(
    said: Mapping[str, Any], settings: Settings, server_now_ms: Callable[[], int]
) -> tuple[str, dict[str, Any]]:
    if "countdown" in said and "eta" in said:
        raise InvalidSetting("countdown and eta are both given", remedy="give one of them")
    if "eta" in said:
        eta = said["eta"]
        if not isinstance(eta, datetime):
            raise InvalidSetting(
                f"eta {eta!r} is not a datetime", remedy="pass a datetime, or use countdown"
            )
        eta_us = instant_us(eta, app_zone(settings))
        return _due_text(max(eta_us, 0)), {"eta": -(-eta_us // 1_000)}
    if "countdown" not in said:
        return NOW, {}
    delay_ms = _countdown_ms(said["countdown"])
    # The server adds the delay to its own now; the record keeps the instant for those who ask.
    return (f"+{delay_ms}" if delay_ms else NOW), {"eta": server_now_ms() + delay_ms}


def _due_text(eta_us: int) -> str:
    """An instant in ms as scripts read it: to the microsecond, where there are any."""
    eta_ms, rest_us = divmod(eta_us, 1_000)
    return f"{eta_ms}.{rest_us:03}" if rest_us else str(eta_ms)


def app_zone(settings: Settings) -> ZoneInfo:
    """
    The app's time zone, in which naive datetimes are read.

    Raises:
        InvalidSetting: There is no zone of this name.
    """
    try:
        return ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting(
            f"timezone {settings.timezone!r} is not a time zone",
            remedy='use a name such as "Europe/Berlin" or "UTC"',
        ) from error


def _countdown_ms(value: Any) -> int:
    # A countdown to an instant that has passed is due now, as such an eta is.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        return 0
    delay_ms = duration_ms(value, "countdown")
    if delay_ms > 10 * LONGEST_MS:
        raise InvalidSetting(
            f"countdown {value!r} is more than 100 years", remedy="it is meant in seconds"
        )
    return delay_ms


def _expires_ms(
    value: Any, task: TaskOptions, settings: Settings, server_now_ms: Callable[[], int]
) -> int | None:
    if value is None:
        return None if task.expires_ms is None else server_now_ms() + task.expires_ms
    if isinstance(value, datetime):
        return instant_ms(value, app_zone(settings))
    return server_now_ms() + check_duration(value, "expires")


def _limits(said: Mapping[str, Any], task: TaskOptions) -> dict[str, Any]:
    limits = {
        name: check_duration(said[name], name, shortest_ms=1)
        for name in ("time_limit", "soft_time_limit")
        if name in said
    }
    check_limits(
        limits.get("time_limit", task.time_limit_ms),
        limits.get("soft_time_limit", task.soft_time_limit_ms),
        "apply_async",
    )
    return limits


def _headers(value: Any) -> Any:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidSetting(
            f"headers {value!r} are not a mapping with text keys", remedy="pass a dict"
        )
    return plain(dict(value), "headers")


def _tags(value: Any) -> list[str]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection):
        raise InvalidSetting(f"tags {value!r} are not a list", remedy='pass a list: tags=["eu"]')
    tags = list(dict.fromkeys(value))
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= LONGEST_TAG or not tag.isprintable():
            raise InvalidSetting(
                f"tag {tag!r} is not a tag",
                remedy=f"use 1 to {LONGEST_TAG} printable characters",
            )
    if len(tags) > MOST_TAGS:
        raise InvalidSetting(f"{len(tags)} tags are too many", remedy=f"use {MOST_TAGS} or fewer")
    return tags


def _durability(value: Any) -> Durability | None:
    if value is not None and value not in get_args(Durability):
        raise InvalidSetting(
            f"durability {value!r} is unknown", remedy="use 'memory', 'fsync' or 'replica'"
        )
    return value  # type: ignore[no-any-return]  # one of them, checked above
