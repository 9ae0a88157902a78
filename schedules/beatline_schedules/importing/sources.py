"""The sources that can be imported from, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from beatline.errors import InvalidSetting, WrongUse
from beatline.triggers import zone
from beatline_schedules.importing.apscheduler_jobs import import_jobs
from beatline_schedules.importing.celery_entries import import_beat_schedule
from beatline_schedules.importing.checking import checked
from beatline_schedules.importing.crontab import SHELL_TASK, import_crontab
from beatline_schedules.importing.entry import Imported, Unsupported
from beatline_schedules.importing.kubernetes import import_cronjobs
from beatline_schedules.importing.modules import beat_schedule_of, load_place, scheduler_of
from beatline_schedules.importing.redbeat import PREFIX, import_redbeat


class Source(StrEnum):
    """Where schedules can be imported from."""

    #: The text of a crontab.
    CRONTAB = "crontab"
    #: A Celery app, its ``beat_schedule``, or a module that holds one of them.
    CELERY = "celery"
    #: Definitions of celery-redbeat by the keys of their hashes.
    REDBEAT = "redbeat"
    #: The text of a Kubernetes manifest.
    K8S = "k8s"
    #: An APScheduler 3 scheduler, or a module that holds one.
    APSCHEDULER = "apscheduler"


def import_schedules(
    source: Source | str,
    given: Any,
    *,
    title: str = "",
    task: str = SHELL_TASK,
    timezone: str = "",
    has_user_column: bool = False,
    prefix: str = PREFIX,
) -> Imported:
    """
    The schedules of another scheduler, as this one would declare them.

    Args:
        source: One of `Source`.
        given: What that source needs: text for ``crontab`` and ``k8s``; for ``celery`` and
            ``apscheduler`` an object, or the place of one as ``module:attribute``; for
            ``redbeat`` a mapping of keys to definitions.
        title: What it was read from, for the head of the file.
        task: Task that gets the command lines of ``crontab`` and ``k8s``.
        timezone: Zone of times where the source does not say one.
        has_user_column: For ``crontab``: a user stands before each command.
        prefix: For ``redbeat``: what stands before names in keys.

    Returns:
        Entries that `sched schedules check` accepts, and what was left out, with reasons.

    Raises:
        WrongUse: The source is unknown, or ``given`` is not what it needs, such as a manifest
            that is no YAML.
        InvalidTrigger: There is no such time zone.
        AppNotLoadable: A module cannot be imported, or does not hold what is wanted.
    """
    try:
        kind = Source(source)
    except ValueError:
        known = ", ".join(Source)
        raise InvalidSetting(f"source {source!r} is unknown", remedy=f"known: {known}") from None
    if timezone:
        zone(timezone)
    asked = _Asked(title, task, timezone, has_user_column, prefix)
    try:
        return checked(_IMPORTERS[kind](given, asked))
    except Unsupported as unsupported:
        raise WrongUse(unsupported.reason) from None


@dataclass(frozen=True, slots=True)
class _Asked:
    """How something is to be imported."""

    title: str
    task: str
    timezone: str
    has_user_column: bool
    prefix: str


def _from_crontab(given: Any, asked: _Asked) -> Imported:
    return import_crontab(
        _text(given, Source.CRONTAB),
        title=asked.title or "a crontab",
        task=asked.task,
        timezone=asked.timezone,
        has_user_column=asked.has_user_column,
    )


def _from_celery(given: Any, asked: _Asked) -> Imported:
    found, own_zone = beat_schedule_of(_loaded(given), _place(given))
    title = asked.title or f"Celery: {_place(given)}"
    return import_beat_schedule(found, timezone=asked.timezone or own_zone, title=title)


def _from_redbeat(given: Any, asked: _Asked) -> Imported:
    if not isinstance(given, Mapping):
        raise WrongUse(f"redbeat needs a mapping, not a {type(given).__name__}")
    title = asked.title or "redbeat"
    return import_redbeat(given, prefix=asked.prefix, timezone=asked.timezone, title=title)


def _from_k8s(given: Any, asked: _Asked) -> Imported:
    return import_cronjobs(
        _text(given, Source.K8S),
        title=asked.title or "Kubernetes CronJobs",
        task=asked.task,
        timezone=asked.timezone,
    )


def _from_apscheduler(given: Any, asked: _Asked) -> Imported:
    scheduler = scheduler_of(_loaded(given), _place(given))
    return import_jobs(scheduler, title=asked.title or f"APScheduler: {_place(given)}")


def _text(given: Any, source: Source) -> str:
    if not isinstance(given, str):
        raise WrongUse(f"{source} needs text, not a {type(given).__name__}")
    return given


def _loaded(given: Any) -> Any:
    return load_place(given) if isinstance(given, str) else given


def _place(given: Any) -> str:
    return given if isinstance(given, str) else type(given).__name__


_IMPORTERS: Final = {
    Source.CRONTAB: _from_crontab,
    Source.CELERY: _from_celery,
    Source.REDBEAT: _from_redbeat,
    Source.K8S: _from_k8s,
    Source.APSCHEDULER: _from_apscheduler,
}
