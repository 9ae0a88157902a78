"""Logging of our processes: events with fields, one line each, on standard error."""

from __future__ import annotations

import logging
import sys
import time

#: What a line looks like: time in UTC, level, process, event and fields.
_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(process)d %(message)s"


class _LineFormatter(logging.Formatter):
    """Times in UTC."""

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        """The time of a record, as the base class asks for it."""
        return time.gmtime(seconds)


def set_up_logging(level: str) -> None:
    """
    Send the logs of Beatline to standard error.

    Only the logger ``beatline`` is touched: what the user's app logs, and where, is its own.

    Args:
        level: ``debug``, ``info``, ``warning``, ``error``.
    """
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_LineFormatter(_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("beatline")
    logger.handlers[:] = [stream]
    logger.setLevel(level.upper())
    logger.propagate = False
