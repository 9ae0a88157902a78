"""``sched schedules import``: what it prints, writes and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from beatline.cli.tree import sched
from beatline.errors import WrongUse
from beatline_schedules.importing import Source
from tests.servers import RedisProcess


def run(*words: str, feed: str | None = None) -> Result:
    command = ["schedules", "import", *words]
    return CliRunner().invoke(sched, command, input=feed, standalone_mode=False)


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text("*/5 * * * * poll\n")
    return path


def test_import_when_a_file_is_named_then_yaml_is_printed(crontab: Path) -> None:
    result = run("--from", "crontab", str(crontab), "--timezone", "UTC")

    assert 0 == result.return_value
    head = result.stdout.replace("\n# ", " ")  # Its lines end before a long path does not fit.
    assert f"# Imported from crontab {crontab} by" in head
    assert '  poll:\n    task: shell.run\n    cron: "*/5 * * * *"\n' in result.stdout
    assert "1 schedule, 2 remarks\n" == result.stderr


def test_import_when_something_is_left_out_then_it_answers_one() -> None:
    result = run("--from", "crontab", "-", feed="@reboot x\n")

    assert 1 == result.return_value
    assert "1 not imported, see the end of the file" in result.stderr


def test_import_when_an_output_is_named_then_it_passes_the_check(
    crontab: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.yaml"

    result = run("--from", "crontab", str(crontab), "-o", str(target), "--task", "ops.shell")

    assert (0, "") == (result.return_value, result.stdout)
    check = CliRunner().invoke(sched, ["schedules", "check", str(target)], standalone_mode=False)
    assert 0 == check.return_value
    assert "    task: ops.shell\n" in target.read_text()


def test_import_when_the_output_is_there_already_then_it_is_left_alone(
    crontab: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.yaml"
    target.write_text("mine")

    result = run("--from", "crontab", str(crontab), "-o", str(target))

    assert isinstance(result.exception, WrongUse)
    assert "is there already" in str(result.exception)
    assert "mine" == target.read_text()


def test_import_when_json_is_wanted_then_it_holds_fields_remarks_and_yaml(
    crontab: Path,
) -> None:
    told = json.loads(run("--from", "crontab", str(crontab), "--json").stdout)

    assert {"task": "shell.run", "cron": "*/5 * * * *", "args": ["poll"]} == (
        told["schedules"]["poll"]["fields"]
    )
    assert told["yaml"].startswith("# Imported from crontab")


def test_import_when_redbeat_is_named_then_its_redis_is_read(redis_server: RedisProcess) -> None:
    entry = {"name": "it", "task": "t", "schedule": {"__type__": "interval", "every": 60}}
    with redis_server.client() as client:
        client.hset("beats:it", mapping={"definition": json.dumps(entry)})

    result = run("--from", "redbeat", redis_server.url, "--prefix", "beats:")

    assert 0 == result.return_value
    assert "  it:\n    task: t\n    every: 1m\n" in result.stdout


def test_import_when_the_file_is_missing_then_it_says_so(tmp_path: Path) -> None:
    result = run("--from", "k8s", str(tmp_path / "none.yaml"))

    assert isinstance(result.exception, WrongUse)
    assert "cannot be read: No such file or directory" in str(result.exception)


def test_import_when_sources_are_offered_then_they_are_all_there_are() -> None:
    text = run("--help").stdout

    assert f"[{'|'.join(Source)}]" in text
