"""Jobs of an APScheduler 3 scheduler as schedules, recognised by their attributes."""

from __future__ import annotations

import re
from typing import Any, Final

from beatline_schedules.importing.apscheduler_times import apscheduler_trigger, grace_text
from beatline_schedules.importing.entry import Entry, Imported, LeftOut, Unsupported
from beatline_schedules.importing.naming import Names
from beatline_schedules.importing.plain_values import PlainValues

#: Ids that APScheduler draws where nobody names one: they differ at each start.
_DRAWN = re.compile(r"[0-9a-f]{32}")
#: Defaults of APScheduler's job_defaults.
_DEFAULTS: Final = {"misfire_grace_time": 1, "coalesce": True, "max_instances": 1}
_REMARKS: Final = (
    "the functions have to be registered as tasks: @app.task, under the names given here",
    "a run that is still going on makes the next one be skipped, as with max_instances=1",
    "a run that was later than misfire_grace_time (1 s unless said) was dropped: catch_up: none. "
    "Here one that is later than grace (5s) is recorded as missed",
)


def import_jobs(scheduler: Any, *, title: str = "APScheduler") -> Imported:
    """
    The schedules of a scheduler; it need not have been started.

    Args:
        scheduler: Anything with ``get_jobs()``.
        title: What it is called in the output.

    Raises:
        Unsupported: It has none.
    """
    if not callable(getattr(scheduler, "get_jobs", None)):
        raise Unsupported(f"{type(scheduler).__name__} has no get_jobs(): it is no scheduler")
    defaults = {**_DEFAULTS, **(getattr(scheduler, "_job_defaults", None) or {})}
    names = Names()
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    for label, job in sorted(
        ((_label(job), job) for job in scheduler.get_jobs()), key=lambda pair: pair[0]
    ):
        try:
            entries.append(_entry(names.take(label), job, defaults))
        except Unsupported as unsupported:
            left_out.append(LeftOut(label, unsupported.reason))
    return Imported(title, tuple(entries), tuple(left_out), _REMARKS)


def _label(job: Any) -> str:
    given = str(getattr(job, "id", "") or "")
    if given and not _DRAWN.fullmatch(given):
        return given
    return str(getattr(job, "name", "") or _task(job) or "job")


def _entry(name: str, job: Any, defaults: dict[str, Any]) -> Entry:
    task = _task(job)
    if not task:
        raise Unsupported("its function has no name that can be imported")
    trigger, remarks = apscheduler_trigger(job.trigger)
    values = PlainValues()
    fields: dict[str, Any] = {"task": task, **trigger}
    args, kwargs = getattr(job, "args", None) or (), getattr(job, "kwargs", None) or {}
    if args:
        fields["args"] = values.plain(list(args), "args")
    if kwargs:
        fields["kwargs"] = values.plain(kwargs, "kwargs")
    fields |= _policies(job, defaults, remarks)
    if getattr(job, "next_run_time", True) is None:
        fields["paused"] = True
        remarks.append("it was paused (next_run_time=None)")
    return Entry(name, fields, "", (*remarks, *values.remarks))


def _task(job: Any) -> str:
    reference = getattr(job, "func_ref", None)
    if not isinstance(reference, str):
        function = getattr(job, "func", None)
        module = getattr(function, "__module__", "")
        reference = f"{module}:{getattr(function, '__qualname__', '')}"
    module, _, attribute = reference.partition(":")
    if not attribute or "<" in attribute:
        return ""
    return f"{module}.{attribute}"


def _policies(job: Any, defaults: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    """Overlap and catching up; what is our default is left out."""
    fields: dict[str, Any] = {}
    instances = getattr(job, "max_instances", defaults["max_instances"])
    if instances != 1:
        fields["overlap"] = "allow"
        remarks.append(f"max_instances={instances}: here there is no limit but 1 or none")
    late = getattr(job, "misfire_grace_time", defaults["misfire_grace_time"])
    coalesces = getattr(job, "coalesce", defaults["coalesce"])
    if late is None:
        fields["catch_up"] = "latest" if coalesces else "all"
        fields["catch_up_window"] = "52w"
        remarks.append("misfire_grace_time=None: a late run came however late; here within a year")
    elif late <= 5:
        fields["catch_up"] = "none"
        if late != _DEFAULTS["misfire_grace_time"]:
            remarks.append(f"misfire_grace_time={late:g} s; grace is 5s unless you say it")
    else:
        fields["catch_up"] = "latest" if coalesces else "all"
        fields["catch_up_window"] = grace_text(late)
    return fields
