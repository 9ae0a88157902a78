"""Names say what a thing is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.structure.source import ROOT, Module, our_modules

#: Words that say nothing about what is behind them.
EMPTY_WORDS = {
    *("utils", "helpers", "common", "base", "manager", "handler"),
    *("process", "data", "info", "obj", "tmp"),
}

#: Where such a word is the right one, or still stands, with the reason.
ALLOWED = {
    ("beatline.result", "info"): "Celery's other name for the result",
    ("beatline.task", "base"): "the option of @app.task that Celery's users know",
    ("beatline.app", "base"): "the option of @app.task that Celery's users know",
    ("beatline.options", "base"): "the option of @app.task that Celery's users know",
    ("beatline.wire.async_line", "data"): "asyncio's name, which overriding methods keep",
    ("beatline.payload", "data"): "to be called `packed`",
    ("beatline.payload_nesting", "data"): "to be called `packed`",
    ("beatline.payload_types", "data"): "to be called `packed`",
}

#: What changelog.d may hold beside its README: <slug>.<kind>.md.
FRAGMENT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed|removed)\.md")

#: What docs/decisions may hold: a number and a title.
DECISION = re.compile(r"\d{4}(-[a-z0-9]+)+\.md")


def words_of(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def defined_names(module: Module) -> Iterator[tuple[str, int]]:
    """Functions, parameters and variables that a module defines, with their lines."""
    for node in ast.walk(module.tree()):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_modules_and_classes_when_named_then_without_empty_words() -> None:
    classes = [
        (f"{module.where}:{node.lineno}", node.name)
        for module in our_modules()
        for node in ast.walk(module.tree())
        if isinstance(node, ast.ClassDef)
    ]
    modules = [(module.where, module.name.rpartition(".")[2]) for module in our_modules()]

    empty = [
        f"{where} {name}"
        for where, name in [*modules, *classes]
        if EMPTY_WORDS.intersection(words_of(name))
    ]

    assert [] == empty


def test_functions_and_variables_when_named_then_not_by_an_empty_word() -> None:
    empty = [
        f"{module.where}:{line} {name}"
        for module in our_modules()
        for name, line in defined_names(module)
        if name.strip("_") in EMPTY_WORDS and (module.name, name) not in ALLOWED
    ]

    assert [] == empty


def test_modules_when_named_then_never_sched() -> None:
    """``sched`` is the standard library's; ours would hide it, or be hidden."""
    hiding = [module.where for module in our_modules() if "sched" in module.name.split(".")]

    assert [] == hiding


def test_packages_when_installed_then_only_names_that_are_ours() -> None:
    """A flat ``worker`` or ``scheduler`` would meet users' own modules (decision 0001)."""
    packages = {module.name.split(".")[0] for module in our_modules()}

    assert {"beatline", "beatline_worker", "beatline_schedules"} == packages


def test_changelog_fragments_when_added_then_named_by_kind() -> None:
    misnamed = unmatched(ROOT / "changelog.d", FRAGMENT)

    assert [] == misnamed


def test_decisions_when_added_then_numbered_once() -> None:
    names = [path.name for path in sorted((ROOT / "docs/decisions").iterdir())]

    assert [] == unmatched(ROOT / "docs/decisions", DECISION)
    assert len({name[:4] for name in names}) == len(names)


def unmatched(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    names = [path.name for path in sorted(folder.iterdir()) if path.name != "README.md"]
    return [name for name in names if not pattern.fullmatch(name)]
