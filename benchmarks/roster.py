"""
Who is measured, and how each is set up: its defaults, and the best that we found for no-op jobs.

Late acknowledgement is switched on where a contender has it, in both forms. What was tried to
find the tuned forms is told in ``docs/benchmarks.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Contender:
    """
    One form of one library.

    Attributes:
        name: Of the library.
        form: ``default`` or ``tuned``.
        package: Whose version is reported.
        environment: Where it is installed.
        module: Its side, of ``benchmarks.peers``; None for BullMQ.
        acks: Whether a job survives the death of the process that runs it.
        drain_jobs: Jobs of one drain: 2 to 4 s of work at its known rate.
        worker_processes: How many commands make two children; each gets its number.
        schedules_itself: Whether its worker promotes; else a scheduler runs beside it.
        sends_per_s: Roughly, to know how long before their instant jobs must be sent.
        settings: What its side reads.
        alone: What it reads besides where one child is to take one job at a time; None where it
            cannot.
        is_asyncio: Whether its jobs are coroutines of one loop.
        alone_jobs: Jobs of a drain one at a time.
        burst_jobs: Jobs of a burst: fewer than all others' where it would need minutes for them.
        times_apart: Whether its two forms differ in how they send, wake up, or wait for an instant.
        cells: The only cells that it takes part in; None for all.
        is_floor: Not a contender but what is possible without a framework.
        is_extra: Takes part only where it is named.
    """

    name: str
    form: str
    package: str
    environment: str
    module: str | None
    acks: bool
    drain_jobs: int
    sends_per_s: int
    worker_processes: int = 1
    schedules_itself: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    alone: dict[str, Any] | None = None
    is_asyncio: bool = False
    alone_jobs: int = 2_500
    burst_jobs: int = 10_000
    times_apart: bool = False
    cells: frozenset[str] | None = None
    is_floor: bool = False
    is_extra: bool = False

    @property
    def label(self) -> str:
        """Name and form, as tables show it."""
        return f"{self.name} ({self.form})"

    @property
    def children(self) -> int:
        """Children per worker command: two in all."""
        return 2 // self.worker_processes

    def set(self, **settings: Any) -> Contender:
        """The same with further settings."""
        return replace(self, settings={**self.settings, **settings})


def _pair(
    name: str,
    package: str,
    environment: str,
    module: str | None,
    *,
    default: dict[str, Any],
    tuned: dict[str, Any],
    **both: Any,
) -> list[Contender]:
    forms = []
    for form, own in (("default", default), ("tuned", tuned)):
        arguments = {"name": name, "form": form, "package": package, "environment": environment,
                     "module": module, "acks": True, **both, **own}  # fmt: skip
        forms.append(Contender(**arguments))
    return forms


_QUIET_CELERY = ["--without-gossip", "--without-mingle", "--without-heartbeat"]

CONTENDERS: list[Contender] = [
    Contender("Beatline", "default", "beatline", "ours", "beatline_side", acks=True,
              drain_jobs=120_000, sends_per_s=6_000, schedules_itself=False, alone={"batch": 1},
              alone_jobs=20_000, is_asyncio=True),
    # The same script, batch, decode and call, sent by hand: what a framework can reach at most.
    Contender("Bare loop", "floor", "beatline", "ours", "bare_side", acks=True,
              drain_jobs=120_000, sends_per_s=6_000, alone={"batch": 1}, alone_jobs=20_000,
              cells=frozenset({"enqueue", "drain", "drain-alone"}), is_floor=True),
    Contender("redis-py LPUSH", "floor", "redis", "ours", "lpush_side", acks=True, drain_jobs=0,
              sends_per_s=6_000, cells=frozenset({"enqueue"}), is_floor=True),
    *_pair("Celery", "celery", "peers", "celery_side", sends_per_s=900,
           alone={"prefetch": 1}, burst_jobs=5_000,
           default={"drain_jobs": 2_000},
           tuned={"drain_jobs": 3_000, "worker_processes": 2,
                  "settings": {"pool": "solo", "prefetch": 128, "worker": _QUIET_CELERY,
                               "lean": True}}),
    *_pair("RQ", "rq", "peers", "rq_side", sends_per_s=900, worker_processes=2, alone={},
           alone_jobs=700, burst_jobs=3_000,
           default={"drain_jobs": 150},
           tuned={"drain_jobs": 1_000, "settings": {"class": "rq.SimpleWorker"}}),
    *_pair("Dramatiq", "dramatiq", "peers", "dramatiq_side", sends_per_s=2_500,
           alone={"threads": 1, "prefetch": 1}, alone_jobs=300, times_apart=True,
           default={"drain_jobs": 8_000},
           tuned={"drain_jobs": 14_000, "settings": {"threads": 2, "bare": True, "prefetch": 256,
                                                     "delay_prefetch": 16_000}}),
    *_pair("Huey", "huey", "peers", "huey_side", sends_per_s=3_000, acks=False, alone={},
           alone_jobs=8_000,
           default={"drain_jobs": 9_000},
           tuned={"drain_jobs": 14_000, "settings": {"kind": "process", "worker": ["-C"]}}),
    *_pair("arq", "arq", "arq", "arq_side", sends_per_s=700, worker_processes=2,
           alone={"max_jobs": 1}, alone_jobs=150, is_asyncio=True, times_apart=True,
           burst_jobs=5_000,
           default={"drain_jobs": 250, "burst_jobs": 500},
           tuned={"drain_jobs": 3_000, "settings": {"max_jobs": 200, "poll_s": 0.02,
                                                    "read_limit": 400, "quiet": True}}),
    *_pair("SAQ", "saq", "peers", "saq_side", sends_per_s=1_200, alone={"concurrency": 1},
           is_asyncio=True,
           default={"drain_jobs": 5_000},
           tuned={"drain_jobs": 6_000, "settings": {"concurrency": 40, "uvloop": True}}),
    *_pair("taskiq", "taskiq", "peers", "taskiq_side", sends_per_s=1_000, schedules_itself=False,
           alone={"xread_count": 1, "worker": ["--max-async-tasks", "1", "--max-prefetch", "1"]},
           is_asyncio=True, times_apart=True, burst_jobs=5_000,
           default={"drain_jobs": 8_000, "acks": False},
           tuned={"drain_jobs": 8_000,
                  "settings": {"streams": True, "xread_count": 500,
                               "worker": ["--no-parse", "--max-async-tasks", "500"],
                               "scheduler": ["--loop-interval", "1"]}}),
    *_pair("docket", "pydocket", "peers", "docket_side", sends_per_s=700, worker_processes=2,
           alone={"concurrency": 1}, alone_jobs=150, is_asyncio=True, times_apart=True,
           burst_jobs=3_000, is_extra=True,
           default={"drain_jobs": 250, "burst_jobs": 300},
           tuned={"drain_jobs": 2_500, "settings": {"concurrency": 30, "step_ms": 20}}),
    *_pair("BullMQ", "bullmq", "node", None, sends_per_s=2_500, worker_processes=2,
           alone={"concurrency": 1}, alone_jobs=5_000, is_asyncio=True,
           default={"drain_jobs": 8_000},
           tuned={"drain_jobs": 16_000, "settings": {"concurrency": 50}}),
    # In memory: one process that neither stores nor hands over what it fires.
    Contender("APScheduler", "tuned", "apscheduler", "peers", "apscheduler_side", acks=False,
              drain_jobs=0, sends_per_s=1_000, cells=frozenset({"schedules", "schedules-10k"})),
]  # fmt: skip


def chosen(names: list[str] | None, form: str | None) -> list[Contender]:
    """
    The contenders of these names (any case); Beatline and the floor are always among them.

    Raises:
        KeyError: One of the names is nobody's.
    """
    wanted = None if names is None else {name.lower() for name in names}
    if wanted is not None:
        unknown = wanted - {contender.name.lower() for contender in CONTENDERS}
        if unknown:
            raise KeyError(f"no contender is called {', '.join(sorted(unknown))}")
    return [one for one in CONTENDERS if _takes_part(one, wanted, form)]


def _takes_part(one: Contender, wanted: set[str] | None, form: str | None) -> bool:
    if one.environment == "ours":
        return True
    is_wanted = not one.is_extra if wanted is None else one.name.lower() in wanted
    return is_wanted and (form is None or one.form == form)
