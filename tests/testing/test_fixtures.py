"""The fixtures as users get them: by asking, in a pytest of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")

TASKS = """
from beatline import App

app = App("shop", redis="redis://nowhere.example:1/0")


@app.task(name="reports.hourly")
def hourly():
    return "done"
"""

SCHEDULES = """
defaults: {timezone: Europe/Berlin}
schedules:
  nightly-report: {task: reports.hourly, cron: "30 2 * * *"}
  hourly-report: {task: reports.hourly, every: 1h}
"""


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkey", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "tasks.py").write_text(TASKS)
    (tmp_path / "schedules").mkdir()
    (tmp_path / "schedules" / "reports.yaml").write_text(SCHEDULES)
    return tmp_path


def test_page_when_its_examples_are_run_then_they_pass(project: Path) -> None:
    machine, fixtures, conftest = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[:3]
    (project / "conftest.py").write_text(conftest)
    (project / "test_page.py").write_text(f"{machine}\n{fixtures}")

    result = run_pytest(project)

    assert "3 passed" in result.stdout, result.stdout + result.stderr


def test_fixtures_when_nobody_asks_then_there_are_none(project: Path) -> None:
    (project / "test_it.py").write_text("def test_it(time_machine): ...\n")

    result = run_pytest(project)

    assert "fixture 'time_machine' not found" in result.stdout


def test_package_when_it_is_imported_then_pytest_is_not() -> None:
    code = "import sys, beatline.testing; sys.exit('pytest' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_fixture_when_a_test_asks_for_an_app_then_it_is_empty_and_its_own(project: Path) -> None:
    (project / "conftest.py").write_text('pytest_plugins = ["beatline.testing.fixtures"]\n')
    (project / "test_it.py").write_text(
        """
import pytest


@pytest.mark.parametrize("turn", [1, 2])
def test_app(beatline_app, beatline_server, turn):
    assert beatline_app.settings.redis == beatline_server.url
    assert beatline_app.jobs.list() == []
    beatline_app.send_task("t")
"""
    )

    result = run_pytest(project)

    assert "2 passed" in result.stdout, result.stdout
