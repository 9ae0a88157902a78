"""
The cells: one kind of work, the same for every contender, measured from outside.

A cell gets a `Lab` and a contender and returns an `Outcome`. Where a contender cannot do the work
the cell raises `NotOffered`, and the table shows a dash. All times that jobs have are stamped by
the jobs themselves (``stamps.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.driving import Driver
from benchmarks.lateness import await_stamps
from benchmarks.private_redis import PrivateRedis
from benchmarks.roster import Contender
from benchmarks.sessions import Failed, Session
from benchmarks.stamps import StampReader
from benchmarks.statistics_of import percentile

#: How long is sent, s.
SENDING_S = 1.6

#: Scheduled jobs that are counted in bytes: a million of ours. Of peers so many that the bytes of
#: each no longer change, which the reading at a fifth of them shows.
HELD_OWN, HELD_PEER, PILED = 1_000_000, 50_000, 10_000

#: Processes that send where only the number of jobs matters.
SENDERS = 2


class NotOffered(Exception):  # noqa: N818 - not a failure
    """A contender has nothing for this cell."""


@dataclass(frozen=True)
class Lab:
    """
    What every cell needs.

    Attributes:
        server: Emptied before each cell.
        folder: For stamps and logs.
        scale: 1, or less for a quick look.
    """

    server: PrivateRedis
    folder: Path
    scale: float = 1.0

    def count(self, full: int, least: int) -> int:
        """A number of jobs at this scale."""
        return max(least, int(full * self.scale))

    def seconds(self, full: float) -> float:
        """A time at this scale, at least half a second."""
        return max(0.5, full * self.scale)

    def fresh_stamps(self) -> StampReader:
        """An empty folder of stamps."""
        reader = StampReader(self.folder)
        reader.clear()
        return reader


@dataclass(frozen=True)
class Outcome:
    """The cell's value, and what else was seen."""

    value: float
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """
    One kind of work.

    Attributes:
        name: On the command line.
        title: In tables.
        unit: Of the value.
        better: Whether more or less is better.
        run: Measures it once.
        columns: Details that the table shows too: their names, and what stands above them.
        seconds: How long one value takes on two quiet cores: of ours, of a peer, and of those
            that differ much (by name or label).
        names: The only contenders; all if empty.
        peer_rounds: Rounds of peers at most; None for as many as ours.
        own_rounds: Rounds of ours at most.
        default_form: Whether peers' default forms are measured: once, only of those whose forms
            differ in more than how they run a queue's jobs, or never.
    """

    name: str
    title: str
    unit: str
    better: Literal["more", "less"]
    run: Callable[[Lab, Contender], Outcome]
    columns: tuple[tuple[str, str], ...] = ()
    seconds: Mapping[str, float] = field(default_factory=lambda: {"peer": 5.0})
    names: frozenset[str] = frozenset()
    peer_rounds: int | None = None
    own_rounds: int | None = None
    default_form: Literal["once", "timing", "never"] = "once"


def _one_by_one(lab: Lab, contender: Contender) -> Outcome:
    answer = Driver(contender, lab.server, lab.folder).send("one_by_one", lab.seconds(SENDING_S))
    return _rate(answer)


def _many(lab: Lab, contender: Contender) -> Outcome:
    _needs(contender, {"Celery", "Dramatiq", "Huey"}, "many jobs in one call")
    return _rate(Driver(contender, lab.server, lab.folder).send("many", lab.seconds(SENDING_S)))


def _rate(answer: dict[str, Any]) -> Outcome:
    cpu_us = answer["cpu_seconds"] / answer["count"] * 1e6
    return Outcome(answer["count"] / answer["seconds"], {"client_cpu_us": round(cpu_us, 1)})


def _drain(lab: Lab, contender: Contender, *, stored: bool) -> Outcome:
    driver = Driver(contender, lab.server, lab.folder, stored=stored)
    return _drained(lab, driver, lab.count(contender.drain_jobs, 100), driver.work)


def _drain_alone(lab: Lab, contender: Contender) -> Outcome:
    if contender.alone is None:
        raise NotOffered(f"{contender.name} cannot be told to take one job at a time")
    driver = Driver(contender, lab.server, lab.folder, more=contender.alone)
    return _drained(lab, driver, lab.count(contender.alone_jobs, 50), driver.work_alone)


