"""The command line as users have it: real processes, in folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from beatline.embedded import EmbeddedServer, embedded_url
from tests.processes import Command
from tests.servers import RedisProcess

#: What a user's shell may have set that would lead a test astray.
_UNSET = ("BEATLINE_APP", "BEATLINE_REDIS_URL", "BEATLINE_NAMESPACE", "BEATLINE_DEBUG")


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


def clean_environment() -> dict[str, str]:
    """This process's environment without what names another place."""
    return {name: value for name, value in os.environ.items() if name not in _UNSET}


@pytest.fixture
def run(short_folder: Path) -> Run:
    """Runs a ``sched`` command in the test's folder until it ends."""

    def start(
        *arguments: str, timeout: float = 30, folder: Path = short_folder, **env: str
    ) -> Told:
        ended = subprocess.run(
            [sys.executable, "-m", "beatline.cli", *arguments],
            cwd=folder,
            env={**clean_environment(), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Told(ended.returncode, ended.stdout, ended.stderr)

    return start


@pytest.fixture
def run_on(run: Run, redis_server: RedisProcess) -> Run:
    """Like ``run``, on the shared server."""

    def start(*arguments: str, **how: object) -> Told:
        return run(*arguments, BEATLINE_REDIS_URL=redis_server.url, **how)

    return start


@pytest.fixture
def sched(short_folder: Path) -> Iterator[Callable[..., Command]]:
    """Starts ``sched`` commands that go on running, in the test's folder."""
    with ExitStack() as stack:
        count = 0

        def start(*arguments: str, **env: str) -> Command:
            nonlocal count
            count += 1
            log = short_folder / f"{count}.log"
            unset = dict.fromkeys(_UNSET, "")
            command = Command(arguments, log, env={**unset, **env}, cwd=short_folder)
            stack.callback(command.close)
            return command

        yield start
    # A server outlives an owner that was killed; the test's own folder says which one it is.
    if embedded_url(short_folder) is not None:
        with EmbeddedServer(short_folder / ".beatline"):
            pass  # adopted, and ended with the block


@pytest.fixture
def app_file(short_folder: Path) -> Path:
    """A small app in the test's folder; name it by ``-A app.py:app``."""
    path = short_folder / "app.py"
    path.write_text(APP, encoding="utf-8")
    return path


APP = """\
import time

from beatline import App

app = App("tests")


@app.task(name="add")
def add(a=0, b=0):
    return a + b


@app.task(name="fail")
def fail():
    raise LookupError("no such customer")


@app.task(name="nap")
def nap(seconds):
    time.sleep(seconds)
    return "rested"
"""
