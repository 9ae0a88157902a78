"""
The app that the benchmarks' workers run: tasks that do nothing but say when they started.

``BENCH_STAMPS`` names the folder of the stamps, ``BEATLINE_REDIS_URL`` the server.
"""

from __future__ import annotations

from beatline import App
from benchmarks.stamps import mark as stamp

app = App("bench")


@app.task(name="mark", ignore_result=True)
def mark(number: int) -> None:
    stamp(number)


@app.task(name="mark_stored")
def mark_stored(number: int) -> int:
    stamp(number)
    return number


@app.task(name="mark_in_loop", ignore_result=True)
async def mark_in_loop(number: int) -> None:
    stamp(number)


@app.task(name="mail", ignore_result=True)
def mail(number: int, address: str) -> None:
    """Never run: its jobs are counted in bytes."""
