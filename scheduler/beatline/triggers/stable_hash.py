"""
Hashes that are the same on every machine, in every process and after every restart.

Python's own ``hash`` is salted per process, so it can decide nothing that two beats must agree on.
"""

from __future__ import annotations

from hashlib import blake2b


def stable_below(limit: int, *parts: str | int) -> int:
    """
    A number in ``[0, limit)`` that depends on the parts alone.

    Args:
        limit: At least 1.
        parts: What the number is drawn from, such as a schedule's name and a fire time.
    """
    text = "\0".join(str(part) for part in parts)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % limit
