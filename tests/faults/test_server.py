"""What a Redis does to its clients: forgets scripts, ends connections, takes no more writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import redis

from tests.faults.chances import lasting
from tests.faults.pools import on_kinds_of_pool
from tests.faults.system import LEASE_S, System
from tests.servers import RedisProcess, eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]


def test_script_flush_under_load(system: Make) -> None:
    one = loaded(system())

    for _ in range(round(lasting(20, 8))):
        with one.outage(), one.server.client() as client:
            client.script_flush()
        one.await_completed(30)

    assert one.settle().redelivered == 0


@on_kinds_of_pool
def test_client_kill_under_load(system: Make) -> None:
    one = loaded(system())

    for _ in range(round(lasting(20, 8))):
        with one.outage(), one.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        one.await_completed(30)

    assert one.settle().redelivered == 0


def test_maxmemory_reached_and_raised(system: Make) -> None:
    one = loaded(system())

    for _ in range(round(lasting(3, 1))):
        one.await_completed(50)
        refused = one.journal.count("refused")
        with one.outage(), one.server.client() as client:
            client.config_set("maxmemory", 1_000_000)
            await_refusals(one, refused + 20)
            time.sleep(3)
            client.config_set("maxmemory", 0)

    verdict = one.settle()
    one.row.remarks.append(f"{one.journal.count('refused')} calls refused")
    assert verdict.redelivered == 0
    assert verdict.unsure == 0


def test_misconf_while_redis_cannot_save(system: Make) -> None:
    """Redis takes no write at all, for longer than a lease, and then goes on."""
    one = loaded(system())

    for _ in range(round(lasting(3, 1))):
        one.await_completed(50)
        refused = one.journal.count("refused")
        with one.outage(), unable_to_save(one.server):
            await_refusals(one, refused + 20)
            time.sleep(2 * LEASE_S)

    verdict = one.settle()
    one.row.remarks.append(f"{one.journal.count('refused')} calls refused")
    assert verdict.redelivered == 0
    assert verdict.unsure == 0


@pytest.mark.parametrize("how", ["max clients", "busy"])
def test_redis_that_refuses_all_calls(system: Make, how: str) -> None:
    """It answers, and the answer is no: for longer than a lease."""
    one = loaded(system())
    refuse = {"max clients": without_room, "busy": busy_with_a_script}[how]

    for _ in range(round(lasting(3, 1))):
        one.await_completed(50)
        with one.outage(), refuse(one.server):
            time.sleep(2 * LEASE_S)

    assert one.settle().redelivered == 0


@contextmanager
def without_room(server: RedisProcess) -> Iterator[None]:
    """All connections are ended, and new ones refused."""
    with server.client() as client:
        client.config_set("maxclients", 1)
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield
        client.config_set("maxclients", 10_000)


@contextmanager
def busy_with_a_script(server: RedisProcess) -> Iterator[None]:
    """Somebody's script never ends: others are told BUSY until it is killed."""

    def loop() -> None:
        with server.client(timeout=60) as client, suppress(redis.ResponseError):
            client.eval("while true do end", 0)

    with server.client() as client:
        client.config_set("busy-reply-threshold", 100)
        looping = threading.Thread(target=loop)
        looping.start()
        yield
        # Who connects now is told BUSY, this one too, but for this command.
        client.script_kill()
        looping.join()


@contextmanager
def unable_to_save(server: RedisProcess) -> Iterator[None]:
    """A directory stands where the snapshot belongs; not even root can write that."""

    def save(client: redis.Redis, wanted: str) -> None:
        client.bgsave()

        def is_saved() -> bool:
            found = client.info("persistence")
            is_over = not found["rdb_bgsave_in_progress"]
            return bool(is_over and found["rdb_last_bgsave_status"] == wanted)

        eventually(is_saved, 30, every=0.1, what=f"a snapshot that ends with {wanted}")

    obstacle = server.folder / "dump.rdb"
    with server.client() as client:
        # Writes are refused only where snapshots are wanted.
        client.config_set("save", "86400 1000000000")
        obstacle.mkdir()
        save(client, "err")
        yield
        obstacle.rmdir()
        save(client, "ok")
        client.config_set("save", "")
    obstacle.unlink()


def await_refusals(one: System, count: int) -> None:
    """Wait until clients have been refused so often in all."""
    eventually(lambda: one.journal.count("refused") > count, 30, every=0.1, what="refusals")


def loaded(one: System) -> System:
    """Two beats, a worker and a load."""
    one.beat()
    one.beat()
    one.worker("-c", "2")
    one.load(rate=100)
    one.await_completed(50)
    return one
