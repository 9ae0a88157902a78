"""Soft leadership of a partition: an optimisation, never a guarantee."""

from __future__ import annotations

from typing import NamedTuple

from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script


class Election(NamedTuple):
    """
    Who leads.

    Attributes:
        is_leader: Whether it is the caller.
        term: Rises with each change of leader.
        leader: Id of the leading beat.
        now_us: The server's clock.
    """

    is_leader: bool
    term: int
    leader: str
    now_us: int


def elect(
    connection: HeldConnection, prefix: bytes, beat: str, length_ms: int, about: str
) -> Election:
    """Take or keep the leadership for ``length_ms``, if nobody else has it."""
    word, term, leader, now_us = connection.run(script("elect"), prefix, beat, length_ms, about)
    return Election(word == b"LEADER", int(term), leader.decode("utf-8", "replace"), int(now_us))


def resign(connection: HeldConnection, prefix: bytes, beat: str) -> None:
    """Let another beat lead at once."""
    connection.run(script("resign"), prefix, beat)
