"""
Crontabs: a user's (``crontab -l``), and the system's with a user column (``/etc/cron.d``).

A command line becomes the argument of one task, ``shell.run`` unless told otherwise. Times mean
here what they mean to Debian's cron, days and changes of the clocks included; what differs lies
around the times: mail, environment, user, overlap. docs/importing.md has a task to go with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers import zone
from beatline_schedules.importing.entry import Entry, Imported, LeftOut
from beatline_schedules.importing.naming import Names, name_of_command

#: Task that gets the command lines.
SHELL_TASK: Final = "shell.run"
#: What cron does by itself, said once for the whole file.
DEFAULTS: Final = {"overlap": "allow", "catch_up": "none"}

_ASSIGNMENT = re.compile(
    r"""\s*(?:"(?P<dq>[^"]+)"|'(?P<sq>[^']+)'|(?P<name>[^\s=#"']+))\s*=\s*(?P<value>.*?)\s*$"""
)
_FIELDS = re.compile(r"\s*(?P<when>@\S+|(?:[^\s@]\S*\s+){4}\S+)\s+(?P<rest>\S.*)$")
_USER = re.compile(r"(?P<user>\S+)\s+(?P<rest>\S.*)$")
#: ``0~30`` of cronie and OpenBSD: a minute drawn once, at random.
_RANDOM = re.compile(r"(\d+)?~(\d+)?")
_HEADINGS = re.compile(r"\W*m(?:in(?:ute)?)?\W+h(?:our)?\W+d", re.IGNORECASE)
#: Comment lines above an entry that are taken as its note.
_LONGEST_NOTE: Final = 3
#: Variables that speak to cron, not to the command.
_OF_CRON: Final = frozenset({"MAILTO", "MAILFROM", "CRON_TZ", "CONTENT_TYPE"} | {"RANDOM_DELAY"})


@dataclass(slots=True)
class _Surroundings:
    """What the lines above an entry say about it."""

    variables: dict[str, str] = field(default_factory=dict)
    timezone: str = ""
    mail_to: str | None = None
    comments: list[str] = field(default_factory=list)


def import_crontab(
    text: str,
    *,
    title: str = "a crontab",
    task: str = SHELL_TASK,
    timezone: str = "",
    has_user_column: bool = False,
) -> Imported:
    """
    The schedules of a crontab.

    Args:
        text: Its content.
        title: What it is called in the output.
        task: Task that gets each command line as its argument.
        timezone: Zone of the machine that it runs on; empty where that is not known.
        has_user_column: Whether a user stands before each command, as in ``/etc/crontab``.
    """
    reading = _Reading(task, has_user_column)
    for number, line in enumerate(text.splitlines(), start=1):
        reading.take(number, line)
    defaults: dict[str, Any] = {"timezone": timezone} if timezone else {}
    remarks = [
        "cron starts a command also while it still runs: overlap: allow. Remove that line, and a "
        "run that is due meanwhile is skipped, and recorded",
        "cron forgets what came due while the machine was down: catch_up: none",
    ]
    if not timezone and reading.entries:
        remarks.append(
            "cron read its times in the zone of its machine; here they are UTC unless timezone: "
            "says otherwise"
        )
    return Imported(
        title,
        tuple(reading.entries),
        tuple(reading.left_out),
        (*remarks, *reading.remarks()),
        {**defaults, **DEFAULTS},
    )


