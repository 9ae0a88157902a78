"""Our own processes, as the cells start them: a worker, a beat, and clients."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.private_redis import PrivateRedis
from benchmarks.sessions import Session
from benchmarks.stamps import FOLDER_VARIABLE

#: The `sched` command beside the Python that runs this.
SCHED = str(Path(sys.executable).with_name("sched"))

#: The app's file, seen from the repository's top.
APP = "benchmarks/bench_app.py:app"


def environment_for(server: PrivateRedis, stamps: Path) -> dict[str, str]:
    """What our processes need to know."""
    return {"BEATLINE_REDIS_URL": server.url, FOLDER_VARIABLE: str(stamps)}


def worker_command(children: int, *more: str) -> list[str]:
    """A worker with so many children."""
    return [SCHED, "worker", "-A", APP, "-c", str(children), *more]


def beat_command(*more: str) -> list[str]:
    """A beat that promotes and fires."""
    return [SCHED, "beat", "-A", APP, *more]


def start(
    commands: list[list[str]], server: PrivateRedis, stamps: Path, more: Mapping[str, str] = {}
) -> Session:
    """Start some of them beside each other."""
    environment = {**environment_for(server, stamps), **more}
    return Session(commands, environment, stamps / "ours.log")


def point_client_at(server: PrivateRedis) -> None:
    """Let the app of this very process use the server; before the app's first import."""
    os.environ["BEATLINE_REDIS_URL"] = server.url
