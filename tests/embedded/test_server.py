"""Starting, owning, adopting and ending real servers of each kind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from beatline.embedded import EmbeddedServer, embedded_url
from beatline.embedded.readiness import NoAnswer, await_ready
from beatline.errors import RedisUnavailable, UnfitServer
from tests.conftest import binary_or_skip
from tests.embedded.conftest import Owner
from tests.servers import eventually

NewOwner = Callable[..., Owner]


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def script(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *rows, "")), encoding="utf-8")
    path.chmod(0o755)
    return path


def test_start_when_the_folder_is_new_then_serves_safely_and_privately(
    folder: Path, binary: Path
) -> None:
    with EmbeddedServer(folder, binary=binary) as server, client_of(server.url) as client:
        settings = {
            name: client.config_get(name)[name]
            for name in ("port", "appendonly", "appendfsync", "maxmemory-policy", "save")
        }
        socket_mode = server.socket.stat().st_mode & 0o777
        folder_mode = folder.stat().st_mode & 0o777

    assert {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    } == settings
    assert (0o700, 0o700) == (socket_mode, folder_mode)
    assert 0 == server.returncode


def test_stop_when_data_was_written_then_the_next_start_has_it(folder: Path, binary: Path) -> None:
    server = EmbeddedServer(folder, binary=binary)
    server.start()
    with client_of(server.url) as client:
        client.set("kept", "yes")

    ended = server.stop()

    assert ended
    assert embedded_url(folder.parent) is None
    with EmbeddedServer(folder, binary=binary) as again, client_of(again.url) as client:
        assert b"yes" == client.get("kept")


def test_start_when_another_owns_the_folder_then_refused_and_the_owner_goes_on(
    folder: Path, binary: Path, new_owner: NewOwner
) -> None:
    owner = new_owner(binary)
    told = owner.listen()

    with pytest.raises(RedisUnavailable, match=f"in use by process {owner.running.pid}") as no:
        EmbeddedServer(folder, binary=binary).start()

    assert "sched worker" in no.value.remedy
    with client_of(told["url"]) as client:
        assert client.ping()


def test_start_when_six_want_the_folder_at_once_then_one_gets_it(
    embedded_binary: Path, new_owner: NewOwner
) -> None:
    owners = [new_owner(embedded_binary) for _ in range(6)]

    told = [owner.listen() for owner in owners]

    assert 1 == sum("url" in said for said in told)
    assert 5 == sum("is in use by" in said.get("error", "") for said in told)


def test_kill_when_the_owner_dies_then_the_next_adopts_its_server(
    folder: Path, binary: Path, new_owner: NewOwner
) -> None:
    first = new_owner(binary)
    told = first.listen()
    with client_of(told["url"]) as client:
        client.set("kept", "yes")

    first.end(signal.SIGKILL)

    assert told["url"] == embedded_url(folder.parent)
    with EmbeddedServer(folder, binary=binary) as adopted:
        assert adopted.was_adopted
        assert told["pid"] == adopted.pid
        assert not adopted.has_ended
    assert adopted.has_ended
    eventually(lambda: not is_alive(told["pid"]))
    with EmbeddedServer(folder, binary=binary) as third, client_of(third.url) as client:
        assert not third.was_adopted
        assert b"yes" == client.get("kept")


def test_kill_when_the_server_dies_then_noticed_and_a_new_one_has_the_data(
    folder: Path, binary: Path
) -> None:
    with EmbeddedServer(folder, binary=binary) as server:
        with client_of(server.url) as client:
            client.set("kept", "yes")
        first = server.pid
        assert first is not None
        assert not server.wait_ended(0)

        os.kill(first, signal.SIGKILL)

        assert server.wait_ended(5)
        assert (True, -signal.SIGKILL) == (server.has_ended, server.returncode)
        server.start()
        assert first != server.pid
        with client_of(server.url) as client:
            assert b"yes" == client.get("kept")


def test_kill_when_an_adopted_server_dies_then_noticed_and_a_new_one_has_the_data(
    folder: Path, binary: Path, new_owner: NewOwner
) -> None:
    first = new_owner(binary)
    told = first.listen()
    with client_of(told["url"]) as client:
        client.set("kept", "yes")
    first.end(signal.SIGKILL)
    with EmbeddedServer(folder, binary=binary) as server:
        os.kill(told["pid"], signal.SIGKILL)

        assert server.wait_ended(5)
        server.start()

        assert not server.was_adopted
        with client_of(server.url) as client:
            assert b"yes" == client.get("kept")


def test_kill_when_owner_and_server_die_then_the_next_clears_the_socket_and_starts(
    folder: Path, binary: Path, new_owner: NewOwner
) -> None:
    first = new_owner(binary)
    told = first.listen()
    first.end(signal.SIGKILL)
    os.kill(told["pid"], signal.SIGKILL)
    assert (folder / "redis.sock").exists()

    with EmbeddedServer(folder, binary=binary) as server:
        fresh = not server.was_adopted

    assert fresh


def test_interrupt_when_the_terminal_sends_it_then_the_server_hears_of_it_from_its_owner(
    folder: Path, embedded_binary: Path, new_owner: NewOwner
) -> None:
    owner = new_owner(embedded_binary)
    owner.listen()

    code = owner.end(signal.SIGINT)

    assert 130 == code
    log = (folder / "server.log").read_text()
    assert "Received SIGTERM" in log
    assert "Received SIGINT" not in log


def test_start_when_running_then_the_server_has_a_session_of_its_own(
    folder: Path, embedded_binary: Path
) -> None:
    with EmbeddedServer(folder, binary=embedded_binary) as server:
        assert server.pid is not None
        session = os.getsid(server.pid)

    assert server.pid == session


def test_start_when_the_path_is_too_long_then_serves_from_a_private_folder(
    short_folder: Path, binary: Path
) -> None:
    folder = short_folder / ("x" * 70) / ("y" * 70) / ".beatline"

    with EmbeddedServer(folder, binary=binary) as server:
        url = embedded_url(folder.parent)
        with client_of(server.url) as client:
            client.set("kept", "yes")
        runtime = server.socket.parent

    assert server.url != url
    assert str(runtime).startswith(f"/tmp/beatline-{os.geteuid()}-")
    assert not runtime.exists()
    with EmbeddedServer(folder, binary=binary) as again, client_of(again.url) as client:
        assert b"yes" == client.get("kept")


def test_stop_when_the_server_is_paused_then_says_so_and_the_next_owner_adopts_it(
    folder: Path, embedded_binary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedServer(folder, binary=embedded_binary)
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)

    ended = server.stop(timeout_s=0.1)

    assert not ended
    assert "embedded.still_running" in caplog.text
    os.kill(pid, signal.SIGCONT)  # it now heeds the request to end
    with EmbeddedServer(folder, binary=embedded_binary) as again:
        assert not again.has_ended
    assert server.wait_ended(5)


def test_await_ready_when_the_server_is_paused_then_gives_up(
    folder: Path, embedded_binary: Path
) -> None:
    with EmbeddedServer(folder, binary=embedded_binary) as server:
        assert server.pid is not None
        running = server._running
        assert running is not None
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NoAnswer):
                await_ready(running, lambda: server.socket, None, silence_s=0.1)
        finally:
            os.kill(server.pid, signal.SIGCONT)


def test_start_when_much_data_loads_then_waits_and_tells_the_share(
    folder: Path, short_folder: Path, binary: Path
) -> None:
    with EmbeddedServer(folder, binary=binary) as server, client_of(server.url) as client:
        client.mset({f"key-{n}": "x" * 100 for n in range(300)})
        with client.pipeline(transaction=False) as pipe:
            for n in range(5000):
                pipe.set(f"own-{n}", "x" * 100)
            pipe.execute()
    slow = script(
        short_folder / "slow",
        "[ $# = 1 ] || often='--loading-process-events-interval-bytes 2048'",
        f"{binary} --version | grep -q v=6 && often=",  # 6.2 answers every 1000 commands
        f'exec {binary} "$@" --key-load-delay 100 $often',
    )
    shares: list[float] = []

    with (
        EmbeddedServer(folder, binary=slow, on_loading=shares.append) as server,
        client_of(server.url) as client,
    ):
        keys = client.dbsize()

    assert 5300 == keys
    assert shares
    assert sorted(shares) == shares
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_start_when_the_locale_is_not_installed_then_serves(
    folder: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")

    with EmbeddedServer(folder, binary=binary) as server:
        assert not server.has_ended


def test_start_when_the_server_ends_at_once_then_its_last_words_are_told(
    folder: Path, short_folder: Path, embedded_binary: Path
) -> None:
    broken = script(short_folder / "broken", f'exec {embedded_binary} "$@" --no-such-option 1')

    with pytest.raises(RedisUnavailable, match=r"ended with 1 .*no-such-option") as refusal:
        EmbeddedServer(folder, binary=broken).start()

    assert "server.log" in refusal.value.remedy
    with EmbeddedServer(folder, binary=embedded_binary) as server:
        assert not server.has_ended


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("Redis server v=6.0.16 sha=0", "is Redis 6.0; Beatline needs 6.2 or newer"),
        ("Valkey server v=7.0.0 sha=0", "is Valkey 7.0; Beatline needs 7.2 or newer"),
        ("sleep (GNU coreutils) 9.1", "is neither a Redis nor a Valkey server"),
    ],
)
def test_start_when_the_binary_will_not_do_then_refused(
    folder: Path, short_folder: Path, says: str, expected: str
) -> None:
    wrong = script(short_folder / "wrong", f"echo '{says}'")

    with pytest.raises(UnfitServer, match=expected) as refusal:
        EmbeddedServer(folder, binary=wrong).start()

    assert "beatline[embedded]" in refusal.value.remedy


def test_start_when_the_binary_is_not_for_this_machine_then_refused(
    folder: Path, short_folder: Path
) -> None:
    alien = short_folder / "alien"
    alien.write_bytes(b"\x7fELF not really")
    alien.chmod(0o755)

    with pytest.raises(UnfitServer, match=r"cannot be run"):
        EmbeddedServer(folder, binary=alien).start()


def test_start_when_an_old_server_would_find_a_newer_one_s_folder_empty_then_refused(
    folder: Path,
) -> None:
    with EmbeddedServer(folder, binary=binary_or_skip("debian")):
        pass

    with pytest.raises(UnfitServer, match=r"it would start empty"):
        EmbeddedServer(folder, binary=binary_or_skip("redis62")).start()
