"""The app whose jobs the fault suite runs: each tells a journal when it starts and ends."""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import re
import resource
import signal
import threading
import time
from pathlib import Path

from beatline import App, current_job
from beatline.errors import SoftTimeLimitExceeded
from beatline.task import Task
from tests.faults.journal import write

app = App("faults")


def _fence() -> int:
    job = current_job()
    return 0 if job is None else job.fence


@app.task(name="work", ignore_result=True)
def work(key: str, seconds: float) -> None:
    fence = _fence()
    write("start", key, fence)
    time.sleep(seconds)
    write("end", key, fence)


@app.task(name="awork", ignore_result=True)
async def awork(key: str, seconds: float) -> None:
    fence = _fence()
    write("start", key, fence)
    await asyncio.sleep(seconds)
    write("end", key, fence)


@app.task(name="stumble", bind=True, ignore_result=True, max_retries=3, default_retry_delay=0.2)
def stumble(self: Task, key: str, seconds: float) -> None:
    """Fails once, and succeeds at the next attempt."""
    fence = _fence()
    write("start", key, fence)
    time.sleep(seconds)
    if self.request.retries == 0:
        write("fail", key, fence)
        raise self.retry()
    write("end", key, fence)


@app.task(name="fail")
def fail(key: str, seconds: float) -> None:
    """Fails for good, and its failure is kept."""
    fence = _fence()
    write("start", key, fence)
    time.sleep(seconds)
    write("fail", key, fence)
    raise ValueError(f"{key} is meant to fail")


@app.task(name="crash", ignore_result=True)
def crash(key: str, seconds: float) -> None:
    """Takes its process down in its first delivery, and succeeds in the next."""
    job = current_job()
    assert job is not None
    write("start", key, job.fence)
    time.sleep(seconds)
    if job.delivery == 1:
        os._exit(7)
    write("end", key, job.fence)


@app.task(name="steps", ignore_result=True)
def steps(key: str, seconds: float) -> None:
    """Says every 20 ms that it still runs."""
    fence = _fence()
    write("start", key, fence)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.02)
        write("step", key, fence)
    write("end", key, fence)


@app.task(name="isolated", ignore_result=True, isolation="kill")
def isolated(key: str, seconds: float) -> None:
    """As ``steps``, for a body that must never overlap with another run of its job."""
    steps(key, seconds)


@app.task(name="unsure", on_unsure="skip")
def unsure(key: str, seconds: float) -> None:
    """As ``steps``, for a body that must not run again when nobody knows whether it did."""
    steps(key, seconds)


@app.task(name="soft", ignore_result=True, soft_time_limit=0.3)
def soft(key: str) -> None:
    """Ends when it is told to."""
    fence = _fence()
    write("start", key, fence)
    try:
        _pause(30)
    except SoftTimeLimitExceeded:
        write("end", key, fence)


@app.task(name="asoft", ignore_result=True, soft_time_limit=0.3)
async def asoft(key: str) -> None:
    fence = _fence()
    write("start", key, fence)
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        write("end", key, fence)


@app.task(name="hard", time_limit=0.4)
def hard(key: str) -> None:
    """Comes back to Python code now and then."""
    write("start", key, _fence())
    _pause(30)


@app.task(name="ahard", time_limit=0.4)
async def ahard(key: str) -> None:
    write("start", key, _fence())
    await asyncio.sleep(30)


@app.task(name="stuck", time_limit=0.4)
def stuck(key: str) -> None:
    """Is in C code that holds the GIL, and never comes back."""
    write("start", key, _fence())
    sum(range(10**11))


def _pause(seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.02)


@app.task(name="grow", ignore_result=True)
def grow(key: str, mib: int) -> None:
    """Leaves so much behind in its process."""
    fence = _fence()
    write("start", key, fence)
    _LEFT_BEHIND.append(b"x" * (mib << 20))
    write("end", key, fence)


_LEFT_BEHIND: list[bytes] = []


@app.task(name="tick", ignore_result=True)
def tick(schedule: str) -> None:
    """One occurrence of a schedule; its key names schedule and fire time."""
    job = current_job()
    assert job is not None
    planned = job.scheduled_for
    assert planned is not None
    key = f"{schedule}@{round(planned.timestamp() * 1000)}"
    write("start", key, job.fence)
    write("end", key, job.fence)


@app.task(name="hold_gil", ignore_result=True)
def hold_gil(key: str, how: str, seconds: float) -> None:
    """Holds the GIL in single calls of C code, each as long as two leases and more."""
    fence = _fence()
    write("start", key, fence)
    ends = time.monotonic() + seconds
    size = 20_000_000 if how == "sum" else 22
    while time.monotonic() < ends:
        begun = time.monotonic()
        if how == "sum":
            sum(range(size))
        else:
            re.match(r"(a+)+$", "a" * size + "b")
        # The next call takes all that is left, as measured by this one.
        took = max(time.monotonic() - begun, 1e-3)
        left = max(ends - time.monotonic(), 0.05)
        size = int(size * left / took) + 1 if how == "sum" else size + _doublings(left / took)
    write("end", key, fence)


def _doublings(ratio: float) -> int:
    """How many letters more make the backtracking take so many times as long."""
    return max(round(math.log2(ratio)), 0) if ratio > 1 else 0


@app.task(name="poison", ignore_result=True)
def poison(key: str, how: str) -> None:
    """Takes its process down, or lets itself be taken down."""
    write("start", key, _fence())
    if how == "exit":
        os._exit(7)
    if how == "segv":
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.string_at(0)
    if how == "hog":
        _eat_memory()
    if how == "allotted":
        _eat_memory_within(96 << 20)
    time.sleep(60)


def _eat_memory() -> None:
    eaten = []
    while True:
        eaten.append(b"x" * (4 << 20))
        time.sleep(0.01)


def _eat_memory_within(more: int) -> None:
    """With the limit of the system's own (``ulimit -v``) on this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        _eat_memory()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
