"""
The way in: ``sched`` and ``python -m beatline.cli``.

What the command line needs stays in memory once it is imported: 1.6 MB in each beat and worker,
for days, of which they use nothing after their first 100 ms. So the words of a service are
understood in a process of their own, a fork that tells what it has understood and ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from beatline.cli.service import Service

#: Commands that run until they are told to end.
_SERVICES: Final = ("beat", "worker")
#: Options before a command's name that have a value behind them.
_WITH_VALUE: Final = ("-A", "--app", "-l", "--loglevel", "--redis", "--namespace")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``sched``, and exit with the code that says how it went."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    outcome = _understand_apart(words) if _command_of(words) in _SERVICES else _understand(words)
    sys.exit(outcome if isinstance(outcome, int) else outcome.run())


def _command_of(words: Sequence[str]) -> str:
    """The first word that belongs to no option; where that is a wrong guess, nothing is lost."""
    remaining = iter(words)
    for word in remaining:
        if word in _WITH_VALUE:
            next(remaining, None)
        elif not word.startswith("-"):
            return word
    return ""


def _understand(words: Sequence[str]) -> int | Service:
    from beatline.cli.tree import understand

    return understand(words)


def _understand_apart(words: Sequence[str]) -> int | Service:
    import pickle

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            with open(writer, "wb") as pipe:
                pickle.dump(_understand(words), pipe)
            sys.stderr.flush()
        finally:
            # Without the ends of an interpreter: those belong to the process that was forked.
            os._exit(0)
    os.close(writer)
    try:
        with open(reader, "rb") as pipe:
            told = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if not told:
        return 128 - status if status < 0 else 1
    outcome: int | Service = pickle.loads(told)
    return outcome
