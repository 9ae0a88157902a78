"""When Redis is out of memory: new work is refused whole, everything else goes on (R24)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis.exceptions import ResponseError

from beatline.wire.refusals import refusal_code
from tests.store.scenes import calls, set_scene
from tests.store.support import Partition
from tests.store.test_garbage import CALLS, put_back, save

#: What brings something new into Redis.
REFUSED = (
    *("enqueue", "fire", "trigger", "backfill"),
    *("put_schedule", "put_schedule other", "apply_schedules"),
)


@contextmanager
def full_memory(partition: Partition) -> Iterator[None]:
    """The server has reached its limit, by far."""
    partition.client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        partition.client.config_set("maxmemory", "0")


@pytest.fixture(autouse=True)
def _unsound(partition: Partition) -> None:
    set_scene(partition)
    partition.is_sound = False


@pytest.mark.parametrize("name", REFUSED)
def test_call_when_memory_is_full_then_it_is_refused_whole(partition: Partition, name: str) -> None:
    call = calls(partition)[name]
    before = partition.dump()

    with full_memory(partition), pytest.raises(ResponseError) as refused:
        call()

    assert refusal_code(refused.value) == "OOM"
    assert partition.dump() == before


@pytest.mark.parametrize("name", [name for name in CALLS if name not in REFUSED])
def test_call_when_memory_is_full_then_it_does_the_same_as_ever(
    partition: Partition, name: str
) -> None:
    saved, call = save(partition), calls(partition)[name]
    expected = call()
    wanted = partition.dump()
    put_back(partition, saved)

    with full_memory(partition):
        actual = call()

    assert expected == actual
    assert wanted == partition.dump()


@pytest.mark.parametrize("name", ["settle", "settle idle", "release", "reclaim", "withdraw"])
def test_call_when_memory_is_full_and_keys_are_garbage_then_it_is_carried_out(
    partition: Partition, name: str
) -> None:
    call = calls(partition)[name]
    for key in ("attempts", "deliveries", "fence", "queues", "watch", "quarantine"):
        partition.client.delete(partition.key(key))
        partition.client.sadd(partition.key(key), "garbage")

    with full_memory(partition):
        call()

    assert partition.client.zcard(partition.key("quarantine")) > 0
