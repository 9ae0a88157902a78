"""The floor: our script and records, sent and taken by hand-written loops without a framework."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers.side import SETTINGS, URL, Side, become, run

os.environ["BEATLINE_REDIS_URL"] = URL

from benchmarks.bench_app import app, mark
from benchmarks.floor import hand_packed

#: As many as a child of ours takes at most.
BATCH = 128

_SENDERS: list[Callable[[], object]] = []


def send(_number: int) -> Any:
    if not _SENDERS:
        _SENDERS.append(hand_packed(app, URL))
    return _SENDERS[0]()


def send_many(numbers: Sequence[int]) -> None:
    mark.apply_many((number,) for number in numbers)


def worker(arguments: list[str]) -> None:
    batch = str(SETTINGS.get("batch", BATCH))
    become("python", "-m", "benchmarks.bare_worker", arguments[0], batch)


SIDE = Side(send=send, send_many=send_many, worker=worker)

if __name__ == "__main__":
    run(SIDE)
