"""
A forked process becomes a child.

It dies with its parent, leads its own process group so that a job's subprocesses go with it, and
ignores the terminal's signals.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from typing import Final

#: prctl option: the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG: Final = 1


def enter_child(parent: int) -> None:
    """
    Make a freshly forked process a child: it dies with its parent, leads its group, and hears no
    terminal.

    Args:
        parent: Pid of the process that forked it.
    """
    die_with_parent(parent)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.enable()


def die_with_parent(parent: int) -> None:
    """
    Have the kernel kill this process when its parent dies; at once if that has happened already.

    Where there is no such facility the process watches a pipe instead (see `zygote`).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
