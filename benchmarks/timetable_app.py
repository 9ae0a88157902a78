"""The app whose jobs `benchmarks.timetable` may run."""

from __future__ import annotations

from beatline import App

app = App("timetable")


@app.task(name="noop", ignore_result=True)
def noop(number: int) -> None:
    """Nothing."""
