"""The suite's own servers do what their tests rely on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import RedisProcess, eventually


def test_any_server_when_asked_for_then_is_empty_and_answers(any_server: RedisProcess) -> None:
    with any_server.client() as client:
        keys = client.keys("*")

    assert [] == keys
    assert (6, 2) <= any_server.version()


def test_redis_url_when_an_earlier_test_left_keys_then_they_are_gone(
    redis_server: RedisProcess, redis_url: str
) -> None:
    with redis_server.client() as client:
        client.set("left", "over")

    redis_server.flush()

    with redis_server.client() as client:
        assert client.get("left") is None
    assert redis_server.url == redis_url


def test_new_server_when_killed_and_started_again_then_keeps_its_aof(
    new_server: Callable[..., RedisProcess],
) -> None:
    server = new_server(aof=True, tcp=True)
    url = server.tcp_url
    with server.client() as client:
        client.set("kept", "1")

    server.kill()
    server.start()

    assert url == server.tcp_url
    with server.client() as client:
        assert b"1" == client.get("kept")


def test_new_server_when_paused_then_lives_without_an_answer(
    new_server: Callable[..., RedisProcess],
) -> None:
    server = new_server()

    server.pause()

    assert server.is_running
    with server.client(timeout=0.1) as client, pytest.raises(Exception, match=r"[Tt]imeout"):
        client.ping()
    server.resume()
    server.flush()


def test_eventually_when_time_is_over_then_fails_with_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.01 s for a miracle; last value: 0"):
        eventually(lambda: 0, 0.01, what="a miracle")


def test_short_folder_when_used_then_leaves_room_for_a_socket(short_folder: Path) -> None:
    assert len(str(short_folder / "r.sock")) < 40
