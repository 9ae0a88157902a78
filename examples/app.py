"""
A small weather station for the machine it runs on: real tasks on real input.

``make run`` runs it with the schedules of ``schedules/station.yaml``. All it writes goes to
``examples/data`` (or the folder that STATION_DATA names): ``station.db`` with a sample every ten
seconds, ``report.svg`` with the last hour drawn, ``backups/``, ``reminders.log``, and
``long_job.log``. What a task does twice it does harmlessly: samples and backups are named by
the instant they were planned for, not by the instant they ran.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drawing import Series, line_plot  # type: ignore[import-not-found]  # beside this file

from beatline import App, current_job

#: Everything that the tasks write.
DATA = Path(os.environ.get("STATION_DATA", Path(__file__).parent / "data"))
#: Samples older than this are removed, days.
KEPT_DAYS = 7

# A lease of 5 s instead of 15 s: the 90 s of long_job outlive it eighteen times.
app = App("station", lease="5s")


@app.task(name="probe", time_limit="20s")
def probe() -> dict[str, float]:
    """Measure load, memory and disk of this machine, and keep the sample."""
    planned = planned_instant()
    DATA.mkdir(parents=True, exist_ok=True)
    sample = {
        "load1": os.getloadavg()[0] / (os.cpu_count() or 1),
        "memory": memory_used(),
        "disk": disk_used(DATA),
    }
    with database() as db:
        db.execute(
            "INSERT OR REPLACE INTO samples VALUES (:at_s, :load1, :memory, :disk)",
            {"at_s": int(planned.timestamp()), **sample},
        )
        horizon_s = planned.timestamp() - timedelta(days=KEPT_DAYS).total_seconds()
        db.execute("DELETE FROM samples WHERE at_s < ?", (horizon_s,))
    return {name: round(value, 4) for name, value in sample.items()}


@app.task(name="report", time_limit="1m")
def report(hours: float = 1.0) -> dict[str, Any]:
    """Aggregate the samples of the last hours by the minute, and draw them as an SVG."""
    until = planned_instant()
    since_s = int((until - timedelta(hours=hours)).timestamp())
    with database() as db:
        rows = db.execute(
            "SELECT at_s / 60 * 60, avg(load1), avg(memory), avg(disk), count(*) FROM samples"
            " WHERE at_s >= ? GROUP BY 1 ORDER BY 1",
            (since_s,),
        ).fetchall()
    plots = [
        Series("load per core", "#c2410c", [(row[0], row[1]) for row in rows]),
        Series("memory", "#1d4ed8", [(row[0], row[2]) for row in rows]),
        Series("disk", "#15803d", [(row[0], row[3]) for row in rows]),
    ]
    title = f"{os.uname().nodename}, {hours:g} h until {until:%Y-%m-%d %H:%M} UTC"
    write_whole(DATA / "report.svg", line_plot(title, plots))
    peaks = {plot.label: round(max((y for _, y in plot.points), default=0.0), 4) for plot in plots}
    return {"minutes": len(rows), "samples": sum(row[4] for row in rows), "peaks": peaks}


@app.task(name="backup", max_retries=3, autoretry_for=(sqlite3.OperationalError,))
def backup(keep: int = 5) -> str:
    """Copy the database while it is in use, check the copy, and keep the newest ones."""
    folder = DATA / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"station-{planned_instant():%Y%m%dT%H%M%SZ}.db"
    unfinished = copy.with_suffix(".unfinished")
    with database() as db, closing(sqlite3.connect(unfinished)) as target:
        db.backup(target)
        (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise RuntimeError(f"the copy {unfinished} is damaged: {verdict}")
    unfinished.replace(copy)
    for old in sorted(folder.glob("station-*.db"))[:-keep]:
        old.unlink()
    return copy.name


@app.task(name="remind")
def remind(text: str) -> str:
    """Write a reminder into a log, with the instant it was meant for and how late it came."""
    planned = planned_instant()
    late_ms = (datetime.now(UTC) - planned).total_seconds() * 1_000
    append_line(DATA / "reminders.log", f"{planned:%Y-%m-%dT%H:%M:%SZ} +{late_ms:.0f}ms {text}")
    return text


@app.task(name="long_job")
def long_job(seconds: float = 90.0) -> str:
    """
    Compute for a long time, and leave one line at the start and one at the end.

    The lines show that it ran once, however often the lease ran out meanwhile: nobody else
    starts it, because the supervisor renews the lease while this loop keeps the interpreter busy.
    """
    job = current_job()
    who = f"job={job.id} fence={job.fence} delivery={job.delivery}" if job else "by hand"
    log = DATA / "long_job.log"
    append_line(log, f"start {datetime.now(UTC).isoformat(timespec='milliseconds')} {who}")
    end = time.monotonic() + seconds
    primes, candidate = 0, 2
    while time.monotonic() < end:
        primes += all(candidate % factor for factor in range(2, int(candidate**0.5) + 1))
        candidate += 1
        if candidate % 500 == 0:
            time.sleep(0.02)  # leaves the machine usable
    append_line(log, f"end {datetime.now(UTC).isoformat(timespec='milliseconds')} {who}")
    return f"{primes} primes below {candidate}"


def planned_instant() -> datetime:
    """When this run was meant to happen: the fire time or ETA of the job, else now."""
    job = current_job()
    return (job.scheduled_for if job else None) or datetime.now(UTC)


def memory_used() -> float:
    """Share of the memory that is in use, from 0 to 1; 0 where there is no /proc."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    return 1 - kilobytes["MemAvailable"] / kilobytes["MemTotal"]


def disk_used(path: Path) -> float:
    """Share of the file system around a path that is in use, from 0 to 1."""
    usage = shutil.disk_usage(path)
    return usage.used / usage.total


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """The station's database, made where it is missing; committed at the end."""
    DATA.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(DATA / "station.db", timeout=10)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "CREATE TABLE IF NOT EXISTS samples"
            " (at_s INTEGER PRIMARY KEY, load1 REAL, memory REAL, disk REAL)"
        )
        with db:
            yield db


def append_line(path: Path, line: str) -> None:
    """Append one line in one write, so that lines of several processes do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
