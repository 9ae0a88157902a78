"""A wall clock that is an hour off: of one beat, one worker or one client, or of Redis itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.chances import full_only, lasting
from tests.faults.occurrences import write_schedules
from tests.faults.skew import skewed
from tests.faults.system import System
from tests.faults.timing import assert_countdowns_kept, assert_on_time
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]

HOUR_S = 3600

#: How late things may be, seconds: one that went by a skewed clock would be off by the hour.
LATE_S = 5.0


@pytest.mark.parametrize("target", ["beat", "worker", "client"])
@pytest.mark.parametrize(
    "skew_s", [HOUR_S, pytest.param(-HOUR_S, marks=full_only)], ids=["+1h", "-1h"]
)
def test_clock_skew(system: Make, target: str, skew_s: int) -> None:
    one = system()
    environments = {target: skewed(one.folder, skew_s)}
    plan = write_schedules(one.folder, 10, seconds=lasting(11, 10), policies="overlap: skip")
    one.beat("--schedules", str(plan.path), env=environments.get("beat"))
    one.worker("-c", "2", env=environments.get("worker"))
    targets = plan.await_applied(one.server)
    one.load("--eta-share", "0.5", rate=40, env=environments.get("client"))
    plan.wait_for_end()

    verdict = one.settle(targets=targets, grid_prefixes=plan.prefixes)
    assert verdict.redelivered == 0
    assert_on_time(one, LATE_S)
    assert_countdowns_kept(one, LATE_S)


def test_clock_of_redis_that_jumps_an_hour_ahead_and_back(
    system: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its restart brings another clock, as a failover may; whoever lives is not robbed."""
    one = system(aof=True, options=["--appendfsync", "always"])
    ahead = skewed(one.folder, HOUR_S)
    for _ in range(2):
        one.beat()
    one.worker("-c", "2", "-Q", "long")
    one.worker("-c", "2", "-Q", "default")
    for number in range(2):
        one.send("steps", f"long{number}", 18.0, queue="long")
    one.load(rate=80)
    one.await_completed(100)

    with one.outage(), monkeypatch.context() as shim:
        for name, value in ahead.items():
            shim.setenv(name, value)
        one.server.restart()
    with one.server.client() as client:
        assert abs(client.time()[0] - time.time() - HOUR_S) < 60
    one.await_completed(100)
    # What waits for an instant an hour ahead, by the clock of that hour, would rightly wait on.
    one.stop_load()
    eventually(lambda: one.app.queues.depth() == 2, 20, what="the long jobs alone to be left")
    with one.outage():
        one.server.restart()
        one.load(rate=80, name="load1")
    one.await_completed(100)

    assert one.settle().redelivered == 0
