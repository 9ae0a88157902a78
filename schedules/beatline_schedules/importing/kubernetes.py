"""
Kubernetes CronJobs: when they run is kept, what they run becomes the argument of a task.

A container cannot be run here: its command line is handed to a task, ``shell.run`` unless told
otherwise, and a remark names the image.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

from beatline_schedules.importing.crontab import SHELL_TASK
from beatline_schedules.importing.entry import Entry, Imported, LeftOut, Unsupported
from beatline_schedules.importing.manifests import read_manifests
from beatline_schedules.importing.naming import Names

#: Kubernetes' words for overlap; Allow is what holds where a CronJob says nothing.
_OVERLAP: Final = {"Allow": "allow", "Forbid": "skip", "Replace": "cancel_running"}
#: Retries where a Job says nothing.
_RETRIES: Final = 6
#: How Kubernetes waits between them: from 10 s doubling to 6 min.
_BACKOFF: Final = "10s..6m"
_REMARKS: Final = (
    "the control plane starts the newest run that it missed, however late unless "
    "startingDeadlineSeconds says otherwise; here within catch_up_window (1h)",
    "Kubernetes leaves out times that a change of the clocks skips; here they fire at its end",
)
_ZONE_PREFIX = re.compile(r"\s*(?:CRON_)?TZ=(\S+)\s+(.*)")


def import_cronjobs(
    text: str, *, title: str = "Kubernetes CronJobs", task: str = SHELL_TASK, timezone: str = ""
) -> Imported:
    """
    The schedules of the CronJobs in a manifest; other objects are passed over.

    Args:
        text: The manifest: YAML or JSON, several documents, lists.
        title: What it is called in the output.
        task: Task that gets each command line as its argument.
        timezone: Zone of CronJobs without ``timeZone``: that of the controller, mostly UTC.

    Raises:
        WrongUse: It is not YAML that can be read.
    """
    names = Names()
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    for number, manifest in enumerate(read_manifests(text, title), start=1):
        if not isinstance(manifest, dict) or manifest.get("kind") != "CronJob":
            kind = manifest.get("kind") if isinstance(manifest, dict) else ""
            if manifest is not None:
                what = f"it is of kind {kind}, no CronJob" if kind else "it is no Kubernetes object"
                left_out.append(LeftOut(f"object {number}", what))
            continue
        metadata = _mapping(manifest.get("metadata"))
        origin = "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
        try:
            name = names.take(str(metadata.get("name") or f"cronjob-{number}"))
            entries.append(_entry(name, origin, _mapping(manifest.get("spec")), task))
        except Unsupported as unsupported:
            left_out.append(LeftOut(origin or f"object {number}", unsupported.reason))
    remarks: list[str] = [*_REMARKS]
    if not timezone:
        remarks.append("CronJobs without timeZone ran in the zone of the controller, mostly UTC")
    zone = {"timezone": timezone} if timezone and timezone != "UTC" else {}
    return Imported(title, tuple(entries), tuple(left_out), tuple(remarks), zone)


def _entry(name: str, origin: str, spec: dict[str, Any], task: str) -> Entry:
    remarks: list[str] = []
    fields: dict[str, Any] = {"task": task}
    fields |= _when(spec, remarks)
    job = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    call, doubtful = _call(job, remarks)
    fields |= call
    policy = spec.get("concurrencyPolicy") or "Allow"
    if policy not in _OVERLAP:
        raise Unsupported(f"its concurrencyPolicy {policy!r} is unknown")
    fields["overlap"] = _OVERLAP[policy]
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None:
        fields["catch_up_window"] = f"{_whole(deadline, 'startingDeadlineSeconds') or 1}s"
    fields |= _limits(job, remarks)
    if spec.get("suspend") is True or doubtful:
        fields["paused"] = True
    _tell_lost(spec, job, remarks)
    return Entry(name, fields, origin if origin != name else "", tuple(remarks))


def _when(spec: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    text = spec.get("schedule")
    if not isinstance(text, str) or not text.strip():
        raise Unsupported("it has no schedule")
    zone = spec.get("timeZone")
    prefixed = _ZONE_PREFIX.fullmatch(text)
    if prefixed:
        zone, text = zone or prefixed[1], prefixed[2]
    fields: dict[str, Any] = {}
    every = re.fullmatch(r"@every\s+(\S+)", text.strip())
    if every:
        fields["every"] = every[1]
        remarks.append("@every counted from the start of the controller; here the grid is fixed")
    else:
        fields["cron"] = _expression(text, remarks)
    if zone:
        fields["timezone"] = str(zone)
    return fields


def _expression(text: str, remarks: list[str]) -> str:
    """
    The expression with the day rule of Kubernetes' parser (robfig/cron v3).

    There only a bare ``*`` makes both day fields count; ``*/2`` restricts its field, and either
    suffices. Here, as in Debian's cron, any field that begins with ``*`` makes both count.
    """
    words = text.split()
    if len(words) != 5:
        return " ".join(words)
    days = {2: (words[2], "1-31"), 4: (words[4], "0-6")}
    if not any(word in ("*", "?", "*/1") for word, _ in days.values()):
        for place, (word, span) in days.items():
            if word.startswith("*/"):
                words[place] = f"{span}{word[1:]}"
                remarks.append(
                    f"{word} beside another restricted day field: either suffices there, both "
                    f"have to match here; so it is written as {words[place]}"
                )
    return " ".join(words)


def _call(job: dict[str, Any], remarks: list[str]) -> tuple[dict[str, Any], bool]:
    """Arguments of the task; and whether a person has to complete them first."""
    pod = _mapping(_mapping(job.get("template")).get("spec"))
    containers = [one for one in _listed(pod.get("containers")) if isinstance(one, dict)]
    if not containers:
        remarks.append("it has no container: say what is to run; paused until then")
        return {"args": [""]}, True
    container = containers[0]
    if len(containers) > 1 or _listed(pod.get("initContainers")):
        others = len(containers) - 1 + len(_listed(pod.get("initContainers")))
        remarks.append(f"{others} more containers of its pod are left out")
    remarks.append(
        f"ran in the image {container.get('image', '?')}; here the command runs where the worker"
        " does"
    )
    words = [str(word) for word in _listed(container.get("command"))]
    arguments = [str(word) for word in _listed(container.get("args"))]
    if not words:
        remarks.append("its command is the image's own: say what is to run; paused until then")
    fields: dict[str, Any] = {"args": [_command_line([*words, *arguments])]}
    env, unknown = _environment(container)
    if env:
        fields["kwargs"] = {"env": env}
    if unknown:
        remarks.append(f"set in the container's environment: {', '.join(unknown)}")
    line = " ".join([*words, *arguments])
    for name in (*env, *unknown):
        if not re.search(rf"(?<!\$)\$\({re.escape(name)}\)", line):
            continue
        remarks.append(f"$({name}) stood for the value of a variable; in a shell that is ${name}")
    return fields, not words


def _command_line(words: list[str]) -> str:
    if len(words) == 3 and words[1] == "-c" and re.fullmatch(r"(?:/\S*/)?(?:ba|da)?sh", words[0]):
        return words[2].rstrip("\n")
    return shlex.join(words)


def _environment(container: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Variables with their values, and the names of those that came from elsewhere."""
    env: dict[str, str] = {}
    unknown: list[str] = []
    for variable in _listed(container.get("env")):
        name = str(_mapping(variable).get("name", ""))
        value = _mapping(variable).get("value")
        if name and value is not None:
            env[name] = str(value)
        elif name:
            unknown.append(name)
    for source in _listed(container.get("envFrom")):
        for kind, ref in _mapping(source).items():
            unknown.append(f"all of {kind} {_mapping(ref).get('name')}")
    return env, unknown


