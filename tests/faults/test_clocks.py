"""A wall clock that is an hour off, on one beat, one worker or one client."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.chances import full_only, lasting
from tests.faults.occurrences import write_schedules
from tests.faults.skew import skewed
from tests.faults.system import System
from tests.faults.timing import assert_countdowns_kept, assert_on_time

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
