"""Waiting until a server answers, however long it loads its data."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from beatline.embedded.probing import ask, connect, listener_pid, loaded_share
from beatline.embedded.running import RunningServer

#: Seconds without any answer after which a server is given up; starts take 40 to 80 ms. One that
#: answers LOADING is waited for without limit.
SILENCE_S = 10.0

#: Seconds between two questions to a server that is not ready, or that loads its data.
_ASK_AGAIN_S = 0.01
_LOADING_S = 0.1


class NoAnswer(Exception):  # noqa: N818 - never leaves the package
    """The server is alive and says nothing."""


def await_ready(
    running: RunningServer,
    socket: Callable[[], Path],
    on_loading: Callable[[float], None] | None,
    silence_s: float = SILENCE_S,
) -> int | None:
    """
    Wait until the server answers PING with its data loaded.

    Args:
        running: The server, of which the end is noticed.
        socket: Tells its socket; asked each time, for it may be about to be made.
        on_loading: Called with the share loaded so far, from 0 to 1.
        silence_s: Seconds without an answer until it is given up.

    Returns:
        Its process id (0 where this process can't see it), or None if it has ended.

    Raises:
        NoAnswer: When it lives and gives no answer.
    """
    deadline = time.monotonic() + silence_s
    while not running.has_ended:
        try:
            with connect(socket()) as line:
                if not ask(line, "PING").startswith("-LOADING"):
                    return listener_pid(line)
                share = loaded_share(ask(line, "INFO persistence"))
        except OSError:
            if time.monotonic() >= deadline:
                raise NoAnswer from None
            time.sleep(_ASK_AGAIN_S)
        else:
            if on_loading is not None:
                on_loading(share)
            deadline = time.monotonic() + silence_s
            time.sleep(_LOADING_S)
    return None
