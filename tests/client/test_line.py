from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from beatline.line import Line
from beatline.wire.connection import Endpoint, pack
from tests.servers import RedisProcess, eventually


@pytest.fixture
def line(redis_server: RedisProcess) -> Line:
    """A line to the test's server that loses patience soon."""
    return Line(Endpoint(redis_server.url, reply_timeout_ms=200))


def test_line_when_several_commands_are_sent_then_replies_come_in_order(line: Line) -> None:
    line.send(pack("ECHO", "a") + pack("ECHO", "b") + pack("EVALSHA", "0" * 40, 0) + pack("PING"))

    assert [b"a", b"b"] == [line.receive(), line.receive()]
    with pytest.raises(NoScriptError):
        line.receive()
    assert line.receive() == b"PONG"
    assert not line.is_stale()


def test_line_when_replies_were_left_unread_then_is_stale(line: Line) -> None:
    line.send(pack("ECHO", "a") + pack("ECHO", "b"))
    line.receive()

    assert line.is_stale()


def test_line_when_no_reply_comes_then_gives_up_and_begins_anew(line: Line) -> None:
    line.send(pack("BLPOP", "nothing", 5))

    with pytest.raises(RedisTimeoutError):
        line.receive()
    assert line.exchange(pack("PING")) == b"PONG"
    assert line.generation == 2


def test_line_when_it_lingers_then_the_reply_is_the_same_soon_or_late(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bytes | None] = []
    lingered = line._lingered

    def noted(sock: Any) -> bytes | None:
        found.append(lingered(sock))
        return found[-1]

    monkeypatch.setattr(line, "_lingered", noted)
    line.linger_s = 0.15

    assert line.exchange(pack("ECHO", "soon")) == b"soon"
    line.linger_s = 0.01
    line.send(pack("BLPOP", "nothing", 0.1))
    assert line.receive() is None
    assert [b"$4\r\nsoon\r\n", None] == found


def test_line_when_it_lingers_and_the_server_closes_then_is_lost(line: Line) -> None:
    line.exchange(pack("PING"))
    line.linger_s = 0.5
    line.exchange(pack("QUIT"))

    with pytest.raises(RedisConnectionError):
        line.exchange(pack("PING"))
    assert line.exchange(pack("PING")) == b"PONG"


def test_line_when_the_server_has_closed_then_is_stale_fails_and_begins_anew(line: Line) -> None:
    line.exchange(pack("QUIT"))
    eventually(line.is_stale, what="the server closes")

    with pytest.raises(RedisConnectionError):
        line.exchange(pack("PING"))
    assert line.exchange(pack("PING")) == b"PONG"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("rediss://me:se@cret@host/0?timeout=3", "rediss://me:***@host/0?timeout=3"),
        ("redis://host/0?username=me&password=se@cret", "redis://host/0?username=me&password=***"),
        ("rediss://host/0?ssl_password=secret&db=2", "rediss://host/0?ssl_password=***&db=2"),
        ("unix:///run/redis.sock?Password=secret", "unix:///run/redis.sock?Password=***"),
    ],
)
def test_endpoint_when_its_url_is_told_then_without_passwords(url: str, told: str) -> None:
    assert told == Endpoint(url).safe_url
