"""The pools that the scenarios run on, and what is asked of each."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.faults.chances import full_only

#: All that ``sched worker -P`` knows.
POOLS: Final = ("prefork", "solo", "threads", "asyncio", "gevent")

#: The pool of all workers that the scenarios do not give another one.
POOL: Final = os.environ.get("BEATLINE_FAULTS_POOL") or "prefork"

_OTHERS: Final = tuple(pool for pool in POOLS if pool != POOL)

#: For scenarios whose promises are kept by other code on each pool.
on_each_pool = pytest.mark.parametrize("pool", POOLS)
#: The same; the short form leaves it at one pool.
on_each_pool_in_full = pytest.mark.parametrize(
    "pool", [POOL, *(pytest.param(pool, marks=full_only) for pool in _OTHERS)]
)

#: The same; the short form tries a pool with one job in each child, and one with several.
on_kinds_of_pool = pytest.mark.parametrize(
    "pool",
    [
        pool if pool in (POOL, "prefork", "asyncio") else pytest.param(pool, marks=full_only)
        for pool in POOLS
    ],
)

#: Jobs at the same time (``-c``) where a child should have many: a fault hits all of them.
CROWDED: Final = {"prefork": "2", "solo": "1", "threads": "4", "asyncio": "20", "gevent": "10"}


def has_lanes(pool: str) -> bool:
    """Whether a child runs several jobs at the same time."""
    return pool in ("threads", "asyncio", "gevent")


def carried(pool: str, rate: float) -> float:
    """The rate that workers carry on this pool where others carry ``rate``: solo has one child."""
    return rate * 0.4 if pool == "solo" else rate


def mixture(pool: str) -> list[str]:
    """
    What a load consists of on this pool.

    An asyncio child runs coroutines on its loop and plain functions in threads: half and half. A
    gevent child runs one coroutine at a time, so there are few.
    """
    return ["--coroutine-share", "0.5" if pool == "asyncio" else "0.05"]
