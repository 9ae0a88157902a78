"""The fault suite's systems, and the table at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.chances import MODE, SEED, chances_of
from tests.faults.report import Row, keep, table
from tests.faults.system import System
from tests.processes import commands
from tests.servers import RedisProcess

_ROWS = pytest.StashKey[list[Row]]()
_ROW = pytest.StashKey[Row]()


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
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table and keep the rows."""
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    terminalreporter.section(f"faults, {MODE} form, BEATLINE_FAULTS_SEED={SEED}")
    for line in table(rows):
        terminalreporter.write_line(line)
    path = keep(rows, MODE, SEED)
    if path is not None:
        terminalreporter.write_line(f"rows as JSON: {path}")


@pytest.fixture
def system(
    request: pytest.FixtureRequest, tmp_path: Path, new_server: Callable[..., RedisProcess]
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
            one = System(folder, server, start, row, chances_of(row.scenario))
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
        item.config.stash.setdefault(_ROWS, []).append(row)
    return row
