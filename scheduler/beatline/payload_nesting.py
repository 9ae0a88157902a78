"""
A guard against nesting bombs where Python's own guard has been lifted.

msgspec counts its nesting against Python's recursion limit. Where a program has raised that limit
(``sys.setrecursionlimit(10**6)``), 50 kB of ``\\x91`` overflow the C stack and end the process
(seen with msgspec 0.22 on Python 3.11). This module measures the nesting of msgpack bytes without
recursion, for that case only: it is a hundred times slower than decoding.
"""

from __future__ import annotations

import sys
from typing import Final

#: Nesting that C stacks of 512 KiB bear; msgspec takes about 160 bytes a level.
SAFE_LEVELS: Final = 2_000

#: First bytes of arrays and maps.
_OPENERS: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
#: First byte of bin, ext, str -> (bytes of the length that follows, further bytes beside it).
_SIZED: Final = {
    first: (width, 1 if 0xC7 <= first <= 0xC9 else 0)
    for opener in (0xC4, 0xC7, 0xD9)
    for first, width in zip(range(opener, opener + 3), (1, 2, 4), strict=True)
}
#: First byte of floats, 64-bit and smaller integers, fixext -> bytes that follow it.
_FIXED: Final = dict(
    zip(range(0xCA, 0xD9), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17), strict=True)
)
#: First byte -> (bytes of the count that follows, values per entry).
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def is_too_deep(data: bytes | bytearray | memoryview) -> bool:
    """
    Whether decoding these bytes could overflow the C stack.

    Args:
        data: msgpack, or anything else.
    """
    if len(data) <= SAFE_LEVELS or sys.getrecursionlimit() <= SAFE_LEVELS:
        return False
    raw = bytes(data)
    if len(raw) - len(raw.translate(None, _OPENERS)) <= SAFE_LEVELS:
        return False
    return _is_deeper_than(raw, SAFE_LEVELS)


def _is_deeper_than(raw: bytes, levels: int) -> bool:
    position, size = 0, len(raw)
    waiting = [1]  # values still to come, per open array or map
    while waiting and position < size:
        if waiting[-1] == 0:
            waiting.pop()
            continue
        waiting[-1] -= 1
        first = raw[position]
        position += 1
        if 0x80 <= first <= 0x8F:
            waiting.append(2 * (first & 0x0F))
        elif 0x90 <= first <= 0x9F:
            waiting.append(first & 0x0F)
        elif 0xA0 <= first <= 0xBF:
            position += first & 0x1F
        elif first in _COUNTED:
            width, per_entry = _COUNTED[first]
            waiting.append(per_entry * int.from_bytes(raw[position : position + width], "big"))
            position += width
        elif first in _SIZED:
            width, beside = _SIZED[first]
            length = int.from_bytes(raw[position : position + width], "big")
            position += width + beside + length
        else:
            position += _FIXED.get(first, 0)
        if len(waiting) > levels:
            return True
    return False
