"""Beatline itself, called in the same way as its peers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run

os.environ["BEATLINE_REDIS_URL"] = URL

from benchmarks.bench_app import app, mail, mark, mark_stored

NOOP: Any = mark_stored if SETTINGS.get("stored") else mark


def send_many(numbers: Sequence[int]) -> None:
    NOOP.apply_many((number,) for number in numbers)


def send_at(number: int, due: datetime) -> None:
    NOOP.apply_async((number,), eta=due)


def send_mail_at(due: datetime) -> None:
    mail.apply_async(MAIL_ARGUMENTS, eta=due)


def worker(arguments: list[str]) -> None:
    become("sched", "worker", "-A", "benchmarks/bench_app.py:app", "-c", arguments[0],
           *SETTINGS.get("worker", []))  # fmt: skip


def scheduler(arguments: list[str]) -> None:
    command = ["sched", "beat", "-A", "benchmarks/bench_app.py:app"]
    if count := SETTINGS.get("schedules", 0):
        file = Path(arguments[0]) / "many.yaml"
        offset = "    offset: spread\n" if SETTINGS.get("spread") else ""
        entries = [
            f"  every-{number}:\n    task: mark\n    every: {1 + number % 10}s\n"
            f"{offset}    args: [{number}]\n"
            for number in range(count)
        ]
        head = "version: 1\ndefaults: {overlap: allow, catch_up: none}\nschedules:\n"
        file.write_text(head + "".join(entries))
        command += ["--schedules", str(file)]
    become(*command)


SIDE = Side(
    send=NOOP.delay,
    send_mail=lambda: mail.delay(*MAIL_ARGUMENTS),
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    worker=worker,
    scheduler=scheduler,
)

if __name__ == "__main__":
    assert app.name
    run(SIDE)
