"""
Which of a worker's queues a take looks into first: pure arithmetic and a draw.

``mail,default`` is a strict order: nothing of the second queue is taken while the first has
anything ready. ``mail=3,default=1`` are weights: each take draws an order in which ``mail`` comes
first three times out of four, so that no queue waits for ever, whatever the others hold. What a
take does not fill from its first queue it fills from the next, so no child idles while any of
its queues has something.

A draw keeps no state: children that come and go take turns as well as one that stays. Priorities
within one queue are the script's matter (``lua/parts/taking.lua``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

from beatline.errors import InvalidSetting
from beatline.settings import check_queue

#: Largest weight: one take in so many is already seldom.
LARGEST_WEIGHT: Final = 1_000


def queue_name(entry: str) -> str:
    """The name in ``name`` or ``name=weight``."""
    return entry.partition("=")[0]


def queue_weights(entries: Sequence[str]) -> dict[str, int]:
    """
    Names with their weights, in the order given; 1 where none is said.

    Args:
        entries: Each ``name`` or ``name=weight``.

    Raises:
        InvalidSetting: Not a name, not a weight from 1 to `LARGEST_WEIGHT`, or a name twice.
    """
    weights: dict[str, int] = {}
    for entry in entries:
        name, has_weight, digits = entry.partition("=")
        check_queue(name)
        is_number = digits.isascii() and digits.isdigit()
        if has_weight and not (is_number and 1 <= int(digits) <= LARGEST_WEIGHT):
            raise InvalidSetting(
                f"weight {digits!r} of queue {name!r} is not one",
                remedy=f"use a whole number from 1 to {LARGEST_WEIGHT}, such as {name}=3",
            )
        if name in weights:
            raise InvalidSetting(
                f"queue {name!r} is named twice", remedy="name each queue once, with one weight"
            )
        weights[name] = int(digits) if has_weight else 1
    return weights


class QueueTurns:
    """
    The order of the queues, take by take.

    Args:
        entries: Each ``name`` or ``name=weight``; without any weight the order is strict.
        draw: A number from 0 to below 1; only tests give one.

    Raises:
        InvalidSetting: See `queue_weights`.
    """

    __slots__ = ("_draw", "_strict", "_weights")

    def __init__(self, entries: Sequence[str], draw: Callable[[], float] = random.random) -> None:
        self._weights = queue_weights(entries)
        self._draw = draw
        is_strict = len(entries) == 1 or not any("=" in entry for entry in entries)
        self._strict = ",".join(self._weights) if is_strict else ""

    def next(self) -> str:
        """
        Names separated by commas, as the next take is to look into them.

        With weights, each remaining queue comes next with a chance of its weight by the sum of
        those that remain (Efraimidis and Spirakis, Weighted random sampling, 2006): queues
        behind an empty one share its takes by their weights too.
        """
        if self._strict:
            return self._strict
        drawn = {name: math.log(1.0 - self._draw()) / self._weights[name] for name in self._weights}
        return ",".join(sorted(drawn, key=drawn.__getitem__, reverse=True))
