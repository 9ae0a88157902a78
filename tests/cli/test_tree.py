"""The tree of commands: quick to start, and of help where somebody mistypes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from beatline.cli.tree import SECTIONS, sched
from beatline.version import __version__
from tests.cli.conftest import Run

COMMANDS = [entry.name for entries in SECTIONS.values() for entry in entries]

#: What no start-up may import: each costs more than all the rest.
SLOW = ("redis", "rich", "yaml", "msgspec", "apscheduler", "croniter", "importlib.metadata")


def test_version_when_asked_then_told_within_300_ms() -> None:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-m", "beatline.cli", "--version"], capture_output=True, text=True
        )
        times.append(time.perf_counter() - begun)

    assert f"beatline {__version__}\n" == told.stdout
    assert min(times) < 0.3, times


def test_start_when_measured_then_imports_nothing_slow() -> None:
    script = (
        "import sys\nfrom beatline.cli.tree import sched\n"
        "sched.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)"
    )

    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert "[]\n" == told.stderr


def test_service_when_started_then_holds_nothing_of_the_command_line() -> None:
    script = (
        "import sys\nfrom beatline.cli import main\nfrom beatline.cli.service import Service\n"
        "def run(service):\n"
        "    print(service.module, service.wanted.app, service.options['limits']['autoscale'])\n"
        "    return 5 + ('click' in sys.modules)\n"
        "Service.run = run\n"
        "main(['--app', 'shop.py:app', 'worker', '--autoscale', '1,8'])"
    )

    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ("worker_run shop.py:app (1, 8)\n", 5) == (told.stdout, told.returncode)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["worker", "-A", "x.py:app", "--nope"], 2, "no such option"),
        (["--redis", "redis://127.0.0.1:1", "beat", "--schedules", "no.yaml"], 2, "no.yaml"),
        (["worker"], 2, "no app is named"),
    ],
)
def test_service_when_its_words_are_wrong_then_told_once_and_not_started(
    words: list[str], code: int, text: str
) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "beatline.cli", *words], capture_output=True, text=True
    )

    assert (code, 1) == (told.returncode, told.stderr.lower().count(text)), told.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_when_asked_then_teaches_by_example(name: str) -> None:
    told = CliRunner().invoke(sched, [name, "--help"], prog_name="sched")

    assert 0 == told.exit_code
    assert f"sched {name}" in told.output


@pytest.mark.parametrize("name", ["jobs", "schedules", "dead"])
def test_subcommands_when_asked_for_help_then_each_has_an_example(name: str) -> None:
    group = sched.get_command(None, name)  # type: ignore[arg-type]  # the context is not used

    without = [
        sub.name
        for sub in group.commands.values()  # type: ignore[union-attr]
        if sub.name != "schema" and f"sched {name} {sub.name}" not in (sub.epilog or "")
    ]

    assert [] == without


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["wroker"], 'no such command "wroker" – did you mean "worker"?'),
        (["jobs", "lst"], 'no such command "lst" – did you mean "list"?'),
        (["schedules", "aply"], 'no such command "aply" – did you mean "apply"?'),
        (["worker", "--concurency", "2"], "--concurrency"),
        (["zzz"], "there are: up, beat, worker"),
    ],
)
def test_names_when_mistyped_then_the_nearest_is_told(
    run: Run, words: list[str], hint: str
) -> None:
    told = run(*words)

    assert 2 == told.code
    assert hint in told.err
    assert "Traceback" not in told.err


def test_app_when_named_before_the_command_then_taken_as_behind_it(run: Run) -> None:
    told = run("-A", "nowhere:app", "call", "add")

    assert 4 == told.code
    assert "nowhere" in told.err
