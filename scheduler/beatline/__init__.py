"""Cron, interval and one-off jobs on Redis that run once, on time, however long they take."""

from beatline.version import __version__

__all__ = ["__version__"]
