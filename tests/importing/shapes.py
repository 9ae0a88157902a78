"""Objects with the attributes of Celery's, which is no dependency."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from beatline.triggers.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    FieldKind,
    read_field,
)

_FIELDS: dict[str, FieldKind] = {
    "minute": MINUTE,
    "hour": HOUR,
    "day_of_week": DAY_OF_WEEK,
    "day_of_month": DAY_OF_MONTH,
    "month_of_year": MONTH,
}


def crontab(**given: str | int | Iterable[int]) -> SimpleNamespace:
    """As ``celery.schedules.crontab``: sets of numbers, and how they were written."""
    made = SimpleNamespace(nowfun=None)
    for name, kind in _FIELDS.items():
        written = given.get(name, "*")
        setattr(made, f"_orig_{name}", written)
        setattr(made, name, _expanded(kind, written))
    return made


def schedule(run_every: float | timedelta, *, relative: bool = False) -> SimpleNamespace:
    """As ``celery.schedules.schedule``."""
    if not isinstance(run_every, timedelta):
        run_every = timedelta(seconds=run_every)
    return SimpleNamespace(run_every=run_every, relative=relative, nowfun=None)


def app(beat_schedule: dict[str, Any], timezone: object = None) -> SimpleNamespace:
    """As a Celery app, as far as its schedules go."""
    conf = SimpleNamespace(beat_schedule=beat_schedule, timezone=timezone)
    return SimpleNamespace(conf=conf, task=lambda: None)


def _expanded(kind: FieldKind, written: str | int | Iterable[int]) -> set[int]:
    if isinstance(written, int):
        return {written}
    if not isinstance(written, str):
        return set(written)
    low, high = kind.low, 6 if kind is DAY_OF_WEEK else kind.high
    if written == "*":
        return set(range(low, high + 1))
    return set(read_field(kind, written, None).values)
