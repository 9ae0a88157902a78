"""Drives one contender: sends through its side, starts and ends its workers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.environments import FOLDER, python_of
from benchmarks.private_redis import PrivateRedis
from benchmarks.roster import Contender
from benchmarks.sessions import PYTHONPATH, ROOT, Failed, Session
from benchmarks.stamps import FOLDER_VARIABLE


class Driver:
    """
    One contender on one server.

    Args:
        contender: Who.
        server: Where.
        folder: For stamps and logs.
        stored: Whether results are kept.
        more: Settings of its side for this cell, on top of its own.
    """

    def __init__(
        self,
        contender: Contender,
        server: PrivateRedis,
        folder: Path,
        *,
        stored: bool = False,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.contender = contender
        self._server = server
        self._folder = folder
        self._environment = {
            "BENCH_URL": server.url,
            "BEATLINE_REDIS_URL": server.url,
            FOLDER_VARIABLE: str(folder),
            "BENCH_SETTINGS": json.dumps({**contender.settings, "stored": stored, **more}),
        }

    def send(self, verb: str, *arguments: float, limit_s: float = 180) -> dict[str, Any]:
        """
        Have its side do something and return what it says.

        Raises:
            Failed: It has not, or not in time.
        """
        command = self._command(verb, *(str(argument) for argument in arguments))
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH, **self._environment}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True,
                timeout=limit_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{verb} took longer than {limit_s:.0f} s") from late
        if done.returncode:
            raise Failed(f"{verb} ended with {done.returncode}: {done.stderr[-800:]}")
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer

    def work(self, *, with_scheduler: bool = False) -> Session:
        """Start its workers: two children in all, and a scheduler where it needs one."""
        contender = self.contender
        commands = [
            self._command("worker", str(contender.children), str(number))
            for number in range(contender.worker_processes)
        ]
        if with_scheduler and not contender.schedules_itself:
            commands.append(self._command("scheduler", str(self._folder)))
        return self._session(commands, "work")

    def work_alone(self) -> Session:
        """Start one worker of one child."""
        return self._session([self._command("worker", "1", "0")], "work")

    def schedule(self) -> Session:
        """Start its scheduler alone, so that its cost can be told from the worker's."""
        return self._session([self._command("scheduler", str(self._folder))], "scheduler")

    def _session(self, commands: list[list[str]], what: str) -> Session:
        log = self._folder / f"{self.contender.name}-{self.contender.form}-{what}.log"
        return Session(commands, self._environment, log, patience_s=0.3)

    def _command(self, verb: str, *arguments: str) -> list[str]:
        if self.contender.module is None:
            node = shutil.which("node") or "node"
            return [node, str(FOLDER / "bullmq" / "side.mjs"), verb, *arguments]
        python = str(python_of(self.contender.environment))
        return [python, "-m", f"benchmarks.peers.{self.contender.module}", verb, *arguments]
