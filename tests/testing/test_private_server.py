"""A server of the test's own: really there, and really gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from beatline.errors import RedisUnavailable
from beatline.testing import PrivateServer
from tests.servers import eventually


def test_server_when_it_is_on_then_it_answers_and_keeps_nothing_on_disk() -> None:
    with PrivateServer() as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert "no" == client.config_get("appendonly")["appendonly"]
        folder = Path(server.url.removeprefix("unix://")).parent
        assert folder.is_dir()

    assert not folder.exists()
    with pytest.raises(RedisUnavailable, match="does not run"):
        _ = server.url


def test_server_when_its_program_is_none_then_its_words_are_told(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho 'no such option'; exit 1\n")
    program.chmod(0o755)

    with pytest.raises(RedisUnavailable, match="did not come up: no such option"):
        PrivateServer(program).start()


@pytest.mark.skipif(sys.platform != "linux", reason="ends with its owner on Linux only")
def test_server_when_its_owner_is_killed_then_it_ends() -> None:
    code = (
        "import time\nfrom beatline.testing import PrivateServer\n"
        "server = PrivateServer()\nserver.start()\nprint(server.url, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        owner.kill()

    def is_gone() -> bool:
        with redis.Redis.from_url(url) as client:
            try:
                client.ping()
            except redis.ConnectionError:
                return True
        return False

    eventually(is_gone, what="the end of the server")
