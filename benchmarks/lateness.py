"""What the figures about time share: waiting for stamps, warming up, spreading jobs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.sessions import Failed, Session
from benchmarks.stamps import StampReader

if TYPE_CHECKING:
    from beatline import App


def await_stamps(session: Session, reader: StampReader, count: int, limit_s: float) -> None:
    """
    Wait until so many jobs have started.

    Raises:
        Failed: They have not within the limit.
    """
    if not session.wait_until(lambda: reader.count() >= count, limit_s, 0.05):
        raise Failed(
            f"{reader.count()} of {count} jobs started in {limit_s:.0f} s; last words:\n"
            f"{session.tail()}"
        )


def warm_up(app: App, session: Session, reader: StampReader) -> None:
    """Run a few jobs through beat and worker, so that processes are up and code is loaded."""
    due = datetime.fromtimestamp(time.time() + 0.3, UTC)
    app.tasks["mark"].apply_many([(0,)] * 50, eta=due)
    app.tasks["mark"].apply_many([(0,)] * 50)
    await_stamps(session, reader, 100, limit_s=15)
    # Their settlements are written, and the children idle again.
    if not session.wait_until(lambda: app.queues.depth() == 0, 10, 0.01):
        raise Failed("warm-up: jobs remain")
    time.sleep(0.3)
    reader.skip()


def due_in(delay_ms: int) -> int:
    """An instant so far ahead, UTC ms, at the beginning of a tenth of a second."""
    return (int(time.time() * 1000) + delay_ms) // 100 * 100


def schedule_spread(app: App, count: int, over_ms: int) -> None:
    """
    Schedule jobs one by one, evenly over an interval that begins when all are sent.

    Each job's argument is its own ETA in ms.
    """
    first_ms = due_in(1_000 + count // 2)
    mark = app.tasks["mark"]
    for number in range(count):
        due_ms = first_ms + over_ms * number // count
        mark.apply_async((due_ms,), eta=datetime.fromtimestamp(due_ms / 1000, UTC))
    if time.time() * 1000 > first_ms:
        raise Failed("ETA: the first job was due before the last one was sent")
