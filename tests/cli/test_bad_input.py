"""Bad input: each is told with its remedy, with the right exit code, and without a traceback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, clean_environment
from tests.cli.info_proxy import old_redis
from tests.servers import RedisProcess

MISTAKES = Path(__file__).with_name("mistakes.yaml")
#: What `check` tells of them; each line has been read, and each place looked up.
TOLD = Path(__file__).with_name("mistakes.txt")


def test_arguments_when_unserialisable_then_path_and_remedy_are_told(
    short_folder: Path, app_file: Path, redis_server: RedisProcess
) -> None:
    send = 'from app import add\nadd.delay({"user": [1, object()]})\n'

    told = subprocess.run(
        [sys.executable, "-c", send],
        cwd=short_folder,
        env={**clean_environment(), "BEATLINE_REDIS_URL": redis_server.url},
        capture_output=True,
        text=True,
    )

    assert 'args[0]["user"][1] is of type object, which cannot be sent' in told.stderr
    assert "make its class a dataclass" in told.stderr


def test_task_when_unknown_then_refused_with_the_nearest_and_nothing_sent(
    run_on: Run, app_file: Path
) -> None:
    told = run_on("call", "-A", "app.py:app", "ad", "1")

    assert 2 == told.code
    assert 'no such task "ad" in app.py:app\nremedy: did you mean "add"?' in told.err
    assert "0 jobs" in run_on("jobs", "list").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "{"], "argument { is not JSON"),
        (["add", "-a", "7"], "-a 7 is not a list"),
        (["add", "-k", "[1]"], "-k [1] is not an object"),
        (["add", "1", "-a", "[1]"], "both as words and by -a"),
        (["add", "--eta", "tomorrow"], "--eta tomorrow is not an ISO instant"),
        (["add", "--countdown", "soon"], "'soon' is not a duration"),
        (["add", "1", "2", "3"], "too many positional arguments"),
        (["add", "--queue", "a b"], "queue 'a b' is not a queue name"),
    ],
)
def test_call_when_words_do_not_fit_then_told_as_wrong_use(
    run_on: Run, app_file: Path, words: list[str], message: str
) -> None:
    told = run_on("call", "-A", "app.py:app", *words)

    assert 2 == told.code, told.err
    assert message in told.err
    assert "remedy: " in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("app", "message", "remedy"),
    [
        ("broken.py:app", "broken.py:2: RuntimeError: no database today", "python -c"),
        ("app.py:ap", "app.py has no 'ap'", "did you mean app.py:app?"),
        ("app.py:add", "is of type Task, not beatline.App", "did you mean app.py:app?"),
        ("nowhere:app", "there is no module 'nowhere'", "name its file"),
        ("nowhere.py:app", "there is no file", "correct -A"),
    ],
)
def test_app_when_not_loadable_then_exit_4_with_place_and_remedy(
    run_on: Run, app_file: Path, app: str, message: str, remedy: str
) -> None:
    app_file.with_name("broken.py").write_text("x = 1\nraise RuntimeError('no database today')\n")

    told = run_on("call", "-A", app, "add")

    assert 4 == told.code
    assert message in told.err
    assert remedy in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize("command", ["beat", "worker", "up"])
def test_app_when_it_raises_on_import_then_no_role_starts(
    run_on: Run, app_file: Path, command: str
) -> None:
    app_file.with_name("broken.py").write_text("x = 1\nraise RuntimeError('no database today')\n")

    told = run_on(command, "-A", "broken.py:app")

    assert 4 == told.code
    assert "broken.py:2: RuntimeError: no database today" in told.err
    assert "Traceback" not in told.err


def test_app_when_debugging_then_its_traceback_is_shown(run_on: Run, app_file: Path) -> None:
    app_file.with_name("broken.py").write_text("raise RuntimeError('no database today')\n")

    told = run_on("--debug", "call", "-A", "broken.py:app", "add")

    assert 4 == told.code
    assert "Traceback" in told.err


#: A client and the roles; both roles refuse by the same check.
ROLES = (
    ["call", "add"],
    ["worker", "-A", "app.py:app"],
    pytest.param(["beat"], marks=pytest.mark.slow),
)

READING = (["status"], ["jobs", "list"], ["schedules", "list"], ["queues"], ["call", "add"])


@pytest.mark.parametrize("words", READING)
def test_redis_when_nobody_answers_then_exit_3_within_5_s(run: Run, words: list[str]) -> None:
    begun = time.monotonic()

    told = run(*words, "--redis", "redis://127.0.0.1:1")

    assert 3 == told.code
    assert "cannot connect to Redis at redis://127.0.0.1:1" in told.err
    assert "remedy: start it, or name another one with --redis or BEATLINE_REDIS_URL" in told.err
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("words", [["status"], ["call", "add"]])
def test_redis_when_it_accepts_and_is_silent_then_exit_3_within_5_s(
    run: Run, words: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()

        told = run(*words, "--redis", f"redis://127.0.0.1:{silent.getsockname()[1]}")

        assert 3 == told.code, told.err
        assert "remedy: " in told.err
        assert time.monotonic() - begun < 5


def test_redis_when_none_is_named_then_told_what_to_start(run: Run) -> None:
    told = run("status")

    assert 3 == told.code
    assert "no embedded server runs" in told.err
    assert "start `sched up`" in told.err


def test_password_when_redis_does_not_answer_then_not_shown(run: Run) -> None:
    told = run("status", "--redis", "redis://user:secret@127.0.0.1:1")

    assert 3 == told.code
    assert "secret" not in told.err + told.out


@pytest.mark.slow
@pytest.mark.parametrize("words", [["beat"], ["worker", "-A", "app.py:app"]])
def test_roles_when_no_redis_comes_then_wait_10_s_and_exit_3(
    run: Run, app_file: Path, words: list[str]
) -> None:
    begun = time.monotonic()

    told = run(*words, "--redis", "redis://127.0.0.1:1")

    assert 3 == told.code
    assert "cannot connect to Redis" in told.err
    assert 10 <= time.monotonic() - begun < 15


@pytest.mark.parametrize("words", ROLES)
def test_server_when_it_may_evict_any_key_then_refused(
    run: Run, app_file: Path, new_server: Callable[..., RedisProcess], words: list[str]
) -> None:
    server = new_server(options=["--maxmemory-policy", "allkeys-lru"])

    told = run(*words, "--redis", server.url)

    assert 3 == told.code, told.err
    assert "maxmemory-policy is allkeys-lru: it may throw jobs away" in told.err
    assert "set maxmemory-policy to noeviction" in told.err


def test_server_when_it_may_evict_results_then_warned_and_used(
    run: Run, new_server: Callable[..., RedisProcess]
) -> None:
    server = new_server(options=["--maxmemory-policy", "volatile-lru"])

    told = run("call", "add", "1", "--redis", server.url)

    assert 0 == told.code, told.err
    assert "maxmemory-policy is volatile-lru: results may vanish" in told.err
    assert "set maxmemory-policy to noeviction" in told.err


@pytest.mark.parametrize("words", ROLES)
def test_server_when_older_than_6_2_then_refused(
    run: Run, app_file: Path, redis_server: RedisProcess, words: list[str]
) -> None:
    with old_redis(redis_server) as url:
        told = run(*words, "--redis", url)

    assert 3 == told.code, told.err
    assert re.search(r"Redis 6\.0\S* is too old", told.err)
    assert "use Redis 6.2 or later, or Valkey 7.2 or later" in told.err


def test_status_when_server_is_unfit_then_told_as_trouble(
    run: Run, redis_server: RedisProcess
) -> None:
    with old_redis(redis_server) as url:
        told = run("status", "--redis", url)

    assert 1 == told.code
    assert "is too old" in told.out


def test_schedules_when_there_are_58_mistakes_then_each_is_told_at_its_place(
    run: Run, app_file: Path
) -> None:
    app_file.with_name("mistakes.yaml").write_text(MISTAKES.read_text())

    told = run("schedules", "check", "-A", "app.py:app", "mistakes.yaml")

    lines = told.out.splitlines()
    places = [int(line.split(":")[1]) for line in lines]
    assert 1 == told.code
    assert TOLD.read_text().splitlines() == lines
    assert all(re.match(r"mistakes\.yaml:\d+:\d+: .+ – .+", line) for line in lines), told.out
    # One mistake a line, and none that comes of another one.
    assert [1, 2, *range(4, 58), 59, 60] == places
    assert "error: 58 problems in 1 file" in told.err


def test_beat_when_its_file_has_mistakes_then_nothing_is_applied(
    run_on: Run, app_file: Path
) -> None:
    told = run_on("beat", "-A", "app.py:app", "--schedules", str(MISTAKES))

    assert 2 == told.code
    assert "in schedule files; nothing was changed" in told.err
    assert "0 schedules" in run_on("schedules", "list").out
