"""Beatline itself, called in the same way as its peers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, interval_s, run

os.environ["BEATLINE_REDIS_URL"] = URL

from benchmarks.bench_app import app, mail, mark, mark_in_loop, mark_stored

#: The file of the app that workers and beat load.
APP = SETTINGS.get("app", "benchmarks/bench_app.py:app")
NOOP: Any = mark_stored if SETTINGS.get("stored") else mark
if SETTINGS.get("asyncio"):
    NOOP = mark_in_loop


def send_many(numbers: Sequence[int]) -> None:
    NOOP.apply_many((number,) for number in numbers)


def send_at(number: int, due: datetime) -> None:
    NOOP.apply_async((number,), eta=due)


def send_mail_at(due: datetime) -> None:
    mail.apply_async(MAIL_ARGUMENTS, eta=due)


def send_mails_at(count: int, due: datetime) -> None:
    mail.apply_many([MAIL_ARGUMENTS] * count, eta=due)


def worker(arguments: list[str]) -> None:
    if batch := SETTINGS.get("batch"):
        become("python", "-m", "benchmarks.narrow_worker", arguments[0], str(batch))
    # In the asyncio pool -c says how many coroutines run at the same time; its default is ours.
    pool = ["-P", "asyncio", "--children"] if SETTINGS.get("asyncio") else ["-c"]
    become("sched", "worker", "-A", APP, *pool, arguments[0],
           *SETTINGS.get("worker", []))  # fmt: skip


def scheduler(arguments: list[str]) -> None:
    command = ["sched", "beat", "-A", APP]
    if count := SETTINGS.get("schedules", 0):
        folder = Path(arguments[0]) / "schedules"
        folder.mkdir(exist_ok=True)
        # Files of a thousand each: one may have 1 MiB at most.
        for first in range(0, count, 1_000):
            numbers = range(first, min(first + 1_000, count))
            (folder / f"from-{first}.yaml").write_text(schedules_text(numbers))
        command += ["--schedules", str(folder)]
    become(*command)


def schedules_text(numbers: Sequence[int]) -> str:
    offset = "    offset: spread\n" if SETTINGS.get("spread") else ""
    entries = [
        f"  every-{number}:\n    task: mark\n"
        f"    every: {interval_s(number)}s\n{offset}    args: [{number}]\n"
        for number in numbers
    ]
    head = "version: 1\ndefaults: {overlap: allow, catch_up: none}\nschedules:\n"
    return head + "".join(entries)


SIDE = Side(
    send=NOOP.delay,
    send_mail=lambda: mail.delay(*MAIL_ARGUMENTS),
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    send_mails_at=send_mails_at,
    worker=worker,
    scheduler=scheduler,
)

if __name__ == "__main__":
    assert app.name
    run(SIDE)
