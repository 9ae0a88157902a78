"""
Giving memory back to the system once a process has loaded what it needs.

Reading and compiling modules leaves holes in the C library's heap: half a megabyte that a process
which then mostly waits never fills again. What Python's own allocator holds is left alone, and
elsewhere than on Linux with glibc nothing is done.
"""

from __future__ import annotations

import ctypes
import sys


def trim_heap() -> None:
    """Give the free pages of the C library's heap back; takes about a millisecond."""
    if sys.platform == "linux":
        # musl has no such function, and no such heap.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
