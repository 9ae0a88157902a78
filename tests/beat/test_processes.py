"""Beats as real processes: killed, paused, and watched from outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beatline.ids import new_id
from beatline.job import record_body, record_head
from beatline.store.delivering import Call, Consumer, settle
from beatline.store.enqueuing import enqueue
from beatline.store.leasing import register
from tests.beat.running import PREFIX, Books
from tests.processes import Command, commands
from tests.servers import RedisProcess, eventually

Sched = Callable[..., Command]


@pytest.fixture
def sched(tmp_path: Path, redis_server: RedisProcess) -> Iterator[Sched]:
    """Starts ``sched`` commands against the test's server."""
    with commands(tmp_path, {"BEATLINE_REDIS_URL": redis_server.url}) as start:
        yield start


def _declaring(folder: Path, count: int, interval_ms: int, more: str = "") -> str:
    file = folder / "schedules.yaml"
    lines = [
        f"  tick-{number}: {{task: noop, every: {interval_ms}ms, overlap: allow{more}}}"
        for number in range(count)
    ]
    file.write_text("schedules:\n" + "\n".join(lines) + "\n")
    return str(file)


def _leader(beats: list[Command], books: Books) -> Command:
    """The beat that leads now."""

    def find() -> list[Command]:
        leader = books.connection.call("HGET", PREFIX + b"leader", "beat") or b""
        pid = int((leader.split(b":")[1:2] or [b"0"])[0])
        alive = [beat for beat in beats if beat.process.poll() is None]
        return [beat for beat in alive if beat.pid == pid]

    return eventually(find, what="a leader")[0]


def _assert_each_instant_once(books: Books, count: int, interval_ms: int) -> int:
    """Every instant of every schedule made one job; how many instants there were."""
    fired = books.fired()
    assert {1} == set(fired.values())
    total = 0
    for number in range(count):
        instants = {at for name, at in fired if name == f"tick-{number}"}
        assert set(range(min(instants), max(instants) + 1, interval_ms)) == instants
        total += len(instants)
    return total


def _kill_leaders(
    sched: Sched, books: Books, options: list[str], seconds: float, pause_s: float
) -> None:
    """Three beats; the leading one is killed again and again, and another one started."""
    beats = [sched("beat", *options) for _ in range(3)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(pause_s)
        leader = _leader(beats, books)
        os.kill(leader.pid, signal.SIGKILL)
        beats.append(sched("beat", *options))
    count = len(books.fired())
    eventually(lambda: len(books.fired()) > count + 1)
    for beat in beats:
        if beat.process.poll() is None:
            assert 0 == beat.terminate()


def test_beats_when_the_leader_is_killed_then_each_instant_fires_once(
    sched: Sched, redis_url: str, tmp_path: Path
) -> None:
    books = Books(redis_url)
    file = _declaring(tmp_path, 10, 250)

    _kill_leaders(sched, books, ["--schedules", file], seconds=6, pause_s=1.3)

    assert _assert_each_instant_once(books, 10, 250) >= 200


@pytest.mark.slow
def test_beats_when_leaders_are_killed_for_a_minute_then_each_instant_fires_once(
    sched: Sched, redis_url: str, tmp_path: Path
) -> None:
    books = Books(redis_url)
    file = _declaring(tmp_path, 50, 1_000)

    _kill_leaders(sched, books, ["--schedules", file], seconds=60, pause_s=2.7)

    assert _assert_each_instant_once(books, 50, 1_000) >= 50 * 58


def test_beats_when_the_leader_is_paused_then_another_follows_and_nothing_doubles(
    sched: Sched, redis_url: str, tmp_path: Path
) -> None:
    books = Books(redis_url)
    options = ["--schedules", _declaring(tmp_path, 5, 250)]
    beats = [sched("beat", *options) for _ in range(2)]
    eventually(lambda: len(books.fired()) >= 10)

    paused = _leader(beats, books)
    paused.signal(signal.SIGSTOP)
    began = time.monotonic()
    other = next(beat for beat in beats if beat is not paused)
    other.wait_for_line("beat.leading")
    took_s = time.monotonic() - began
    count = len(books.fired())
    paused.signal(signal.SIGCONT)
    eventually(lambda: len(books.fired()) >= count + 20)

    _assert_each_instant_once(books, 5, 250)
    assert took_s < 2.5


def test_beat_when_it_was_down_then_ledger_tells_missed_and_caught_up(
    sched: Sched, redis_url: str, tmp_path: Path
) -> None:
    books = Books(redis_url)
    options = ["--schedules", _declaring(tmp_path, 1, 500, ", catch_up: latest, grace: 700ms")]
    first = sched("beat", *options)
    eventually(lambda: len(books.fired()) >= 2)

    os.kill(first.pid, signal.SIGKILL)
    time.sleep(3)
    sched("beat", *options)
    eventually(lambda: any(entry.is_caught_up for entry in books.history("tick-0")))

    history = books.history("tick-0")
    missed = [entry for entry in history if entry.fate == "missed" and entry.reason == "no_beat"]
    assert missed
    assert {1} == set(books.fired().values())
    accounted = sum(entry.count for entry in history)
    first_ms, last_ms = history[0].nominal_ms, history[-1].nominal_ms
    assert (last_ms - first_ms) // 500 + 1 == accounted


def test_beat_when_a_worker_died_then_its_job_is_back_after_the_lease(
    sched: Sched, redis_url: str
) -> None:
    sched("beat").wait_for_line("beat.leading")
    connection = Books(redis_url).connection
    raw = new_id()
    record = record_head("default", 4, 0) + record_body("noop", (), {})
    enqueue(connection, PREFIX, b"sender", 1, [(raw, "0", record)], check=False)
    register(connection, PREFIX, "worker", 1_000, {}, ["child"])
    settle(connection, Call(PREFIX, Consumer("worker", "child", "default"), 1, limit=1))
    began = time.monotonic()

    ready = PREFIX + b"ready:default:4"
    eventually(lambda: connection.call("LRANGE", ready, 0, -1) == [raw])

    # The lease, the one lease that a beat grants which has just begun to watch, and the tick.
    assert 1.0 <= time.monotonic() - began < 3.5


def test_beat_when_redis_stands_still_then_living_workers_keep_their_jobs(
    sched: Sched, new_server: Callable[..., RedisProcess]
) -> None:
    server = new_server()
    sched("beat", extra_env={"BEATLINE_REDIS_URL": server.url}).wait_for_line("beat.leading")
    connection = Books(server.url).connection
    raw = new_id()
    record = record_head("default", 4, 0) + record_body("noop", (), {})
    enqueue(connection, PREFIX, b"sender", 1, [(raw, "0", record)], check=False)
    register(connection, PREFIX, "worker", 2_000, {}, ["child"])
    settle(connection, Call(PREFIX, Consumer("worker", "child", "default"), 1, limit=1))

    server.pause()
    time.sleep(4)
    server.resume()
    resumed = time.monotonic()
    ready = PREFIX + b"ready:default:4"
    eventually(lambda: connection.call("LRANGE", ready, 0, -1) == [raw])

    assert time.monotonic() - resumed >= 1.9


def test_beat_when_terminated_then_ends_with_0_and_leaves(sched: Sched, redis_url: str) -> None:
    beat = sched("beat")
    beat.wait_for_line("beat.leading")

    exit_code = beat.terminate(5)

    assert 0 == exit_code
    assert "beat.stopped" in beat.output
    assert 0 == Books(redis_url).connection.call("ZCARD", PREFIX + b"beats")
