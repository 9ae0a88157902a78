"""The version, a constant: reading package metadata costs 58 ms at each start of ``sched``."""

__version__ = "0.1.0"
