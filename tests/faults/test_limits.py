"""Bodies that run past their limits, beside a load that must not suffer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beatline import AsyncResult
from beatline.errors import TimeLimitExceeded
from tests.faults.chances import lasting
from tests.faults.checker import UNSETTLED_MS
from tests.faults.pools import CROWDED, on_each_pool
from tests.faults.system import CHILD_LIMIT_S, System
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: What runs past its limits here.
LIMITED = ("soft", "asoft", "hard", "ahard", "stuck")
#: After so long a job that holds the GIL is killed: its limit, and a second for its last words.
STUCK_FOR_S = 0.4 + 1.0


@on_each_pool
def test_soft_and_hard_limits_under_load(system: Make, pool: str) -> None:
    one = system()
    one.beat()
    one.worker("-c", CROWDED[pool])
    one.load(rate=80)
    one.await_completed(50)
    turns = round(lasting(6, 2))

    for turn in range(turns):
        for task in ("soft", "asoft"):
            one.send(task, f"{task}{turn}")
        ended = [send_endless(one, task, turn) for task in ("hard", "ahard")]
        for result in ended:
            with pytest.raises(TimeLimitExceeded):
                result.get(timeout=30)
        stuck = send_endless(one, "stuck", turn)
        note_death(one, f"stuck{turn}")
        with pytest.raises(TimeLimitExceeded):
            stuck.get(timeout=30)

    verdict = one.settle()
    limited = [f"{task}{turn}" for task in LIMITED for turn in range(turns)]
    one.row.remarks.append(f"{len(limited)} over their limits, {turns} children killed")
    assert [1] * len(limited) == [one.journal.count("start", key) for key in limited]
    assert [] == one.app.jobs.dead()
    assert verdict.redelivered <= turns * int(CROWDED[pool])


def send_endless(one: System, task: str, turn: int) -> AsyncResult[object]:
    """A job that does not end by itself; it is to be recorded as failed."""
    key = f"{task}{turn}"
    result = one.app.send_task(task, (key,))
    one.note("acked", key)
    one.ended_otherwise.add(key)
    return result


def note_death(one: System, key: str) -> None:
    """
    The child that runs this job is as good as dead from its start on, and killed later.

    Nothing else comes to its turn there. A neighbour's body that had ended at that very moment
    cannot say so any more.
    """
    (start,) = eventually(lambda: one.journal.of("start", key), 20, what=f"{key} to start")
    one.deaths[start.pid] = start.at_ns + int(UNSETTLED_MS / 2 * 1e6)
    one.limits[start.pid] = STUCK_FOR_S + CHILD_LIMIT_S
