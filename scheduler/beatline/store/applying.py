"""
Sets of schedules: judged and applied as one, by ``apply_schedules.lua``.

A call takes all of a set or nothing of it. How many schedules a call may have, and what becomes of
larger sets, is decided by `beatline.schedule_books`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from beatline.store.scheduling import PAGE, Declaration
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script


class Removal(NamedTuple):
    """
    A schedule that is declared no more.

    Attributes:
        name: Its name.
        source: Who declared it; it stays where that is somebody else by now.
    """

    name: str
    source: str


class SetPart(NamedTuple):
    """
    What one call applies.

    Attributes:
        declarations: What is declared.
        removals: What goes.
    """

    declarations: Sequence[Declaration]
    removals: Sequence[Removal] = ()

    @property
    def names(self) -> list[str]:
        """The schedules' names, as refusals count them."""
        declared = [declaration.schedule.name for declaration in self.declarations]
        return declared + [removal.name for removal in self.removals]

    def arguments(self) -> list[Argument]:
        """What ``apply_schedules.lua`` reads behind the mode."""
        words: list[Argument] = [len(self.declarations), len(self.removals)]
        for declaration in self.declarations:
            words += declaration.arguments()
        for removal in self.removals:
            words += removal
        return words


class Refusal(NamedTuple):
    """
    Why a set was not applied.

    Attributes:
        name: Of the schedule.
        owner: The other source that declares it; empty where that is not the reason.
        decided_ms: The last fire time that was decided, where the declared next one lies not
            after it: it has to be computed anew.
    """

    name: str
    owner: str = ""
    decided_ms: int | None = None


def check_set(connection: HeldConnection, prefix: bytes, part: SetPart) -> list[Refusal]:
    """What `apply_set` would refuse now; changes nothing."""
    return _run(connection, prefix, "check", part)


def apply_set(connection: HeldConnection, prefix: bytes, part: SetPart) -> list[Refusal]:
    """
    Declare and remove schedules: all of them, or, where anything is refused, none.

    Returns:
        What was refused; nothing was changed then.

    Raises:
        ResponseError: The server refused the call; nothing was changed.

    *Retry-safe*: yes. *Atomicity*: ``apply_schedules.lua``.
    """
    return _run(connection, prefix, "apply", part)


def mend_set(
    connection: HeldConnection, prefix: bytes, declarations: Sequence[Declaration]
) -> list[str]:
    """
    Put schedules back where they are looked for that are stored as declared.

    Returns:
        Names of those that are stored otherwise, and were left alone.

    *Retry-safe*: yes. *Atomicity*: none, `PAGE` to a call: nothing changes that is declared.
    """
    pages = [declarations[first : first + PAGE] for first in range(0, len(declarations), PAGE)]
    differing: list[str] = []
    for page in pages:
        arguments = SetPart(page).arguments()
        reply = connection.run(script("apply_schedules"), prefix, "mend", *arguments)
        differing += [page[int(index) - 1].schedule.name for index in reply[1:]]
    return differing


def _run(connection: HeldConnection, prefix: bytes, mode: str, part: SetPart) -> list[Refusal]:
    reply: Any = connection.run(script("apply_schedules"), prefix, mode, *part.arguments())
    if reply[0] == b"DONE":
        return []
    names = part.names
    return [_refusal(names[int(index) - 1], word, told) for index, word, told in reply[1:]]


def _refusal(name: str, word: bytes, told: bytes) -> Refusal:
    if word == b"OWNED":
        return Refusal(name, owner=told.decode("utf-8", "replace"))
    return Refusal(name, decided_ms=int(told))
