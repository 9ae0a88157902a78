"""
The lifeline between `sched up` and the processes that it starts: a pipe as their standard input.

The parent holds the writing end and writes nothing. When it ends, however it ends, the pipe is
closed, and each child asks itself to end in order. This needs no process ids, which may be
reused, and works where there is no prctl.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def lifeline_option(command: F) -> F:
    """Give a command the hidden option ``--lifeline``."""
    import click

    return click.option("--lifeline", is_flag=True, hidden=True)(command)


def follow_parent() -> None:
    """Send this process TERM when standard input ends."""
    threading.Thread(target=_wait_for_end, name="lifeline", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 512):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
