"""
The tree of commands: names, one line about each, and the module that is imported when it is used.

Start-up stays short because nothing but click is imported here: `sched --version` and the list
of commands need no Redis client, no YAML and no rich.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from beatline.cli.exits import exit_code_of
from beatline.cli.groups import SubcommandGroup
from beatline.cli.place_options import place_options
from beatline.cli.service import Service
from beatline.cli.wanted import Wanted
from beatline.version import __version__


class Entry(NamedTuple):
    """A command: its name, its module below ``beatline.cli``, and what it does in one line."""

    name: str
    module: str
    summary: str


#: All commands, in the order and under the headings in which they are shown.
SECTIONS: Final[dict[str, tuple[Entry, ...]]] = {
    "Run": (
        Entry("up", "up", "Embedded Redis, beat and worker together, with a live view."),
        Entry("beat", "beat", "Fire schedules and due jobs; run as many as you like."),
        Entry("worker", "worker", "Run jobs."),
    ),
    "Send": (Entry("call", "call", "Send one job, now or later, and wait for it if asked."),),
    "Look": (
        Entry("status", "status", "Server, beats, workers, queues, and what needs a person."),
        Entry("jobs", "jobs", "List, show and cancel jobs."),
        Entry("schedules", "schedules", "Check, apply, list and preview schedules."),
        Entry("why", "why", "What became of a fire time: fired, skipped, missed, not planned."),
        Entry("queues", "queues", "Queues and how much waits in them."),
        Entry("dead", "dead", "Dead letters: list, show, revive, drop."),
        Entry("doctor", "doctor", "Is this Redis fit, and is what lies in it sound?"),
    ),
}

_EPILOG: Final = """\b
Start here:
  sched up -A app.py:app --schedules schedules   all of it, on this machine
  sched call -A app.py:app add '[2, 3]' --wait   send a job, print its result
  sched status                                   what goes on

\b
Redis is found in this order: --redis, BEATLINE_REDIS_URL, App(redis=...), and the
embedded server of the nearest .beatline folder, which `sched up` runs.

\b
Exit codes: 0 fine, 1 a problem was found, 2 wrong use, 3 Redis cannot be reached
or used, 4 the app cannot be loaded."""


class CommandTree(SubcommandGroup):
    """The group of all commands; a command's module is imported when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which they are shown."""
        return [entry.name for entry in _entries()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and take its ``command``."""
        for entry in _entries():
            if entry.name == cmd_name:
                found: Any = import_module(f"beatline.cli.{entry.module}").command
                command: click.Command = found
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One paragraph per section, from the table alone."""
        for heading, entries in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(entry.name, entry.summary) for entry in entries])


def _entries() -> list[Entry]:
    return [entry for entries in SECTIONS.values() for entry in entries]


@click.group(
    cls=CommandTree,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="beatline %(version)s")
@click.option("--debug", is_flag=True, envvar="BEATLINE_DEBUG", help="Show tracebacks of errors.")
@place_options
@click.pass_obj
def sched(wanted: Wanted, debug: bool) -> None:
    """Cron, interval and one-off jobs on Redis that run once, on time, however long they take."""
    wanted.is_debugging = debug


def understand(words: Sequence[str]) -> int | Service:
    """
    Do what a command line says: the exit code, or the service that it asks for.

    Args:
        words: What follows ``sched``.
    """
    wanted = Wanted()
    try:
        outcome = sched.main(args=list(words), prog_name="sched", standalone_mode=False, obj=wanted)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - each is told or raised again
        return exit_code_of(error, is_debugging=wanted.is_debugging)
    return outcome if isinstance(outcome, (int, Service)) else 0
