"""
A Redis of our own for one run: Debian's by default, without persistence, on loopback and a socket.

All contenders of a run meet the same server, emptied before each cell.
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import redis

Transport = Literal["tcp", "unix"]

#: Where the server is looked for when none is named: the system's, not an environment's.
SYSTEM_SERVER = "/usr/bin/redis-server"


#: prctl option: the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class PrivateRedis:
    """
    A server process, stopped when the ``with`` block ends.

    Args:
        binary: Which server.
        transport: Which way clients take; the other is open too.
        settings: Further settings of the server, as its command line takes them.
    """

    def __init__(
        self,
        binary: str = SYSTEM_SERVER,
        transport: Transport = "tcp",
        settings: tuple[str, ...] = (),
    ) -> None:
        self.binary = binary
        self.transport = transport
        self._folder = Path(tempfile.mkdtemp(prefix="bench-redis-"))
        self._socket = self._folder / "redis.sock"
        self._port = _free_port()
        command = [binary, "--port", str(self._port), "--bind", "127.0.0.1"]
        command += ["--unixsocket", str(self._socket), "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", *settings]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads run here
        )
        self._client: redis.Redis | None = None
        self._await_ready()

    @property
    def url(self) -> str:
        """How contenders reach it."""
        if self.transport == "unix":
            return f"unix://{self._socket}"
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def port(self) -> int:
        """The port on loopback."""
        return self._port

    @property
    def client(self) -> redis.Redis:
        """The measuring side's own client."""
        if self._client is None:
            self._client = redis.Redis.from_url(self.url)
        return self._client

    @property
    def described(self) -> str:
        """Version and settings in words, for reports."""
        facts: Any = self.client.info("server")
        name = "Valkey" if facts.get("server_name") == "valkey" else "Redis"
        version = facts.get("valkey_version") or facts["redis_version"]
        way = "TCP loopback" if self.transport == "tcp" else "unix socket"
        return f"{name} {version}, no persistence, {way}"

    def empty(self) -> None:
        """Remove all keys, scripts and statistics."""
        self.client.flushall()
        self.client.script_flush()
        self.client.config_resetstat()
        self.client.memory_purge()

    def used_memory(self) -> int:
        """Bytes that the data take, after the allocator has settled."""
        facts: Any = self.client.info("memory")
        return int(facts["used_memory"])

    def cpu_seconds(self) -> float:
        """CPU time of the server's main thread and its helpers."""
        facts: Any = self.client.info("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])

    def stop(self) -> None:
        """End the server and remove its files."""
        if self._client is not None:
            self._client.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def die_with_parent() -> None:
    """For a child before its exec: a benchmark that is killed leaves nothing running (Linux)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
