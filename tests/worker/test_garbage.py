"""Bytes that are not ours, where a child listens for its next job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beatline import App
from beatline.keys import prefix
from beatline.store.delivering import read_offer
from tests.processes import Command
from tests.servers import RedisProcess, eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
def test_child_when_garbage_is_handed_to_it_then_it_goes_on(
    worker: Start, app: App, redis_server: RedisProcess
) -> None:
    command = worker("-c", "1")
    with redis_server.client() as client:
        idle = eventually(lambda: client.srandmember(prefix("sched", 0) + b"idle:default"))
        _, consumer, connection, _ = idle.split(b"|", 3)

        client.rpush(prefix("sched", 0) + b"wake:" + consumer + b":" + connection, b"garbage")

    assert app.send_task("add", (1, 2)).get(timeout=10) == 3
    command.wait_for_line("consumer.garbage_dropped")
    assert "child.ended" not in command.output


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\x00", b"1 2 3", b"1 2 3 4\n", b"-5 0 0 16\n" + bytes(200), b"9 0 0 9\nshort"],
)
def test_offer_when_it_is_garbage_then_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|not enough values|bytes of id"):
        read_offer(garbage)
