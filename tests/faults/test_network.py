"""Networks that delay, reset, lose replies and swallow everything, for one process at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.chances import full_only, lasting
from tests.faults.checker import UNSETTLED_MS
from tests.faults.network import Network
from tests.faults.pools import POOL, POOLS, on_each_pool, on_each_pool_in_full
from tests.faults.system import HALF_OPEN_LIMIT_S, OUTAGE_LIMIT_S, System

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: The lease of workers here, seconds: none runs out, so that no job may begin twice.
CALM_LEASE = {"BEATLINE_LEASE": "20s"}


@pytest.fixture
def networks() -> Iterator[Callable[[System], Network]]:
    """Makes networks that end with the test."""
    made: list[Network] = []

    def make(one: System) -> Network:
        made.append(Network(("127.0.0.1", one.server.port)))
        return made[-1]

    yield make
    for network in made:
        network.close()


@pytest.mark.parametrize("fault", ["delay", "reset", "drop", "black hole"])
@pytest.mark.parametrize(
    ("target", "pool"),
    [
        *((target, POOL) for target in ("beat", "worker", "client")),
        # Beats and clients do not know of pools.
        *(pytest.param("worker", pool, marks=full_only) for pool in POOLS if pool != POOL),
    ],
)
def test_network_fault(
    system: Make, networks: Callable[[System], Network], target: str, fault: str
) -> None:
    one = system()
    network = networks(one)
    urls = {target: network.url}
    one.beat(url=urls.get("beat"))
    one.worker("-c", "2", url=urls.get("worker"), env=CALM_LEASE)
    # Where beat is cut off, only what waits for an instant stands still.
    share = "1.0" if target == "beat" else "0.15"
    one.load("--eta-share", share, rate=60, url=urls.get("client"))
    one.await_completed(60)

    seconds = lasting(4, 3)
    if fault == "black hole":
        with one.outage(HALF_OPEN_LIMIT_S):
            network.black_hole()
            time.sleep(seconds)
            network.restore()
    else:
        with one.outage(OUTAGE_LIMIT_S):
            disturb(network, fault, seconds)
    one.await_completed(60, HALF_OPEN_LIMIT_S)
    verdict = one.settle()

    assert verdict.redelivered == 0


def disturb(network: Network, fault: str, seconds: float) -> None:
    """Let a fault last, or come and go, for so long."""
    until = time.monotonic() + seconds
    if fault == "delay":
        network.delay_s = 0.15
        time.sleep(seconds)
    while time.monotonic() < until:
        if fault == "reset":
            network.reset()
            time.sleep(0.2)
        else:
            network.mute()
            time.sleep(0.15)
            network.restore()
            time.sleep(0.35)
    network.restore()


@on_each_pool_in_full
def test_replies_lost_after_the_write_took_effect(
    system: Make, networks: Callable[[System], Network], pool: str
) -> None:
    """For beat, worker and client at once, many times over."""
    one = system()
    network = networks(one)
    one.beat(url=network.url)
    # Long jobs among short ones: what waits behind them is given back while they run.
    for _ in range(4 if pool == "solo" else 1):
        one.worker("-c", "4", url=network.url, env=CALM_LEASE)
    one.load("--long-share", "0.08", rate=70, url=network.url)
    one.load("--own-ids", rate=30, url=network.url)

    for _ in range(round(lasting(30, 12))):
        one.await_completed(20)
        with one.outage():
            network.mute()
            time.sleep(one.chances.uniform(0.005, 0.1))
            network.restore()

    verdict = one.settle()
    one.row.remarks.append(f"{one.journal.count('uncertain')} uncertain calls repeated")
    assert verdict.redelivered == 0


@full_only
@on_each_pool
def test_worker_cut_off_beyond_its_lease(
    system: Make, networks: Callable[[System], Network]
) -> None:
    one = system()
    network = networks(one)
    one.beat()
    lonely = one.worker("-c", "2", url=network.url)
    one.worker("-c", "2")
    one.load(rate=100)

    for _ in range(2):
        one.await_completed(100)
        # What ended right before may not have been settled.
        begin_ns = time.monotonic_ns() - int(UNSETTLED_MS * 1e6)
        network.black_hole()
        family = lonely.family()
        time.sleep(8)
        network.restore()
        for pid in family:
            one.cuts.setdefault(pid, []).append((begin_ns, time.monotonic_ns()))

    one.settle()
