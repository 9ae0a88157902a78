"""Dead letters, and the sweep that keeps them and unopened offers within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script

#: An offer that nobody opened for so long goes back to its queue, ms (R10).
OFFER_AGE_MS: Final = 1_000
#: Most dead letters kept, and how long, ms (R28).
MOST_DEAD: Final = 100_000
DEAD_AGE_MS: Final = 180 * 86_400_000


def revive(connection: HeldConnection, prefix: bytes, ids: Sequence[bytes]) -> list[bytes]:
    """Put dead letters back into their queues, charges cleared; the ids that were dead."""
    revived: list[bytes] = connection.run(script("revive"), prefix, "revive", *ids)
    return revived


def drop(connection: HeldConnection, prefix: bytes, ids: Sequence[bytes]) -> list[bytes]:
    """Remove dead letters for good; the ids that were dead."""
    dropped: list[bytes] = connection.run(script("revive"), prefix, "drop", *ids)
    return dropped


def withdraw(connection: HeldConnection, prefix: bytes, result_ttl_ms: int) -> tuple[int, int]:
    """Return unopened offers; trim dead letters. Numbers of both."""
    withdrawn, dropped = connection.run(
        script("withdraw"), prefix, OFFER_AGE_MS, result_ttl_ms, MOST_DEAD, DEAD_AGE_MS
    )
    return int(withdrawn), int(dropped)