def _limits(job: dict[str, Any], remarks: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    limit = job.get("activeDeadlineSeconds")
    if limit is not None:
        fields["time_limit"] = f"{_whole(limit, 'activeDeadlineSeconds') or 1}s"
        remarks.append("activeDeadlineSeconds held for all attempts together; time_limit for each")
    retries = job.get("backoffLimit")
    count = _RETRIES if retries is None else _whole(retries, "backoffLimit")
    if retries is None:
        remarks.append(f"Kubernetes tries {_RETRIES} times more where backoffLimit is not said")
    if count:
        fields["retry"] = {"max": count, "backoff": _BACKOFF}
    return fields


def _tell_lost(spec: dict[str, Any], job: dict[str, Any], remarks: list[str]) -> None:
    limits = [
        key for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit") if key in spec
    ]
    if limits:
        told = ", ".join(f"{key}: {spec[key]}" for key in limits)
        remarks.append(f"{told}: the ledger here keeps the last 200 occurrences")
    for key in ("parallelism", "completions", "ttlSecondsAfterFinished", "podFailurePolicy"):
        if job.get(key) not in (None, 1):
            remarks.append(f"{key}: {str(job[key])[:40]} has no counterpart, left out")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Unsupported(f"its {what} {value!r} is no whole number")
    return value
