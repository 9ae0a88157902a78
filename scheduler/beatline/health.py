"""
Health of a process, for probes: an HTTP endpoint, a file, or both.

Health means "age of the last successful round with Redis", not "the process is alive": a live
process that consumes nothing is what a probe must find. `live` turns false when the process
has made no progress for so long that it should be restarted; `ready` when it does not take work
now.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from beatline.errors import InvalidSetting

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

_log = logging.getLogger("beatline.health")

#: How often the health file is written, seconds.
FILE_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """
    What a probe is told.

    Attributes:
        live: Whether the process makes progress, or has lost it only recently.
        ready: Whether it takes work now.
        age_ms: Age of its last successful round with Redis.
        detail: More for people.
    """

    live: bool
    ready: bool
    age_ms: int
    detail: dict[str, Any] = field(default_factory=dict)


class HealthReporter:
    """
    Answers probes from threads of its own.

    Args:
        probe: Says how the process is; called from other threads.
        address: ``:9000``, ``127.0.0.1:9000`` or ``[::1]:9000``; empty serves no HTTP.
        file: Path that is rewritten every two seconds; empty writes none.

    Paths of the endpoint are ``/live`` and ``/ready`` (200 or 503) and ``/`` (JSON, always 200).

    Raises:
        InvalidSetting: The address is not one, or is taken.
    """

    def __init__(self, probe: Callable[[], Health], *, address: str = "", file: str = "") -> None:
        self._probe = probe
        self._file = Path(file) if file else None
        self._stop = threading.Event()
        self._server = _serve(address, probe) if address else None
        if self._file is not None:
            threading.Thread(target=self._write, name="health-file", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that is served; 0 where none is."""
        return int(self._server.server_address[1]) if self._server is not None else 0

    def stop(self) -> None:
        """End the threads, and remove the file: no health is the health of a stopped process."""
        self._stop.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        while self._file is not None:
            health = json.dumps(asdict(self._probe()))
            beside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            try:
                beside.write_text(health + "\n")
                beside.replace(self._file)
            except OSError as error:
                _log.warning("health.file_not_written file=%s error=%s", self._file, error)
            if self._stop.wait(FILE_EVERY_S):
                return


def _serve(address: str, probe: Callable[[], Health]) -> ThreadingHTTPServer:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not port.isdecimal() or int(port) > 65535:
        raise InvalidSetting(f"health address {address!r} is not one", remedy="write it like :9000")

    class Answer(BaseHTTPRequestHandler):
        """Answers one probe."""

        def do_GET(self) -> None:
            """``/live``, ``/ready``, or everything."""
            health = probe()
            good = {"/live": health.live, "/ready": health.ready}.get(self.path, True)
            body = json.dumps(asdict(health)).encode() + b"\n"
            self.send_response(200 if good else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Probes come every few seconds: they are not logged."""

    try:
        server = ThreadingHTTPServer((host or "0.0.0.0", int(port)), Answer)
    except OSError as error:
        raise InvalidSetting(
            f"health address {address!r}: {error}", remedy="choose a free port"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
