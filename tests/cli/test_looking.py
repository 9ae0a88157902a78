"""Commands that look, and those that change one thing: texts for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from beatline import App
from beatline.ids import id_from_text
from beatline.testing import ManualClock
from tests.cli.conftest import Run
from tests.processes import Command
from tests.servers import RedisProcess, eventually


@pytest.fixture
def app(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.delenv("BEATLINE_REDIS_URL", raising=False)
    app = App("tests", redis=redis_server.url)
    yield app
    app.close()


@pytest.fixture
def worker(sched: Callable[..., Command], app_file: Path, redis_server: RedisProcess) -> Command:
    command = sched(*("worker", "-A", "app.py:app", "-c", "1"), BEATLINE_REDIS_URL=redis_server.url)
    command.wait_for_line("worker.ready")
    return command


def told_json(run: Run, *words: str) -> Any:
    return json.loads(run(*words, "--json").out)


def test_status_when_nothing_has_happened_then_all_is_well(run_on: Run) -> None:
    told = run_on("status")

    assert 0 == told.code
    assert "workers   none" in told.out
    assert "All is well." in told.out


def test_status_when_jobs_wait_for_nobody_then_told_with_remedy(run_on: Run, app: App) -> None:
    app.send_task("mail.send", queue="mail")

    told = run_on("status")

    assert 1 == told.code
    assert "queue mail has 1 jobs and no worker" in told.out
    assert "remedy: start one: sched worker -A APP -Q mail" in told.out


def test_status_when_a_worker_runs_then_named_with_the_age_of_its_renewal(
    run_on: Run, worker: Command
) -> None:
    status = told_json(run_on, "status")

    (found,) = status["partitions"][0]["workers"]
    assert str(worker.pid) == found["pid"]
    assert ("alive", "default", "1") == (found["state"], found["queues"], found["concurrency"])
    assert found["renewed_age_ms"] < 5_000


def test_status_when_data_was_set_aside_then_told_what_and_why(
    run_on: Run, app: App, redis_server: RedisProcess
) -> None:
    with redis_server.client() as client:
        member = b"job 1700000000000000 " + id_from_text("broken")
        client.zadd("{sched:0}:quarantine", {member: 1_700_000_000_000})
        client.hset("{sched:0}:quarantined", member, b"the record cannot be read\n\xff\x00")

    told = run_on("status")

    assert 1 == told.code
    assert "job broken: the record cannot be read" in told.out
    assert "1 entries in quarantine" in told.out


@pytest.mark.parametrize("key", ["workers", "queues", "quarantine"])
def test_status_when_a_key_has_a_wrong_type_then_told_all_the_same(
    run_on: Run, redis_server: RedisProcess, key: str
) -> None:
    with redis_server.client() as client:
        client.set("{sched:0}:" + key, "garbage")

    told = run_on("status")

    assert "server    " in told.out
    assert "Traceback" not in told.err


def test_call_when_waited_for_then_prints_the_result_as_json(run_on: Run, worker: Command) -> None:
    told = run_on("call", "-A", "app.py:app", "add", "20", "22", "--wait")

    assert (0, "42\n") == (told.code, told.out)


def test_call_when_the_job_fails_then_exit_1_and_what_it_raised(
    run_on: Run, worker: Command
) -> None:
    told = run_on("call", "-A", "app.py:app", "fail", "--wait")

    assert 1 == told.code
    assert "LookupError: no such customer" in told.err


def test_call_when_timeout_passes_then_exit_1_and_the_id(run_on: Run) -> None:
    told = run_on("call", "add", "1", "--id", "mine", "--wait", "--timeout", "200ms")

    assert 1 == told.code
    assert "job mine has not ended" in told.err


def test_call_when_the_id_is_taken_then_no_second_job(run_on: Run, app: App) -> None:
    run_on("call", "add", "1", "--id", "mine")

    told = run_on("call", "add", "1", "--id", "mine", "--json")

    assert {"id": "mine", "is_duplicate": True} == json.loads(told.out)
    assert 1 == len(app.jobs.list())


def test_jobs_list_when_filtered_then_only_those(run_on: Run, app: App) -> None:
    app.send_task("mail.send", (42,), queue="mail")
    later = app.send_task("report", kwargs={"full": True}, countdown=timedelta(hours=1))

    found = told_json(run_on, "jobs", "list", "--state", "scheduled")

    assert [later.id] == [job["id"] for job in found]
    assert {"full": True} == found[0]["kwargs"]
    assert "mail.send(42)" in run_on("jobs", "list", "--queue", "mail").out


def test_jobs_show_when_unknown_then_exit_1(run_on: Run) -> None:
    told = run_on("jobs", "show", "nobody")

    assert 1 == told.code
    assert "no job nobody in namespace sched" in told.err


def test_jobs_show_when_failed_then_the_workers_traceback(run_on: Run, worker: Command) -> None:
    run_on("call", "fail", "--id", "f", "--wait")

    told = run_on("jobs", "show", "f")

    assert 0 == told.code
    assert "LookupError: no such customer" in told.out
    assert "Traceback" in told.out


def test_jobs_cancel_when_queued_then_removed_and_once_only(run_on: Run, app: App) -> None:
    job = app.send_task("add", (1,))

    first, second = run_on("jobs", "cancel", job.id), run_on("jobs", "cancel", job.id)

    assert (0, 1) == (first.code, second.code)
    assert "CANCELLED before it started" in first.out
    assert "over already: CANCELLED" in second.out


def test_jobs_cancel_when_running_then_told_so(run_on: Run, worker: Command, app: App) -> None:
    job = app.send_task("nap", (20,))
    eventually(lambda: job.state == "RUNNING", what="nap to run")

    told = run_on("jobs", "cancel", job.id)

    assert 1 == told.code
    assert "RUNNING on " in told.out


def test_queues_when_jobs_wait_then_counted(run_on: Run, app: App) -> None:
    app.send_task("add", queue="mail")
    app.send_task("add", queue="mail", countdown=60)

    (queue,) = told_json(run_on, "queues")

    assert ("mail", 1, 1, 0) == tuple(queue[key] for key in ("name", "ready", "scheduled", "held"))


def test_dead_when_none_then_neither_revived_nor_dropped(run_on: Run, app: App) -> None:
    app.send_task("add", task_id="alive")

    told = run_on("dead", "revive", "alive")

    assert 1 == told.code
    assert "0 jobs revived" in told.out
    assert "job alive is no dead letter" in told.err
    assert 2 == run_on("dead", "drop").code


def test_doctor_when_asked_then_judges_server_and_clock(run_on: Run) -> None:
    found = {one["what"]: one for one in told_json(run_on, "doctor")}

    assert "ok" == found["clock"]["level"]
    assert "ok" == found["server"]["level"]
    assert {"maxmemory-policy", "memory", "persistence", "time zones"} <= found.keys()
    assert all(one["remedy"] for one in found.values() if one["level"] != "ok")


SCHEDULES = "schedules: {hourly: {task: add, every: 1h}, daily: {task: add, cron: '0 3 * * *'}}\n"


def test_schedules_when_applied_planned_and_listed_then_they_agree(
    run_on: Run, short_folder: Path
) -> None:
    file = short_folder / "s.yaml"
    file.write_text(SCHEDULES)

    planned = run_on("schedules", "plan", "s.yaml")
    nothing_yet = told_json(run_on, "schedules", "list")
    applied = run_on("schedules", "apply", "s.yaml")

    assert "2 added" in planned.out
    assert [] == nothing_yet
    assert (0, True) == (applied.code, "2 added" in applied.out)
    assert "0 added, 0 changed, 0 removed, 2 untouched" in run_on("schedules", "plan", "s.yaml").out
    assert {"hourly", "daily"} == {one["name"] for one in told_json(run_on, "schedules", "list")}
    heading = run_on("schedules", "list").out.split()[:5]
    assert ["NEXT", "LEFT", "LAST", "PASSED", "NAME"] == heading


def test_schedules_when_due_and_no_beat_is_up_then_listed_as_late(run_on: Run, app: App) -> None:
    with ManualClock(datetime(2026, 1, 1, tzinfo=UTC)):
        app.schedules.put("nightly", "add", cron="0 2 * * *")
        app.schedules.put("resting", "add", cron="0 2 * * *", paused=True)
        app.schedules.put("yearly", "add", at="2126-01-01")

    listed = run_on("schedules", "list")
    nightly, resting, yearly = told_json(run_on, "schedules", "list")

    (line,) = [line for line in listed.out.splitlines() if "nightly" in line]
    assert "overdue" in line
    assert line.rstrip().endswith("late: is a beat up?")
    assert 1 == listed.out.count("late")
    assert nightly["late_ms"] > 5_000
    assert "2026-01-01T02:00:00.000+00:00" == nightly["due"]
    assert [None, None, None] == [one["late_ms"] for one in (resting, yearly)] + [nightly["alert"]]


def test_schedules_preview_when_clocks_change_then_remarked(run: Run, short_folder: Path) -> None:
    (short_folder / "s.yaml").write_text(
        "schedules: {n: {task: add, cron: '30 2 * * *', timezone: Europe/Berlin}}\n"
    )

    told = run("schedules", "preview", "s.yaml", "-n", "2", "--from", "2026-03-28T12:00:00")

    assert 0 == told.code
    assert "Sun 2026-03-29 03:00:00 CEST" in told.out


def test_why_when_asked_then_one_sentence_and_json(run_on: Run, app: App) -> None:
    app.schedules.put("nightly", "add", cron="0 2 * * *")

    told = run_on("why", "nightly", "--at", "2001-01-01T02:00")
    as_json = told_json(run_on, "why", "nightly")
    unknown = run_on("why", "nihgtly")

    assert 0 == told.code
    assert "nightly 2001-01-01 02:00:00 UTC: not planned: the schedule is declared" in told.out
    assert ("nightly", "waits") == (as_json["schedule"], as_json["verdict"])
    assert 1 == unknown.code
    assert 'there is no schedule "nihgtly" – did you mean "nightly"?' in unknown.err


@pytest.mark.parametrize("moment", ["25:00", "12:60", "2026-13-01", "noon"])
def test_why_when_moment_cannot_be_read_then_named_as_it_was_typed(
    run_on: Run, app: App, moment: str
) -> None:
    app.schedules.put("nightly", "add", cron="0 2 * * *")

    told = run_on("why", "nightly", "--at", moment)

    assert 2 == told.code
    assert f"at '{moment}' is not a" in told.err


def test_schedule_when_paused_resumed_and_removed_then_told(run_on: Run, app: App) -> None:
    app.schedules.put("nightly", "add", cron="0 2 * * *")

    paused = run_on("schedules", "pause", "nightly", "--reason", "rest")
    listed = run_on("schedules", "list")
    resumed = run_on("schedules", "resume", "nightly")
    history = run_on("schedules", "history", "nightly", "--json")
    removed = run_on("schedules", "remove", "nightly")
    gone = run_on("schedules", "history", "nightly")

    assert [0, 0, 0, 0, 0, 1] == [
        told.code for told in (paused, listed, resumed, history, removed, gone)
    ]
    assert "paused: rest" in listed.out
    assert "nightly: goes on; next is" in resumed.out
    assert [] == json.loads(history.out)
    assert app.schedules.get("nightly") is None


def test_trigger_when_asked_twice_then_a_job_and_a_skip(run_on: Run, app: App) -> None:
    app.schedules.put("nightly", "add", cron="0 2 * * *")

    first = told_json(run_on, "schedules", "trigger", "nightly")
    second = run_on("schedules", "trigger", "nightly")

    assert "QUEUED" == str(app.jobs.get(first["job"]).state)
    assert 1 == second.code
    assert "nightly: skipped: an earlier job has not ended" in second.err


def test_jobs_when_searched_by_tag_and_time_and_moved_then_told(run_on: Run, app: App) -> None:
    eta = datetime(2099, 12, 24, 12, tzinfo=UTC)
    christmas = app.send_task("mail.send", eta=eta, tags=["eu"])
    app.send_task("mail.send", eta=eta + timedelta(days=2), tags=["eu"])

    found = told_json(run_on, "jobs", "list", "--tag", "eu", "--to", "2099-12-24")
    none = told_json(run_on, "jobs", "list", "--from", "2099-12-25", "--to", "2099-12-25")
    moved = run_on("jobs", "reschedule", christmas.id, "--at", "2099-12-25T10:00")
    now = run_on("jobs", "reschedule", christmas.id, "nobody", "--now")
    twice = run_on("jobs", "reschedule", christmas.id, "--now", "--in", "5m")
    wrong = run_on("jobs", "reschedule", christmas.id, "--at", "tomorrow")

    assert [(christmas.id, ["eu"])] == [(one["id"], one["tags"]) for one in found]
    assert [] == none
    assert (0, f"{christmas.id}  is due at 2099-12-25T10:00:00.000+00:00\n") == (
        *(moved.code, moved.out),
    )
    assert (1, f"{christmas.id}  runs now\nnobody  no such job\n") == (now.code, now.out)
    assert (2, True) == (twice.code, "give one of --at, --in and --now" in twice.err)
    assert (2, True) == (wrong.code, "--at 'tomorrow' is not a moment" in wrong.err)
