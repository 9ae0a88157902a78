"""`docs/guarantees.md` names scripts and tests; all of them exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text()


def promises() -> dict[str, str]:
    """Heading -> text of each promise."""
    parts = re.split(r"^### (G\d+) .*$", PAGE.partition("## Under faults")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_page_when_read_then_holds_fourteen_promises() -> None:
    assert [f"G{number}" for number in range(1, 15)] == list(promises())


@pytest.mark.parametrize("promise", list(promises()))
def test_promise_when_read_then_names_tests_that_exist(promise: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promises()[promise])

    missing = [f"{path}::{name}" for path, name in named if name not in functions_of(ROOT / path)]

    assert named
    assert [] == missing


def test_page_when_it_names_scripts_then_they_exist() -> None:
    named = set(re.findall(r"`(\w+\.lua)`", PAGE))

    missing = [name for name in named if not (ROOT / "scheduler/beatline/lua" / name).is_file()]

    assert [] == missing


def functions_of(path: Path) -> set[str]:
    """Names of a module's functions; none where there is no such module."""
    if not path.is_file():
        return set()
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
