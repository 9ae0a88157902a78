"""Pipes that wake a thread up."""

from __future__ import annotations

import os


def open_pipe() -> tuple[int, int]:
    """A pipe of which neither end blocks: where to read, where to write."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    return reading, writing


def drain(descriptor: int) -> None:
    """Empty a pipe."""
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        return
