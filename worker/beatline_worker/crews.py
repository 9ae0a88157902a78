"""Crews: what runs the jobs of a child with several lanes, by pool."""

from __future__ import annotations

from typing import Protocol

from beatline_worker.bodies import GreenletBodies, ThreadBodies
from beatline_worker.coroutine_crew import CoroutineCrew
from beatline_worker.desk import Desk, Item
from beatline_worker.thread_crew import ThreadCrew


class Crew(Protocol):
    """
    What runs jobs.

    Attributes:
        has_queue: Whether jobs may wait for a lane: taking them with others saves round trips.
        is_clogged: Whether jobs wait that cannot begin although there are lanes.
    """

    has_queue: bool

    @property
    def is_clogged(self) -> bool:
        """Whether jobs wait that cannot begin."""
        ...

    def start(self, items: list[Item], in_hand: int) -> None:
        """Run these jobs; ``in_hand`` counts all that are here, these included."""

    def interrupt(self, fence: int, kind: int) -> bool:
        """Interrupt a body; False where it has not begun, or has ended."""
        ...

    def overdue(self) -> list[Item]:
        """Jobs that nobody can begin soon, although others have begun after them."""
        ...


def make_crew(pool: str, desk: Desk, lanes: int) -> Crew:
    """The crew of a pool."""
    if pool == "asyncio":
        return CoroutineCrew(desk, lanes, ThreadBodies(desk.executor))
    bodies = GreenletBodies if pool == "gevent" else ThreadBodies
    return ThreadCrew(desk, lanes, bodies(desk.executor))
