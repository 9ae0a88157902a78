"""
Processes whose wall clock is hours off: the shim `skew.c`, compiled when it is first wanted.

libfaketime is no choice: with a real monotonic clock it breaks ``time.sleep`` of Python 3.11.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

_PROBE = """
import threading, time
begun = time.monotonic()
threading.Event().wait(0.05)
time.sleep(0.05)
assert 0.09 < time.monotonic() - begun < 5
print(time.time())
"""


def skewed(folder: Path, seconds: int) -> dict[str, str]:
    """
    The environment of a process whose wall clock is off by so many seconds.

    Skips the test, saying why, where the shim cannot be made or has no effect.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the clock shim")
    if sys.platform != "linux":
        pytest.skip("the clock shim needs LD_PRELOAD of Linux")
    library = folder / "skew.so"
    if not library.exists():
        source = Path(__file__).with_name("skew.c")
        command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
    environment = {"LD_PRELOAD": str(library), "SKEW_SECONDS": str(seconds)}
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    if abs(float(probe.stdout) - time.time() - seconds) > 10:
        pytest.skip("the clock shim has no effect on this Python")
    return environment
