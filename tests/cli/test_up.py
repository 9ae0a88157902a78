"""``sched up``: server, beat and worker together, and how they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beatline.embedded import embedded_url, server_binary
from beatline.errors import RedisUnavailable
from tests.cli.conftest import Run
from tests.processes import Command
from tests.servers import RedisProcess, eventually

Sched = Callable[..., Command]

SCHEDULES = """\
schedules:
  second:
    task: add
    every: 1s
    args: [20, 22]
"""


@pytest.fixture(autouse=True)
def _needs_a_server() -> None:
    try:
        server_binary()
    except RedisUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def schedule_file(short_folder: Path) -> Path:
    path = short_folder / "s.yaml"
    path.write_text(SCHEDULES, encoding="utf-8")
    return path


def server_only(sched: Sched) -> Command:
    command = sched("up", "--only", "server")
    command.wait_for_line("unix://")
    return command


def companion_pid(up: Command, name: str) -> int:
    """The process id of a companion, by what it was started with."""
    for pid in up.family()[1:]:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if name.encode() in words[3:4]:
            return pid
    raise AssertionError(f"{name} does not run yet")


def test_server_when_run_alone_then_clients_of_the_folder_find_it(
    sched: Sched, run: Run, short_folder: Path
) -> None:
    server_only(sched)

    told = run("status")

    assert 0 == told.code, told.err
    assert str(short_folder / ".beatline/redis.sock") in told.out


def test_server_when_ended_then_data_is_kept_for_the_next(
    sched: Sched, run: Run, short_folder: Path
) -> None:
    first = server_only(sched)
    run("call", "add", "1", "--id", "kept")

    code = first.terminate()

    assert 0 == code
    assert embedded_url(short_folder) is None
    server_only(sched)
    assert '"state": "QUEUED"' in run("jobs", "show", "kept", "--json").out


def test_server_when_another_owner_has_the_folder_then_refused(sched: Sched, run: Run) -> None:
    server_only(sched)

    told = run("up", "--only", "server")

    assert 3 == told.code
    assert "is in use by process" in told.err
    assert "remedy: " in told.err


def test_server_when_its_owner_was_killed_then_adopted(sched: Sched, run: Run) -> None:
    first = server_only(sched)
    first.signal(signal.SIGKILL)
    first.wait()

    second = server_only(sched)

    assert "adopted (it ran already)" in second.output
    assert 0 == second.terminate()


def test_up_when_started_then_a_job_has_finished_within_10_s(
    sched: Sched, app_file: Path, schedule_file: Path
) -> None:
    up = sched("up", "-A", "app.py:app", "--schedules", "s.yaml", "-c", "1", "--enqueue", "add")

    up.wait_for_line("job SUCCESS add", 10)
    up.wait_for_line("job SUCCESS second", 10)

    assert "schedule second task=add next=" in up.output


def test_up_when_interrupted_then_ends_worker_beat_and_server_in_order(
    sched: Sched, app_file: Path, schedule_file: Path, short_folder: Path
) -> None:
    up = sched("up", "-A", "app.py:app", "--schedules", "s.yaml", "-c", "1")
    up.wait_for_line("job SUCCESS second")
    family = up.family()

    up.signal(signal.SIGINT)

    assert 0 == up.wait()
    ends = [up.output.index(text) for text in ("worker.stopped", "beat.stopped", "server ends")]
    assert sorted(ends) == ends
    assert embedded_url(short_folder) is None
    assert [] == [pid for pid in family if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_up_when_interrupted_once_then_the_running_job_finishes(
    sched: Sched, run: Run, app_file: Path
) -> None:
    up = sched("up", "-A", "app.py:app", "-c", "1")
    up.wait_for_line("worker.ready")
    run("call", "nap", "1.5", "--id", "n")
    eventually(lambda: '"RUNNING"' in run("jobs", "show", "n", "--json").out, what="nap to run")

    up.signal(signal.SIGINT)

    assert 0 == up.wait()
    server_only(sched)
    assert '"state": "SUCCESS"' in run("jobs", "show", "n", "--json").out


@pytest.mark.slow
def test_up_when_interrupted_twice_then_the_running_job_is_handed_back(
    sched: Sched, run: Run, app_file: Path
) -> None:
    up = sched("up", "-A", "app.py:app", "-c", "1")
    up.wait_for_line("worker.ready")
    run("call", "nap", "60", "--id", "n")
    eventually(lambda: '"RUNNING"' in run("jobs", "show", "n", "--json").out, what="nap to run")
    up.signal(signal.SIGINT)
    up.wait_for_line("Ctrl-C again hands it back")
    time.sleep(1.1)  # two signals within a second are one wish

    up.signal(signal.SIGINT)

    assert 0 == up.wait()
    server_only(sched)
    assert '"state": "QUEUED"' in run("jobs", "show", "n", "--json").out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["beat", "worker"])
def test_up_when_a_companion_is_killed_then_it_starts_again_and_work_goes_on(
    sched: Sched, app_file: Path, schedule_file: Path, name: str
) -> None:
    up = sched("up", "-A", "app.py:app", "--schedules", "s.yaml", "-c", "1")
    up.wait_for_line("job SUCCESS second")

    os.kill(companion_pid(up, name), signal.SIGKILL)

    up.wait_for_line(f"{name} was ended by SIGKILL and starts again in 0.5 s")
    up.wait_for_line(f"{name} starts again")
    begun = up.output.count("job SUCCESS second")
    eventually(lambda: up.output.count("job SUCCESS second") > begun, 25, what="jobs to run again")


@pytest.mark.slow
def test_up_when_killed_then_beat_and_worker_end_by_themselves(
    sched: Sched, app_file: Path
) -> None:
    up = sched("up", "-A", "app.py:app", "-c", "1")
    up.wait_for_line("worker.ready")
    companions = [companion_pid(up, "beat"), companion_pid(up, "worker")]

    up.signal(signal.SIGKILL)

    up.wait()
    eventually(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in companions),
        15,
        what="beat and worker to end",
    )


def test_up_when_redis_is_named_then_no_server_is_started(
    sched: Sched, app_file: Path, redis_server: RedisProcess, short_folder: Path
) -> None:
    up = sched(
        "up", "-A", "app.py:app", "-c", "1", "--enqueue", "add", BEATLINE_REDIS_URL=redis_server.url
    )

    up.wait_for_line("job SUCCESS add")

    assert not (short_folder / ".beatline").exists()


def test_up_when_a_file_has_problems_then_nothing_is_started(
    run: Run, app_file: Path, schedule_file: Path, short_folder: Path
) -> None:
    schedule_file.write_text("schedules: {x: {task: ad, every: 5m}}\n")

    told = run("up", "-A", "app.py:app", "--schedules", "s.yaml")

    assert 2 == told.code
    assert 's.yaml:1:23: unknown task "ad" – did you mean "add"?' in told.err
    assert not (short_folder / ".beatline").exists()


def test_worker_when_run_with_beat_then_schedules_fire_and_both_end(
    sched: Sched, app_file: Path, schedule_file: Path, redis_server: RedisProcess, run: Run
) -> None:
    url = redis_server.url
    words = ["-A", "app.py:app", "-c", "1", "-B", "--schedules", "s.yaml"]
    both = sched("worker", *words, BEATLINE_REDIS_URL=url)
    both.wait_for_line("beat.leading")
    both.wait_for_line("worker.ready")

    eventually(
        lambda: "1 job" in run("jobs", "list", "--state", "success", "-n", "1", "--redis", url).out,
        what="a job of the schedule to end",
    )

    assert 0 == both.terminate()
    assert "worker.stopped code=0" in both.output
    assert "beat.stopped" in both.output
