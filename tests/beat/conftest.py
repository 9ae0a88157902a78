"""Fixtures for beat's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from beatline.schedule import Schedule
from tests.beat.running import RunningBeat
from tests.beat.stage import Stage


@pytest.fixture
def stage(redis_url: str) -> Iterator[Stage]:
    """An empty Redis with a clock that the test moves."""
    stage = Stage(redis_url)
    yield stage
    stage.close()


@pytest.fixture
def beats() -> Iterator[Callable[..., RunningBeat]]:
    """Starts beats in threads; they end with the test, and have to end in order."""
    with ExitStack() as stack:

        def start(url: str, *schedules: Schedule, **how: Any) -> RunningBeat:
            return stack.enter_context(RunningBeat(url, schedules, **how))

        yield start
