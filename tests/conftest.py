"""
Fixtures for the whole suite: real servers, private folders.

A server that is not installed skips its tests at home and fails them in CI (``CI=true``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import (
    SERVERS,
    RedisProcess,
    can_be_installed,
    in_ci,
    server_path,
    short_folder,
    why_missing,
)


def pytest_report_header() -> list[str]:
    """Which servers the tests run on, and which they miss."""
    found = {kind: server_path(kind) for kind in SERVERS}
    return [f"{kind}: {path or 'MISSING, ' + why_missing(kind)}" for kind, path in found.items()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, then the slow ones, then those that kill and cut."""
    items.sort(key=lambda item: [name in item.keywords for name in ("faults", "slow")])


class Servers:
    """
    The servers of one test run, each started when first asked for and ended with the run.

    They keep nothing on disk and are shared: tests that stop, kill, pause or configure a
    server take one of their own from the fixture ``new_server``.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, RedisProcess] = {}

    def get(self, kind: str) -> RedisProcess:
        """The shared server of this kind, with no key in it."""
        server = self._running.get(kind)
        if server is None or not server.is_running:
            folder = self._stack.enter_context(short_folder())
            server = RedisProcess(binary_or_skip(kind), folder, tcp=True)
            self._running[kind] = self._stack.enter_context(server)
        server.flush()
        return server


def binary_or_skip(kind: str) -> Path:
    """The binary of a kind of server; without it the test is skipped, in CI it fails."""
    found = server_path(kind)
    if found is not None:
        return found
    if in_ci() and can_be_installed(kind):
        pytest.fail(why_missing(kind))
    pytest.skip(why_missing(kind))


def usual_kind() -> str:
    """The kind that most tests use: the system's server, else the embedded one."""
    if server_path("debian") is None and server_path("embedded") is not None and not in_ci():
        return "embedded"
    return "debian"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """All shared servers; most tests want ``redis_server``, ``redis_url`` or ``any_server``."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture
def redis_server(servers: Servers) -> RedisProcess:
    """The shared server (Debian's where there is one), emptied before each test."""
    return servers.get(usual_kind())


@pytest.fixture
def redis_url(redis_server: RedisProcess) -> str:
    """The URL of the shared server, emptied before each test."""
    return redis_server.url


@pytest.fixture(params=SERVERS)
def any_server(request: pytest.FixtureRequest, servers: Servers) -> RedisProcess:
    """Each kind of server in turn: Debian's 7.0, the embedded one, and 6.2; emptied."""
    return servers.get(request.param)


@pytest.fixture
def new_server() -> Iterator[Callable[..., RedisProcess]]:
    """
    Starts servers for one test alone, to be stopped, killed, paused or configured.

    Called with ``kind`` (one of ``SERVERS``; the usual one by default) and with what
    ``RedisProcess`` takes: ``tcp``, ``aof``, ``options``.
    """
    with ExitStack() as stack:

        def start(kind: str | None = None, **how: object) -> RedisProcess:
            folder = stack.enter_context(short_folder())
            binary = binary_or_skip(kind or usual_kind())
            server = RedisProcess(binary, folder, **how)  # type: ignore[arg-type]  # passed on
            return stack.enter_context(server)

        yield start


@pytest.fixture(name="short_folder")
def _short_folder() -> Iterator[Path]:
    """A private folder whose path is short enough for a unix socket; removed afterwards."""
    with short_folder() as folder:
        yield folder
