"""The example's app with the no-op task of the benchmarks: what an idle worker is measured with."""

from __future__ import annotations

import sys
from pathlib import Path

# The example imports the modules beside it by their own names.
sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

from benchmarks.stamps import mark as stamp
from examples.app import app


@app.task(name="mark", ignore_result=True)
def mark(number: int) -> None:
    stamp(number)