def _drain_loop(lab: Lab, contender: Contender) -> Outcome:
    if not contender.is_asyncio:
        raise NotOffered(f"{contender.name} does not run coroutines in one loop")
    driver = Driver(contender, lab.server, lab.folder, more={"asyncio": True})
    return _drained(lab, driver, lab.count(contender.drain_jobs // 2, 100), driver.work_alone)


def _drained(lab: Lab, driver: Driver, count: int, work: Callable[[], Session]) -> Outcome:
    reader = lab.fresh_stamps()
    driver.send("fill", count)
    server_cpu = lab.server.cpu_seconds()
    with work() as session:
        await_stamps(session, reader, count, limit_s=90)
        cost = session.cost()
    stamps = reader.read()
    starts = sorted(stamp.at_ns for stamp in stamps)
    details = {
        "jobs": count,
        "twice": len(starts) - len({stamp.number for stamp in stamps}),
        "server_cpu_us": round((lab.server.cpu_seconds() - server_cpu) / count * 1e6, 1),
        "worker_pss_mb": cost.pss_mb,
        # Without the first and last tenth: when both children surely work.
        "middle_per_s": round(0.8 * count / (starts[count * 9 // 10] - starts[count // 10]) * 1e9),
    }
    return Outcome((count - 1) / (starts[-1] - starts[0]) * 1e9, details)


def _warmed(driver: Driver, session: Session, reader: StampReader) -> None:
    """Workers are up and have run something, then idle for half a second."""
    driver.send("fill", 50)
    await_stamps(session, reader, 50, limit_s=60)
    time.sleep(0.5)
    reader.skip()


def _round_trip(lab: Lab, contender: Contender) -> Outcome:
    driver, reader = Driver(contender, lab.server, lab.folder), lab.fresh_stamps()
    count = lab.count(400 if contender.environment == "ours" else 160, 50)
    with driver.work() as session:
        _warmed(driver, session, reader)
        driver.send("pings", count, 0.02)
        await_stamps(session, reader, count, limit_s=30)
    # The sender sent one job ahead of its pings to none; each number is the instant it began.
    took = [(stamp.at_ns - stamp.number) / 1e6 for stamp in reader.read()]
    return Outcome(percentile(took, 0.5), {"p99": percentile(took, 0.99), "max": max(took)})


def _scheduled(lab: Lab, contender: Contender, count: int, over_ms: int) -> list[float]:
    """Lateness of each job, ms, sorted; the sending is repeated earlier where it was too slow."""
    lead_ms = 1_500 + int(count / contender.sends_per_s * 1_500)
    for _attempt in range(3):
        lab.server.empty()
        driver, reader = Driver(contender, lab.server, lab.folder), lab.fresh_stamps()
        with driver.work(with_scheduler=True) as session:
            _warmed(driver, session, reader)
            answer = driver.send("at", count, lead_ms, over_ms)
            if answer["spare_ms"] < 50:
                lead_ms = int((lead_ms - answer["spare_ms"]) * 2)
                continue
            limit_s = (answer["spare_ms"] + over_ms) / 1000 + 60
            await_stamps(session, reader, count, limit_s)
        return sorted(stamp.at_ns / 1e6 - stamp.number for stamp in reader.read())
    raise Failed("jobs could not be sent before their instant")


def _eta(lab: Lab, contender: Contender) -> Outcome:
    count = lab.count(2_000, 100)
    late = _scheduled(lab, contender, count, int(20_000 * max(lab.scale, 0.2)))
    p50 = percentile(late, 0.5)
    return Outcome(percentile(late, 0.99), {"p50": p50, "first": late[0], "max": late[-1]})


def _burst(lab: Lab, contender: Contender) -> Outcome:
    count = lab.count(contender.burst_jobs, 300)
    late = _scheduled(lab, contender, count, 0)
    return Outcome(late[-1], {"jobs": count, "first": late[0], "p50": percentile(late, 0.5)})


def _held(lab: Lab, contender: Contender) -> Outcome:
    full = HELD_OWN if contender.environment == "ours" else HELD_PEER
    return _bytes_each(lab, contender, "hold", lab.count(full, 2_000))


def _piled(lab: Lab, contender: Contender) -> Outcome:
    return _bytes_each(lab, contender, "pile", lab.count(PILED, 2_000))


def _bytes_each(lab: Lab, contender: Contender, verb: str, jobs: int) -> Outcome:
    driver = Driver(contender, lab.server, lab.folder)
    # Scripts and fixed keys are there before the count begins.
    driver.send(verb, 10)
    before, first = lab.server.used_memory(), jobs // 5
    _sent(driver, verb, first)
    at_fifth = (lab.server.used_memory() - before) / first
    _sent(driver, verb, jobs - first)
    each = (lab.server.used_memory() - before) / jobs
    return Outcome(each, {"jobs": jobs, "at_fifth": at_fifth})


def _sent(driver: Driver, verb: str, jobs: int) -> None:
    """So many jobs by several processes at once."""
    shares = [jobs // SENDERS] * (SENDERS - 1) + [jobs - jobs // SENDERS * (SENDERS - 1)]
    with ThreadPoolExecutor(SENDERS) as pool:
        for answer in [pool.submit(driver.send, verb, share, limit_s=300) for share in shares]:
            answer.result()


def _idle(lab: Lab, contender: Contender) -> Outcome:
    # Ours with the example's app, as the goal asks for; peers with the no-op tasks alone.
    more = {"app": "benchmarks/example_app.py:app"} if contender.environment == "ours" else {}
    driver, reader = Driver(contender, lab.server, lab.folder, more=more), lab.fresh_stamps()
    seconds = max(5.0, 10 * lab.scale)
    with driver.work(with_scheduler=True) as session:
        _warmed(driver, session, reader)
        time.sleep(3)
        before, server_before = session.scheduled_s(), lab.server.cpu_seconds()
        time.sleep(seconds)
        after, cost = session.scheduled_s(), session.cost()
        server_cpu = lab.server.cpu_seconds() - server_before
    details = {
        "pss_mb": cost.pss_mb,
        "processes": cost.processes,
        "server_cpu_percent": round(server_cpu / seconds * 100, 2),
    }
    return Outcome((after - before) / seconds * 100, details)


def _needs(contender: Contender, lacking: set[str], what: str) -> None:
    if contender.name in lacking:
        raise NotOffered(f"{contender.name} has no way to send {what}")


_DRAIN_COLUMNS = (
    ("server_cpu_us", "server's CPU, µs a job"),
    ("worker_pss_mb", "worker's PSS, MB"),
)
_CLIENT_COLUMNS = (("client_cpu_us", "client's CPU, µs a job"),)

_MEMORY_COLUMNS = (("jobs", "jobs"), ("at_fifth", "B at a fifth of them"))

SENDING_AND_RUNNING = [
    Cell("drain", "drain, 2 children, results ignored", "jobs/s", "more",
         lambda lab, contender: _drain(lab, contender, stored=False), _DRAIN_COLUMNS,
         seconds={"ours": 5, "peer": 7.5}),
    Cell("drain-stored", "drain, 2 children, results stored", "jobs/s", "more",
         lambda lab, contender: _drain(lab, contender, stored=True), _DRAIN_COLUMNS,
         seconds={"ours": 6, "peer": 8},
         default_form="never"),
    Cell("drain-asyncio", "drain, coroutines, 1 child", "jobs/s", "more", _drain_loop,
         _DRAIN_COLUMNS, seconds={"ours": 5, "peer": 6},
         names=frozenset({"Beatline", "arq", "SAQ", "taskiq", "docket", "BullMQ"}), peer_rounds=2),
    Cell("drain-alone", "drain, one job at a time, 1 child", "jobs/s", "more", _drain_alone,
         _DRAIN_COLUMNS, seconds={"ours": 5, "peer": 7}, peer_rounds=1, default_form="never"),
    Cell("enqueue", "enqueue one by one", "jobs/s", "more", _one_by_one, _CLIENT_COLUMNS,
         seconds={"ours": 2.5, "peer": 3}, default_form="timing"),
    Cell("bulk", "enqueue in bulk (1,000 a call; asyncio: gathered)", "jobs/s", "more", _many,
         _CLIENT_COLUMNS, seconds={"ours": 2.5, "peer": 3}, default_form="never"),
    Cell("round-trip", "enqueue to start, idle worker, p50", "ms", "less", _round_trip,
         (("p99", "p99"), ("max", "max")), seconds={"ours": 12, "peer": 8.5},
         default_form="timing"),
    Cell("eta", "2,000 ETA jobs over 20 s, p99 late", "ms", "less", _eta,
         (("p50", "p50"), ("first", "earliest"), ("max", "max")),
         seconds={"ours": 25, "peer": 28}, peer_rounds=1, default_form="never"),
    Cell("burst", "10,000 ETA jobs at one instant, last start", "ms", "less", _burst,
         (("jobs", "jobs"), ("first", "first"), ("p50", "p50")),
         seconds={"ours": 8, "peer": 20}, peer_rounds=1, default_form="never"),
    Cell("memory-eta", "memory per scheduled job", "B", "less", _held, _MEMORY_COLUMNS,
         seconds={"ours": 15, "peer": 20}, own_rounds=1, peer_rounds=1, default_form="never"),
    Cell("memory-queued", "memory per queued job", "B", "less", _piled, _MEMORY_COLUMNS,
         seconds={"ours": 4, "peer": 6}, own_rounds=1, peer_rounds=1, default_form="never"),
    Cell("idle", "idle, CPU of worker and scheduler", "%", "less", _idle,
         (("pss_mb", "PSS, MB"), ("processes", "processes"), ("server_cpu_percent", "server, %")),
         seconds={"ours": 17, "peer": 18}, peer_rounds=1,
         default_form="never"),
]  # fmt: skip
