"""
One job through the installed wheel: embedded server, worker, command line and client.

Run by the wheel's own interpreter, from a folder outside the checkout.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import beatline
from beatline.embedded import embedded_url

APP = """\
from beatline import App

app = App("smoke")


@app.task
def add(a: int, b: int) -> int:
    return a + b
"""

CALL = """\
from app import add

print(add.delay(20, 22).get(timeout=30))
"""

SCHED = Path(sys.executable).with_name("sched")

#: Seconds for anything that is waited for.
PATIENCE_S = 30


def main() -> None:
    """Start a server and a worker in an empty folder, and send two jobs through them."""
    if "site-packages" not in beatline.__file__:
        sys.exit(f"this is not the installed wheel: {beatline.__file__}")
    with tempfile.TemporaryDirectory(prefix="bl-", dir="/tmp") as place:
        folder = Path(place)
        (folder / "app.py").write_text(APP)
        (folder / "call.py").write_text(CALL)
        server = start(folder, "up", "--only", "server")
        worker = None
        try:
            wait_for_server(folder, server)
            worker = start(folder, "worker", "-A", "app.py:app", "-c", "1")
            answer = run(folder, [sys.executable, "call.py"])
            if answer.strip() != "42":
                sys.exit(f"20 + 22 gave {answer!r}")
            run(folder, [str(SCHED), "call", "-A", "app.py:app", "app.add", "-a", "[1, 2]"])
        finally:
            for running in (worker, server):
                if running is not None:
                    end(running)
        if embedded_url(folder) is not None:
            sys.exit("the embedded server outlived the command that owns it")
    print(f"one job went through beatline {beatline.__version__} and its embedded server")


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A `sched` command that goes on running."""
    return subprocess.Popen([str(SCHED), *words], cwd=folder)


def run(folder: Path, command: list[str]) -> str:
    """What a command prints; it has to end well."""
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    ).stdout


def wait_for_server(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait until clients in the folder find the embedded server."""
    deadline = time.monotonic() + PATIENCE_S
    while embedded_url(folder) is None:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"no embedded server; sched up ended with {server.poll()}")
        time.sleep(0.05)


def end(running: subprocess.Popen[bytes]) -> None:
    """End a command in order; it has to end well."""
    running.send_signal(signal.SIGTERM)
    code = running.wait(timeout=PATIENCE_S)
    if code != 0:
        sys.exit(f"{running.args!r} ended with {code} after SIGTERM")


if __name__ == "__main__":
    main()
