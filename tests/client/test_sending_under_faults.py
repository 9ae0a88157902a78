"""Many senders on a connection that breaks all the time: what was said of each job is true."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from beatline import App
from beatline.errors import NotSent, Uncertain
from beatline.ids import id_from_text
from tests.client.test_sender import make_add
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually

#: How long they send, seconds.
SENDING_S = 1.5
#: Longest that a call may take with the timeouts below, and the machine's slowness, seconds.
LONGEST_S = 3.0


@dataclass
class Told:
    """What callers were told of their jobs."""

    accepted: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    not_sent: int = 0
    longest_s: float = 0.0

    def note_time(self, begun: float) -> None:
        """Keep the longest time of a call."""
        self.longest_s = max(self.longest_s, time.monotonic() - begun)


@pytest.fixture
def shaken(make_app: Callable[..., App], proxy: Proxy) -> Iterator[App]:
    """An app whose way to the server is reset, silent or deaf by turns."""
    app = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="900ms")
    make_add(app).delay(0, 0)
    is_over = threading.Event()

    def shake() -> None:
        chance = random.Random(7)
        while not is_over.wait(chance.uniform(0.02, 0.1)):
            match chance.randrange(4):
                case 0:
                    proxy.reset()
                case 1:
                    proxy.lose_replies(chance.randrange(1, 4), to=b"EVALSHA")
                case 2:
                    proxy.lose_replies(1, to=b"EVALSHA", silently=True)
                case _:
                    proxy.black_hole()
                    is_over.wait(chance.uniform(0.02, 0.3))
                    proxy.flow()

    thread = threading.Thread(target=shake)
    thread.start()
    yield app
    is_over.set()
    thread.join()


def is_true(told: Told, server: RedisProcess) -> bool:
    """What was accepted is there, once; and besides it only what is unsure, which may be late."""
    with server.client() as client:
        kept = set(client.hkeys("{sched:0}:jobs"))
        ready = client.lrange("{sched:0}:ready:default:4", 0, -1)
    accepted = {id_from_text(one) for one in told.accepted}
    unsure = {id_from_text(one) for one in told.unsure}
    assert len(told.accepted) == len(accepted)
    assert set() == accepted - kept
    # The first job is the fixture's.
    assert len(kept - accepted - unsure) == 1
    assert len(ready) == len(set(ready)) == len(kept)
    assert LONGEST_S > told.longest_s
    return True


def test_delay_when_a_crowd_sends_under_faults_then_nothing_is_lost_or_doubled(
    shaken: App, redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beatline.crowd._CROWD", 3)
    monkeypatch.setattr("beatline.crowd._FAR_S", float("inf"))
    add, told = shaken.tasks["add"], Told()
    end = time.monotonic() + SENDING_S

    def send() -> None:
        while time.monotonic() < end:
            begun = time.monotonic()
            try:
                told.accepted.append(add.delay(1, 2).id)
            except Uncertain as error:
                told.unsure += error.task_ids
            except NotSent:
                told.not_sent += 1
            told.note_time(begun)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    eventually(lambda: is_true(told, redis_server))


def test_adelay_when_coroutines_send_under_faults_then_nothing_is_lost_or_doubled(
    shaken: App, redis_server: RedisProcess
) -> None:
    add, told = shaken.tasks["add"], Told()
    end = time.monotonic() + SENDING_S

    async def send(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            begun = time.monotonic()
            try:
                told.accepted.append((await add.adelay(1, 2)).id)
            except Uncertain as error:
                told.unsure += error.task_ids
                if error.repeat is not None and chance.random() < 0.5:
                    try:
                        told.accepted.append((await error.repeat()).id)
                    except (Uncertain, NotSent):
                        told.not_sent += 1
            except NotSent:
                told.not_sent += 1
            else:
                told.note_time(begun)
            await asyncio.sleep(chance.uniform(0, 0.003))

    async def main() -> None:
        await asyncio.gather(*(send(number) for number in range(30)))

    asyncio.run(main())

    eventually(lambda: is_true(told, redis_server))
