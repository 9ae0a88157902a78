"""Each rule of delivery has a test that goes through the sequence which it closes."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.structure.source import ROOT

PAGE = (ROOT / "docs/guarantees.md").read_text()
RULES = [f"R{number}" for number in range(1, 30)]


def shown_by() -> dict[str, list[tuple[str, str]]]:
    """Rule -> (file, test) of each test that the map names."""
    listed = PAGE.partition("\n## The rules\n")[2].partition("\n## ")[0]
    parts = re.split(r"^- \*\*(R\d+) ", listed, flags=re.MULTILINE)
    return {
        rule: re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", told)
        for rule, told in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_rules_when_mapped_then_each_stands_there_once_in_order() -> None:
    assert RULES == list(shown_by())


@pytest.mark.parametrize("rule", RULES)
def test_rule_when_mapped_then_names_tests_that_exist(rule: str) -> None:
    named = shown_by()[rule]

    missing = [f"{path}::{name}" for path, name in named if name not in functions_of(path)]

    assert named
    assert [] == missing


@cache
def functions_of(path: str) -> set[str]:
    """Names of a module's functions; none where there is no such module."""
    if not (ROOT / path).is_file():
        return set()
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
