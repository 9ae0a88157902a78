"""On a server that was demoted every call says so: an empty round is no success there (R26)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis.exceptions import ResponseError

from beatline.wire.refusals import is_passing, refusal_code
from tests.store.scenes import calls, set_scene
from tests.store.support import Partition
from tests.store.test_garbage import CALLS


@contextmanager
def demoted(partition: Partition) -> Iterator[None]:
    """The server is a replica for a while, of nobody who could be reached."""
    command: Any = partition.client.execute_command
    command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        command("REPLICAOF", "NO", "ONE")


#: What only reads.
READS = ("look",)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in READS])
def test_call_when_the_server_is_a_replica_then_it_is_refused(
    partition: Partition, name: str
) -> None:
    set_scene(partition)
    partition.is_sound = False
    call, before = calls(partition)[name], partition.dump()

    with demoted(partition), pytest.raises(ResponseError) as refused:
        call()

    assert refusal_code(refused.value) == "READONLY"
    assert is_passing(refused.value)
    assert partition.dump() == before


@pytest.mark.parametrize(
    "call",
    [
        ("settle", "w", "c", 2, "i", 9, 9, 0, "empty", 0, 0, 0),
        ("promote", 100),
        ("reclaim", 100, 3, 1),
        ("withdraw", 1000, 1, 9, 9),
        ("elect", "beat", 1500, "{}"),
        ("renew", "w", 15000, ""),
    ],
)
def test_round_when_there_is_nothing_to_do_then_it_writes_all_the_same(
    partition: Partition, call: tuple[Any, ...]
) -> None:
    partition.register("w", "c")

    with demoted(partition), pytest.raises(ResponseError) as refused:
        partition.run(*call)

    assert refusal_code(refused.value) == "READONLY"
