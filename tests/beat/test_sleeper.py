"""Beat's sleep: to the microsecond, and over at once when somebody nudges."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import RedisError

from beatline.beat.sleeper import NudgeLine, Sleeper
from beatline.wire.connection import Endpoint, HeldConnection
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually

PREFIX = b"{sched:0}:"
KEY = PREFIX + b"wake:beat"


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A sleeper."""
    sleeper = Sleeper()
    yield sleeper
    sleeper.close()


def _slept(sleeper: Sleeper, lines: list[NudgeLine], seconds: float) -> float:
    began = time.monotonic()
    sleeper.sleep(lines, seconds)
    return time.monotonic() - began


def _wait_until_listening(client: HeldConnection) -> None:
    eventually(lambda: b"blocked_clients:1" in client.call("INFO", "clients"))


def test_sleep_when_nothing_happens_then_never_ends_early(sleeper: Sleeper, redis_url: str) -> None:
    line = NudgeLine(Endpoint(redis_url), PREFIX)

    slept = [_slept(sleeper, [line], 0.0037) for _ in range(50)]

    assert min(slept) >= 0.0037
    assert sorted(slept)[25] < 0.0057
    line.close()


def test_sleep_when_nudged_then_ends_at_once(sleeper: Sleeper, redis_url: str) -> None:
    line = NudgeLine(Endpoint(redis_url), PREFIX)
    client = HeldConnection(Endpoint(redis_url))
    sleeper.sleep([line], 0)
    _wait_until_listening(client)

    nudge = threading.Timer(0.02, lambda: client.call("RPUSH", KEY, "1"))
    nudge.start()
    slept = _slept(sleeper, [line], 10)
    nudge.join()

    assert slept < 1
    assert line.is_listening
    assert 0 == client.call("LLEN", KEY)
    line.close()


def test_sleep_when_nudged_before_then_does_not_sleep(sleeper: Sleeper, redis_url: str) -> None:
    line = NudgeLine(Endpoint(redis_url), PREFIX)
    HeldConnection(Endpoint(redis_url)).call("RPUSH", KEY, "1")

    slept = _slept(sleeper, [line], 10)

    assert slept < 1
    line.close()


def test_sleep_when_rung_then_ends_at_once(sleeper: Sleeper) -> None:
    bell = threading.Timer(0.02, sleeper.ring)
    bell.start()

    slept = _slept(sleeper, [], 10)

    bell.join()
    assert slept < 1


def test_sleep_when_rung_often_before_then_ringing_never_blocks(sleeper: Sleeper) -> None:
    for _ in range(100_000):
        sleeper.ring()

    slept = _slept(sleeper, [], 10)

    assert slept < 1


def test_sleep_when_the_blpop_ends_without_a_nudge_then_listens_again(
    sleeper: Sleeper, redis_url: str
) -> None:
    line = NudgeLine(Endpoint(redis_url), PREFIX, wait_ms=50)
    client = HeldConnection(Endpoint(redis_url))

    for _ in range(4):
        sleeper.sleep([line], 0.2)

    _wait_until_listening(client)
    assert line.is_listening
    line.close()


def test_sleep_when_the_server_dies_then_raises(
    sleeper: Sleeper, new_server: Callable[..., RedisProcess]
) -> None:
    server = new_server()
    line = NudgeLine(Endpoint(server.url), PREFIX)
    sleeper.sleep([line], 0)

    server.kill()

    with pytest.raises((RedisError, OSError)):
        sleeper.sleep([line], 5)
    assert not line.is_listening


def test_sleep_when_the_connection_is_silent_then_raises_after_its_deadline(
    sleeper: Sleeper, new_server: Callable[..., RedisProcess]
) -> None:
    server = new_server(tcp=True)
    with Proxy(server) as proxy:
        line = NudgeLine(Endpoint(proxy.url, reply_timeout_ms=100), PREFIX, wait_ms=100)
        sleeper.sleep([line], 0)
        proxy.black_hole()

        time.sleep(0.25)
        with pytest.raises(RedisError):
            sleeper.sleep([line], 0.05)


def test_sleep_when_the_key_is_no_list_then_it_is_set_aside(
    sleeper: Sleeper, redis_url: str
) -> None:
    client = HeldConnection(Endpoint(redis_url))
    line = NudgeLine(Endpoint(redis_url), PREFIX, wait_ms=50)
    sleeper.sleep([line], 0)
    client.call("SET", KEY, "no list")

    for _ in range(4):
        sleeper.sleep([line], 0.1)

    assert b"none" == client.call("TYPE", KEY)
    assert 1 == client.call("ZCARD", PREFIX + b"quarantine")
    assert line.is_listening
    line.close()


def test_sleep_when_there_are_very_many_files_then_works_all_the_same(
    sleeper: Sleeper, redis_url: str
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1_200:
        pytest.skip("not allowed to open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_200), hard))
    files = [open("/dev/null", "rb") for _ in range(1_050)]  # noqa: SIM115 - held on purpose
    line = NudgeLine(Endpoint(redis_url), PREFIX)
    try:
        slept = _slept(sleeper, [line], 0.02)
        assert line.descriptor > 1_023
        HeldConnection(Endpoint(redis_url)).call("RPUSH", KEY, "1")
        nudged = _slept(sleeper, [line], 5)
    finally:
        line.close()
        for file in files:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert slept >= 0.02
    assert nudged < 1
