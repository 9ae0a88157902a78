"""Redis is restarted and killed under load, with its data on disk."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.pools import on_kinds_of_pool
from tests.faults.system import System

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: What ``everysec`` may lose, seconds: a write is held back while an older sync is under way.
TAIL_S = 2.0


@on_kinds_of_pool
@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_redis_restarted_with_aof(system: Make, fsync: str) -> None:
    one = system(aof=True, options=["--appendfsync", fsync])
    one.beat()
    one.worker("-c", "2")
    one.load(rate=100)

    for number in range(round(lasting(6, 2))):
        one.await_completed(100)
        with one.outage():
            if number % 2:
                one.server.stop()
            else:
                now_ns = time.monotonic_ns()
                one.server.kill()
                if fsync == "everysec":
                    one.tails.append((now_ns - int(TAIL_S * 1e9), time.monotonic_ns()))
            one.server.start()

    one.settle()
