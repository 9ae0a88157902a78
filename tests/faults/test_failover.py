"""The primary is replaced by its replica, behind an address that stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.network import Network
from tests.faults.system import System
from tests.servers import RedisProcess, eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: How far a replica may lag behind on this machine, seconds: what was written then may be lost.
LAG_S = 1.0


@pytest.mark.parametrize("how", ["demoted", "killed"])
def test_failover_to_a_replica(
    system: Make, new_server: Callable[..., RedisProcess], how: str
) -> None:
    one = system()
    replica = new_server(tcp=True)
    follow(replica, one.server)
    with Network(("127.0.0.1", one.server.port)) as network:
        for _ in range(2):
            one.beat(url=network.url)
        one.worker("-c", "2", url=network.url)
        one.load(rate=100, url=network.url)
        one.await_completed(200)

        begin_ns = time.monotonic_ns()
        with one.outage():
            if how == "killed":
                one.server.kill()
            with replica.client() as client:
                client.execute_command("REPLICAOF", "NO", "ONE")
            if how == "demoted":
                # Open connections stay with the old primary, which answers READONLY from now on;
                # new ones are still led there for a while.
                follow(one.server, replica)
                time.sleep(2)
            network.target = ("127.0.0.1", replica.port)
        one.tails.append((begin_ns - int(LAG_S * one.strain * 1e9), time.monotonic_ns()))
        one.use(replica)
        verdict = one.settle()

    one.row.remarks.append(f"{verdict.unsure} unsure")


def follow(replica: RedisProcess, primary: RedisProcess) -> None:
    """Make one server a replica of the other, and wait until it has all data."""
    with replica.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(primary.port))
        eventually(
            lambda: client.info("replication")["master_link_status"] == "up",
            20,
            what="the replica to be in step",
        )
