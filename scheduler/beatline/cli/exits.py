"""
How a command ends that could not do what it was asked: a text with the remedy, and an exit code.

Expected errors are told in two lines; only what nobody expected keeps its traceback, because
that is a fault of ours. click is imported with the first text: services have none to tell.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

from beatline.errors import BeatlineError, InvalidScheduleFile

if TYPE_CHECKING:
    import click

#: Exit code of a command that was used wrongly.
WRONG_USE: Final = 2
#: Exit code of a command that could not reach or use Redis.
NO_REDIS: Final = 3
#: Exit code of a command that was ended by Ctrl-C: 128 and the signal's number.
INTERRUPTED: Final = 130


def exit_code_of(error: BaseException, *, is_debugging: bool) -> int:
    """
    Tell the error on standard error, and give the exit code that stands for it.

    Args:
        error: What ended the command.
        is_debugging: Whether expected errors show their traceback too.
    """
    import click

    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone, as in `sched jobs list | head`: nothing to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED
    if is_debugging:
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        return _tell_wrong_use(error)
    if isinstance(error, InvalidScheduleFile):
        for problem in error.problems:
            click.echo(str(problem), err=True)
        count = len(error.problems)
        tell(
            f"{count} problem{'s' * (count != 1)} in schedule files; nothing was changed",
            "correct them; sched schedules check tells them without touching anything",
        )
        return error.exit_code
    if isinstance(error, BeatlineError):
        tell(error.message, error.remedy)
        return error.exit_code
    lost = _told_as_lost(error)
    if lost is not None:
        tell(*lost)
        return NO_REDIS
    if not is_debugging:
        traceback.print_exception(error)
    tell(
        f"{type(error).__name__}: {error}",
        "this is a fault of Beatline: report the traceback above",
    )
    return 1


def tell(message: str, remedy: str = "") -> None:
    """Write an error, and what can be done about it, to standard error."""
    import click

    click.echo(f"{click.style('error:', fg='red')} {message}", err=True)
    if remedy:
        click.echo(f"{click.style('remedy:', fg='green')} {remedy}", err=True)


def warn(message: str) -> None:
    """Write a warning to standard error."""
    import click

    click.echo(f"{click.style('warning:', fg='yellow')} {message}", err=True)


def _tell_wrong_use(error: click.ClickException) -> int:
    import click

    context = error.ctx if isinstance(error, click.UsageError) else None
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    tell(message, f"see {context.command_path} --help" if context else "")
    return error.exit_code


def _told_as_lost(error: BaseException) -> tuple[str, str] | None:
    """Message and remedy where Redis went away, or refused, in the middle of a command."""
    if "redis" not in sys.modules:
        return None
    from redis.exceptions import RedisError

    from beatline.wire.refusals import REMEDIES, refusal_code

    if not isinstance(error, RedisError):
        return None
    code = refusal_code(error)
    if code is None:
        return (
            f"Redis does not answer: {error}",
            "start it, or name another one with --redis or BEATLINE_REDIS_URL",
        )
    return f"Redis refused: {error}", REMEDIES.get(code, "see the server's log")
