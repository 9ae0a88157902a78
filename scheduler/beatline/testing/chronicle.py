"""
What became of every occurrence while a test ran, read from the ledger.

The ledger of a schedule is bounded; a test may run through thousands of occurrences. So its events
are taken out before they fall off the end, and merged when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from beatline.ledger import Occurrence, read_history
from beatline.store.schedule_reading import read_ledger
from beatline.wire.connection import HeldConnection

#: Events of one schedule that may come up before its ledger is read. A ledger keeps 600.
MOST_UNREAD: Final = 300


class Chronicle:
    """
    Keeps the ledgers' events.

    Args:
        connection: Any.
        prefix: The partition's key prefix.
    """

    def __init__(self, connection: HeldConnection, prefix: bytes) -> None:
        self._connection = connection
        self._prefix = prefix
        self._events: dict[str, list[bytes]] = {}
        self._unread: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """Schedules of which there is something to tell."""
        return sorted(self._events.keys() | self._unread.keys())

    def note(self, name: str, events: int = 1) -> None:
        """So many events at most have been added to a schedule's ledger."""
        unread = self._unread.get(name, 0) + events
        self._unread[name] = unread
        if unread >= MOST_UNREAD:
            self._read(name)

    def occurrences(self, name: str, planned_of: Callable[[int], int] | None) -> list[Occurrence]:
        """
        The occurrences of a schedule, oldest fire time first.

        Args:
            name: The schedule.
            planned_of: Gives the instant at which a fire time was due; None without jitter.
        """
        self._read(name)
        events = self._events.get(name, [])
        return read_history(events, latest=len(events), planned_of=planned_of)

    def read_all(self, names: Iterable[str] = ()) -> None:
        """Take in what is unread, before something is removed."""
        for name in [*self._unread, *names]:
            self._read(name)

    def _read(self, name: str) -> None:
        self._unread.pop(name, None)
        kept = self._events.setdefault(name, [])
        found = read_ledger(self._connection, self._prefix, name)
        kept += found[_known(kept, found) :]


def _known(kept: list[bytes], found: list[bytes]) -> int:
    """How many of the found events are kept already: an event never comes twice."""
    if not kept:
        return 0
    for at in range(len(found) - 1, -1, -1):
        if found[at] == kept[-1]:
            return at + 1
    return 0
