"""Length and chances of the suite: its short and full form, and the seed of everything drawn."""

from __future__ import annotations

import os
import random

import pytest

from tests.servers import in_ci

#: ``full`` (`make faults`) or ``short`` (CI): the same scenarios, shorter, and fewer variants.
MODE = os.environ.get("BEATLINE_FAULTS") or ("short" if in_ci() else "full")
assert MODE in ("short", "full"), f"BEATLINE_FAULTS={MODE!r}: short or full"

#: Set it to run the same chances again.
SEED = int(os.environ.get("BEATLINE_FAULTS_SEED") or random.SystemRandom().randrange(1 << 32))

#: For variants that the short form leaves out.
full_only = pytest.mark.skipif(MODE == "short", reason="left out of the short form")


def lasting(full_s: float, short_s: float) -> float:
    """The length of something in this form, seconds."""
    return full_s if MODE == "full" else short_s


def chances_of(scenario: str) -> random.Random:
    """The chances of one scenario: others do not move them."""
    return random.Random(f"{SEED}:{scenario}")
