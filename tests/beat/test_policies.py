"""Policies that end or bound a schedule's jobs, kept by real beats and workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from beatline import App
from beatline.ledger import Fate
from tests.processes import Command, commands
from tests.servers import RedisProcess, eventually

Sched = Callable[..., Command]

_APP = """\
from beatline import App

app = App("tests")


@app.task(name="noop")
def noop():
    pass


@app.task(name="fail")
def fail():
    raise LookupError("no such customer")
"""


@pytest.fixture
def sched(tmp_path: Path, redis_server: RedisProcess) -> Iterator[Sched]:
    """Starts ``sched`` commands against the test's server."""
    with commands(tmp_path, {"BEATLINE_REDIS_URL": redis_server.url}) as start:
        yield start


@pytest.fixture
def app(redis_server: RedisProcess) -> Iterator[App]:
    app = App("tests", redis=redis_server.url)
    yield app
    app.close()


def _declare(folder: Path, line: str) -> list[str]:
    path = folder / "schedules.yaml"
    path.write_text(f"schedules:\n  tick: {line}\n")
    return ["--schedules", str(path)]


def _fates(app: App) -> list[Fate]:
    return [one.fate for one in app.schedules.history("tick", 1_000)]


def _paused(app: App) -> str:
    view = app.schedules.get("tick")
    return view.paused if view is not None else ""


def test_schedule_when_it_fails_as_often_as_declared_then_rests_until_resumed(
    sched: Sched, app: App, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(_APP)
    options = _declare(tmp_path, "{task: fail, every: 400ms, pause_after_failures: 2}")
    sched("worker", "-A", str(tmp_path / "shop.py") + ":app", "-c", "1")
    sched("beat", *options)

    eventually(lambda: _paused(app), timeout=20, what="the pause")
    first = _fates(app)
    time.sleep(1)  # nothing to wait for: two more fire times pass
    rested = _fates(app)
    told = app.schedules.why("tick").sentence
    app.schedules.resume("tick")
    eventually(lambda: len(_fates(app)) > len(first), what="the fires after the pause")
    eventually(lambda: _paused(app), what="the second pause")

    assert first == rested
    assert first.count(Fate.ENDED) == 2
    assert "the schedule is paused since " in told
    assert ", after 2 failures in a row" in told
    history = app.schedules.history("tick", 1_000)
    assert ["paused"] == [one.reason for one in history if one.fate is Fate.MISSED]
    assert 4 == _fates(app).count(Fate.ENDED)


def test_schedule_when_its_runs_are_used_up_then_over_until_more_are_declared(
    sched: Sched, app: App, tmp_path: Path
) -> None:
    line = "{task: noop, every: 200ms, overlap: allow, max_runs: %d}"
    first = sched("beat", *_declare(tmp_path, line % 3))
    eventually(lambda: len(_fates(app)) == 3, what="three jobs")
    view = eventually(lambda: _over(app), what="the end")
    assert 0 == first.terminate()

    second = sched("beat", *_declare(tmp_path, line % 3))
    second.wait_for_line("beat.leading")
    time.sleep(1)  # nothing to wait for: five fire times pass
    again = _fates(app)
    assert 0 == second.terminate()
    sched("beat", *_declare(tmp_path, line % 5))
    eventually(lambda: len(_fates(app)) == 5, what="two more jobs")

    assert {"fired": 3} == view
    assert [Fate.FIRED] * 3 == again
    eventually(lambda: _over(app) == {"fired": 5}, what="the second end")


def _over(app: App) -> dict[str, int] | None:
    """The counters of the schedule, where nothing is planned any more."""
    view = app.schedules.get("tick")
    return view.stored.counters if view is not None and view.next_fire is None else None


def test_schedule_when_beat_was_down_then_window_and_grace_decide(
    sched: Sched, app: App, tmp_path: Path
) -> None:
    options = _declare(
        tmp_path,
        "{task: noop, every: 500ms, overlap: allow, catch_up: all, catch_up_window: 3s, grace: 1s}",
    )
    first = sched("beat", *options)
    eventually(lambda: len(_fates(app)) >= 2, what="two jobs")
    os.kill(first.pid, signal.SIGKILL)
    time.sleep(6)  # the outage itself

    second = sched("beat", *options)
    eventually(lambda: Fate.MISSED in _fates(app), what="what is outside the window")
    count = len(_fates(app))
    eventually(lambda: len(_fates(app)) >= count + 4, what="what comes in time again")
    second.terminate()

    history = app.schedules.history("tick", 1_000)
    missed = [one for one in history if one.fate is Fate.MISSED]
    assert {"outside_window"} == {one.reason for one in missed}
    for one in history:
        if one.fate is Fate.FIRED:
            late_ms = one.lateness_ms or 0
            # The plan is made a moment before the job: longer than this only on a busy machine.
            assert 1_000 < late_ms < 4_500 if one.is_caught_up else late_ms < 2_000, one
    assert any(one.is_caught_up for one in history)
    assert [] == _gaps([(one.nominal_ms, one.last_ms or one.nominal_ms) for one in history])


def _gaps(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where one entry does not begin with the fire time that follows the one before."""
    return [(one[1], two[0]) for one, two in pairwise(spans) if two[0] - one[1] != 500]
