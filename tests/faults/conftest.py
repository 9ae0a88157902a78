"""The fault suite's systems, and the table at its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.chances import MODE, SEED, chances_of
from tests.faults.pools import POOL
from tests.faults.report import Row, keep, table
from tests.faults.system import System
from tests.processes import commands
from tests.servers import RedisProcess

_ROW = pytest.StashKey[Row]()
_ROWS = "rows of the fault suite"
_PROPERTY = "row of the fault suite"


class Rows:
    """The rows of all scenarios that have ended, here or in another process of the run."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A scenario's end brings its row."""
        for name, fields in report.user_properties:
            if name == _PROPERTY and isinstance(fields, dict):
                self._rows[report.nodeid] = Row(**fields)

    def in_order(self) -> list[Row]:
        """By file and name."""
        return [self._rows[name] for name in sorted(self._rows)]


def pytest_configure(config: pytest.Config) -> None:
    """Gather rows; processes of the same run draw from the same seed."""
    config.pluginmanager.register(Rows(), _ROWS)
    os.environ.setdefault("BEATLINE_FAULTS_SEED", str(SEED))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that cannot be run here is a row, too."""
    report = yield
    if item.get_closest_marker("faults") and report.skipped:
        reason = call.excinfo.value if call.excinfo is not None else ""
        row = _row_of(item)
        row.outcome = "not run"
        row.remarks = [str(getattr(reason, "msg", reason))]
    elif item.get_closest_marker("faults") and report.failed:
        _row_of(item).outcome = "broken"
    row_or_none = item.stash.get(_ROW, None)
    if call.when == "teardown" and row_or_none is not None:
        report.user_properties.append((_PROPERTY, asdict(row_or_none)))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table and keep the rows."""
    gathered = config.pluginmanager.get_plugin(_ROWS)
    rows = gathered.in_order() if isinstance(gathered, Rows) else []
    if not rows:
        return
    terminalreporter.section(f"faults, {MODE} form, BEATLINE_FAULTS_SEED={SEED}")
    for line in table(rows):
        terminalreporter.write_line(line)
    path = keep(rows, MODE, SEED)
    if path is not None:
        terminalreporter.write_line(f"rows as JSON: {path}")


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> str:
    """The pool of the scenario's workers, where nothing else is said."""
    return str(getattr(request, "param", POOL))


@pytest.fixture
def system(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    new_server: Callable[..., RedisProcess],
    pool: str,
) -> Iterator[Callable[..., System]]:
    """
    Makes the scenario's system.

    Called with what ``new_server`` takes; a second call makes a system of its own whose numbers
    are added to the same row.
    """
    row = _row_of(request.node)
    begun = time.monotonic()
    with ExitStack() as stack:
        made: list[System] = []

        def make(**how: object) -> System:
            folder = tmp_path / f"system{len(made)}"
            folder.mkdir()
            server = new_server(**{"tcp": True, **how})
            start = stack.enter_context(commands(folder, {}))
            one = System(folder, server, start, row, chances_of(row.scenario), pool)
            stack.callback(one.close)
            made.append(one)
            return one

        yield make
        row.took_s = round(time.monotonic() - begun, 1)


def _row_of(item: pytest.Item) -> Row:
    """The row of a scenario, named for its test."""
    row = item.stash.get(_ROW, None)
    if row is None:
        name = item.name.removeprefix("test_").replace("_", " ")
        row = item.stash[_ROW] = Row(name, seed=SEED)
    return row
