"""Workers and beats as real processes, on a server of the test's own kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from beatline import App
from tests.processes import Command, Journal, commands
from tests.servers import RedisProcess

ROOT = Path(__file__).parent.parent.parent
JOBS_APP = "tests/worker/jobs_app.py:app"

#: The pools with several lanes share their dispatcher: one of them is tried by the quick tests.
LANES = [
    pytest.param("threads", marks=pytest.mark.slow),
    "asyncio",
    pytest.param("gevent", marks=pytest.mark.slow),
]

#: What holds on every pool: the test's workers have two lanes, or two children.
on_each_pool = pytest.mark.parametrize("pool", ["prefork", *LANES], indirect=True)
#: What holds where a child has several lanes.
with_lanes = pytest.mark.parametrize("pool", LANES, indirect=True)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Where the jobs of the test write what they do."""
    return Journal(tmp_path / "journal")


@pytest.fixture
def sched(
    tmp_path: Path, redis_server: RedisProcess, journal: Journal
) -> Iterator[Callable[..., Command]]:
    """Starts ``sched`` commands against the test's server."""
    env = {
        "BEATLINE_REDIS_URL": redis_server.url,
        "JOURNAL": str(journal.path),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with commands(tmp_path, env) as start:
        yield start


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the test's workers; tests that hold for all are given each in turn."""
    return str(getattr(request, "param", "prefork"))


@pytest.fixture
def worker(sched: Callable[..., Command], pool: str) -> Callable[..., Command]:
    """Starts a worker on the test's app and waits until it is ready."""

    def start(*options: str, **how: object) -> Command:
        if "-P" not in options:
            options = ("-P", pool, *options)
        command = sched("worker", "-A", JOBS_APP, *options, **how)
        command.wait_for_line("worker.ready")
        return command

    return start


@pytest.fixture
def app(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> App:
    """The client's side of the same app."""
    monkeypatch.setenv("BEATLINE_REDIS_URL", redis_server.url)
    return App("tests", redis=redis_server.url)


@pytest.fixture
def redis_client(redis_server: RedisProcess) -> Iterator[redis.Redis]:
    """A plain client on the test's server."""
    client = redis.Redis.from_url(redis_server.url)
    yield client
    client.close()