class _Reading:
    """Reads one crontab, line by line."""

    def __init__(self, task: str, has_user_column: bool) -> None:
        self._task = task
        self._has_user_column = has_user_column
        self._names = Names()
        self._around = _Surroundings()
        self._mail: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.left_out: list[LeftOut] = []

    def take(self, number: int, line: str) -> None:
        stripped = line.strip()
        if not stripped:
            self._around.comments.clear()
        elif stripped.startswith("#"):
            self._around.comments.append(stripped.lstrip("#").strip())
        elif not self._takes_variable(line):
            self._take_entry(number, stripped)
            self._around.comments.clear()

    def remarks(self) -> Iterator[str]:
        for address in self._mail:
            yield f"cron mailed output to {address}; here it goes where the task sends it"

    def _takes_variable(self, line: str) -> bool:
        found = _ASSIGNMENT.fullmatch(line)
        if found is None:
            return False
        self._around.comments.clear()
        name = found["dq"] or found["sq"] or found["name"]
        value = found["value"]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if name == "MAILTO":
            if value:
                self._mail[value] = None
        elif name == "CRON_TZ":
            self._around.timezone = value
        elif name not in _OF_CRON:
            self._around.variables[name] = value
        return True

    def _take_entry(self, number: int, line: str) -> None:
        where = f"line {number}"
        found = _FIELDS.match(line)
        if found is None:
            self.left_out.append(LeftOut(f"{where}: {line}", "it is no line of a crontab"))
            return
        when, command, user = found["when"], found["rest"], ""
        if self._has_user_column:
            parted = _USER.match(command)
            if parted is None:
                reason = "there is no command behind the user; see --no-user-column"
                self.left_out.append(LeftOut(f"{where}: {line}", reason))
                return
            user, command = parted["user"], parted["rest"]
        if when.lower() == "@reboot":
            reason = "@reboot names no instant; send the task when your program starts"
            self.left_out.append(LeftOut(f"{where}: {line}", reason))
            return
        self._add(where, line, when, user, command)

    def _add(self, where: str, line: str, when: str, user: str, command: str) -> None:
        cron, remarks = _expression(when)
        command, stdin = _split_command(command)
        fields: dict[str, Any] = {"task": self._task, **cron}
        if self._around.timezone:
            fields["timezone"] = self._around.timezone
            remarks += _zone_remarks(self._around.timezone, fields)
        fields["args"] = [command]
        kwargs: dict[str, Any] = {}
        if stdin is not None:
            kwargs["stdin"] = stdin
            remarks.append("cron gave what stands behind % to the command as its input: stdin")
        if self._around.variables:
            kwargs["env"] = dict(self._around.variables)
            names = ", ".join(self._around.variables)
            remarks.append(f"cron set {names} for the command: env")
        if kwargs:
            fields["kwargs"] = kwargs
        if user:
            remarks.append(f"ran as user {user}; here it runs as the worker's user")
        note = self._note()
        if note:
            fields["note"] = note
        name = self._names.take(name_of_command(command))
        self.entries.append(Entry(name, fields, f"{where}: {line}", tuple(remarks)))

    def _note(self) -> str:
        comments = [line for line in self._around.comments if line]
        if not 1 <= len(comments) <= _LONGEST_NOTE or any(map(_HEADINGS.match, comments)):
            return ""
        if any(map(_FIELDS.match, comments)) and any(
            line[0] in "*@0123456789" for line in comments
        ):
            return ""  # an entry that somebody has switched off
        return " ".join(comments)


def _expression(when: str) -> tuple[dict[str, Any], list[str]]:
    """Keys for what stands in the first five columns, and remarks."""
    if when.startswith("@"):
        return _nickname(when)
    remarks: list[str] = []
    words = when.split()
    if words[0].startswith("-") and len(words[0]) > 1:
        words[0] = words[0][1:]  # "do not log this", of some crons
    drawn = [_RANDOM.sub(_hashed(place), word) for place, word in enumerate(words)]
    if drawn != words:
        remarks.append("cron drew ~ at random at its start; H(a-b) is drawn from the name, once")
    return {"cron": " ".join(drawn)}, remarks


def _nickname(when: str) -> tuple[dict[str, Any], list[str]]:
    lowered = when.lower()
    seconds = re.fullmatch(r"@(\d+)", lowered)
    if lowered == "@every_minute":
        return {"cron": "* * * * *"}, []
    if lowered == "@every_second":
        return {"every": "1s"}, []
    if seconds:
        remark = "cron waited so long after the end of each run; here it is a fixed grid"
        return {"every": f"{seconds[1]}s"}, [remark]
    return {"cron": lowered}, []


def _hashed(place: int) -> Any:
    low, high = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))[place]

    def replaced(found: re.Match[str]) -> str:
        return f"H({found[1] or low}-{found[2] or high})"

    return replaced


def _split_command(command: str) -> tuple[str, str | None]:
    r"""The command and its input: the first bare ``%`` ends it, others end lines; ``\%`` is %."""
    parts: list[str] = [""]
    at = 0
    while at < len(command):
        if command.startswith("\\%", at):
            parts[-1] += "%"
            at += 2
            continue
        if command[at] == "%":
            parts.append("")
        else:
            parts[-1] += command[at]
        at += 1
    if len(parts) == 1:
        return parts[0].rstrip(), None
    stdin = "\n".join(parts[1:])
    return parts[0].rstrip(), stdin if not stdin or stdin.endswith("\n") else f"{stdin}\n"


def _zone_remarks(name: str, fields: dict[str, Any]) -> list[str]:
    try:
        zone(name)
    except InvalidTrigger:
        del fields["timezone"]
        return [f"CRON_TZ={name} is no zone of the IANA database; say timezone: yourself"]
    return [f"CRON_TZ={name}; Debian's own cron does not read that line"]
