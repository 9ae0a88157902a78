"""When a child looks for the answer before it sleeps (docs/decisions/0011-lingering.md)."""

from __future__ import annotations

from typing import Any

from beatline.store.delivering import Consumer
from beatline.wire.connection import Argument, Endpoint, HeldConnection
from beatline.wire.scripts import Script
from beatline_worker.consumer import LINGER_S, ConsumerLoop


class _Line(HeldConnection):
    """Answers each call at once, and notes for how long it would have lingered."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.lingered: list[float] = []

    def connect(self) -> None:
        """There is nothing to connect to."""

    def run(
        self,
        script: Script,
        prefix: bytes,
        *arguments: Argument,
        timeout_ms: int | None = None,
    ) -> Any:
        """What settle.lua says where there is nothing to do."""
        self.lingered.append(self.linger_s)
        return [b"OK", 1, [], [], [], [], [], b""]


class _Loop(ConsumerLoop):
    line = _Line


def test_exchange_when_one_job_is_asked_for_then_lingers_and_otherwise_not() -> None:
    loop = _Loop(
        Endpoint("redis://127.0.0.1:1/0"),
        Consumer("w", "c", "default"),
        namespace="sched",
        partitions=1,
        wakeup_fd=-1,
        should_stop=lambda: False,
        on_round=lambda: None,
        lease_ms=10_000,
    )

    for limit in (1, 64, 1, 0):
        loop.exchange((), limit)

    line = loop._connection
    assert isinstance(line, _Line)
    assert [LINGER_S, 0.0, LINGER_S, 0.0] == line.lingered
