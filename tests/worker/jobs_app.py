"""The app whose jobs the worker's tests run; each writes a journal."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import FrameType

from beatline import App, current_job
from beatline.errors import SoftTimeLimitExceeded
from beatline.store.delivering import Settlement
from beatline.task import Task
from beatline_worker.batching import BatchSize
from beatline_worker.consumer import ConsumerLoop
from tests.processes import write_journal

app = App("tests")


def pause(seconds: float) -> None:
    """Sleep; a thread is interrupted between two calls only."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 0.02))


@app.task(name="noop", ignore_result=True)
def noop() -> None:
    pass


@app.task(name="note", ignore_result=True)
def note(key: str) -> None:
    write_journal("ran", key)


@app.task(name="linger", ignore_result=True)
def linger(key: str = "", seconds: float = 0.0) -> None:
    """Nearly always quick, and then for once not at all."""
    if seconds:
        write_journal("start", key)
        pause(seconds)


@app.task(name="hold_settling", ignore_result=True)
def hold_settling() -> None:
    """From now on this child takes two at once, and between them settles when interrupted."""
    settle, interrupt = ConsumerLoop.flush, signal.getsignal(signal.SIGUSR1)
    heard = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        assert callable(interrupt)
        interrupt(number, frame)
        heard.set()

    def flush(self: ConsumerLoop, settlements: Sequence[Settlement]) -> None:
        write_journal("settling", "held")
        while not heard.is_set():
            time.sleep(0.01)
        settle(self, settlements)

    signal.signal(signal.SIGUSR1, hear)
    setattr(ConsumerLoop, settle.__name__, flush)
    setattr(BatchSize, BatchSize.next.__name__, lambda _: 2)


@app.task(name="flood", ignore_result=True)
def flood(queue: str, priority: int) -> None:
    """Sends itself again: what waits in its list never ends."""
    app.send_task("flood", (queue, priority), queue=queue, priority=priority)


@app.task(name="add")
def add(a: int, b: int) -> int:
    return a + b


@app.task(name="echo")
def echo(value: object) -> object:
    return value


@app.task(name="nap", ignore_result=True)
def nap(key: str, seconds: float) -> None:
    write_journal("start", key)
    pause(seconds)
    write_journal("end", key)


@app.task(name="hold_gil", ignore_result=True)
def hold_gil(key: str, how: str, size: int) -> None:
    write_journal("start", key)
    if how == "sum":
        sum(range(size))
    else:
        re.match(r"(a+)+$", "a" * size + "b")
    write_journal("end", key)


@app.task(name="fail")
def fail(text: str) -> None:
    raise ValueError(text)


@app.task(name="flaky", bind=True, max_retries=3, default_retry_delay=0.05)
def flaky(self: Task, key: str, failures: int) -> int:
    write_journal("attempt", key)
    if self.request.retries < failures:
        raise self.retry(exc=RuntimeError("not yet"))
    return int(self.request.retries)


@app.task(name="auto", autoretry_for=(KeyError,), retry_backoff=0.02, max_retries=2)
def auto(key: str) -> None:
    write_journal("attempt", key)
    raise KeyError(key)


@app.task(name="die", ignore_result=True)
def die(key: str, how: str) -> None:
    write_journal("start", key)
    if how == "exit":
        os._exit(3)
    if how == "segv":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="soft", soft_time_limit=0.2)
def soft(key: str) -> str:
    try:
        pause(30)
    except SoftTimeLimitExceeded:
        write_journal("soft", key)
        return "cleaned up"
    return "never"


@app.task(name="hard", time_limit=0.3)
def hard(key: str) -> None:
    write_journal("start", key)
    while True:
        sum(range(10_000_000))


@app.task(name="offspring", ignore_result=True)
def offspring(key: str) -> None:
    child = subprocess.Popen(["sleep", "300"])
    write_journal("start", f"{key}:{child.pid}")
    time.sleep(300)


@app.task(name="about")
def about() -> dict[str, object]:
    job = current_job()
    assert job is not None
    return {"id": job.id, "fence": job.fence, "delivery": job.delivery, "retries": job.retries}


class Model(Task):
    """A base whose instance is made once per child, with something heavy in it."""

    def __init__(self) -> None:
        super().__init__()
        write_journal("model", str(os.getpid()))
        self.weights = [1, 2, 3]


@app.task(name="predict", base=Model, bind=True)
def predict(self: Model, x: int) -> int:
    return sum(self.weights) * x


class ModelGoneOnce(Task):
    """A base that cannot be made at first."""

    def __init__(self) -> None:
        super().__init__()
        write_journal("tried", str(os.getpid()))
        if not ATTEMPTS:
            ATTEMPTS.append(1)
            raise FileNotFoundError("weights.bin")


@app.task(name="predict_later", base=ModelGoneOnce)
def predict_later(x: int) -> int:
    return x


ATTEMPTS: list[int] = []


@app.task(name="where")
def where() -> int:
    return os.getpid()


@app.task(name="grow")
def grow(size: int) -> int:
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    KEPT.append(block)
    return os.getpid()


KEPT: list[bytearray] = []


@app.task(name="steps", bind=True)
def steps(self: Task, key: str, count: int) -> list[object]:
    """Goes on where an earlier delivery was killed."""
    first = self.request.checkpoint or 0
    write_journal("from", f"{key}:{first}")
    for step in range(first, count):
        self.progress(step, count, f"step {step}")
        self.checkpoint(step)
        if step == 2 and self.request.delivery == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return [first, self.request.delivery]


@app.task(name="tell", bind=True)
def tell(self: Task, current: int, total: int) -> None:
    self.progress(current, total, "half way")
    time.sleep(60)


@app.task(name="anap", ignore_result=True)
async def anap(key: str, seconds: float) -> None:
    write_journal("start", key)
    await asyncio.sleep(seconds)
    write_journal("end", key)


@app.task(name="aadd")
async def aadd(a: int, b: int) -> int:
    await asyncio.sleep(0.01)
    return a + b


@app.task(name="asoft", soft_time_limit=0.2)
async def asoft(key: str) -> str:
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0.01)
        write_journal("soft", key)
        return "cleaned up"
    return "never"


@app.task(name="ahard", time_limit=0.3)
async def ahard(key: str) -> None:
    write_journal("start", key)
    await asyncio.sleep(30)


@app.task(name="awho", bind=True)
async def awho(self: Task, seconds: float) -> list[str]:
    """Who the body is told to be, before and after others ran."""
    told = [self.request.id]
    for _ in range(3):
        await asyncio.sleep(seconds)
        job = current_job()
        told += [self.request.id, job.id if job else ""]
    return told


@app.task(name="who", bind=True)
def who(self: Task, seconds: float) -> list[str]:
    """The same in a thread."""
    told = [self.request.id]
    for _ in range(3):
        time.sleep(seconds)
        job = current_job()
        told += [self.request.id, job.id if job else ""]
    return told


@app.task(name="stuck", time_limit=0.3)
def stuck(key: str) -> None:
    """In one long call: a thread cannot be interrupted there."""
    write_journal("start", key)
    time.sleep(60)


@app.task(name="delivery_of", ignore_result=True)
def delivery_of(key: str, seconds: float) -> None:
    """Tells with which delivery it began and ended."""
    job = current_job()
    assert job is not None
    write_journal("start", key)
    pause(seconds)
    write_journal("end", f"{key}:{job.delivery}")


@app.task(name="loop")
async def loop() -> int:
    return id(asyncio.get_running_loop())
