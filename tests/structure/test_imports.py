"""Imports run one way, are absolute, and stand at the top of the module."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.structure.layers import (
    COMMAND_LINE_ONLY,
    LATE_IMPORTS,
    LAYERS,
    ONE_DOOR,
    OPTIONAL,
    REDIS_PACKAGES,
    STRANGERS,
    WITHOUT_REDIS,
    layer_of,
)
from tests.structure.source import Import, Module, our_modules

NAMES = {module.name for module in our_modules()}
PACKAGES = ("beatline", "beatline_worker", "beatline_schedules")


def imported_module(found: Import) -> str | None:
    """Our module that an import leads to; None for other people's."""
    target = found.target
    while target and target not in NAMES:
        target = target.rpartition(".")[0]
    return target if target.split(".")[0] in PACKAGES else None


def is_command_line(name: str) -> bool:
    return layer_of(name) == "cli"


def line_of(module: Module, found: Import) -> str:
    return f"{module.where}:{found.line} imports {found.target}"


def all_imports() -> list[tuple[Module, Import]]:
    return [(module, found) for module in our_modules() for found in module.imports()]


def test_imports_when_followed_then_none_leads_upwards() -> None:
    upwards = [
        line_of(module, found)
        for module, found in all_imports()
        if not found.inside_function and not found.for_types and leads_up(module.name, found)
    ]

    assert [] == upwards


def leads_up(name: str, found: Import) -> bool:
    target = imported_module(found)
    if target is None:
        return False
    return LAYERS.index(layer_of(target)) > LAYERS.index(layer_of(name))


def test_imports_when_followed_then_none_comes_back() -> None:
    graph: dict[str, set[str]] = {}
    for module, found in all_imports():
        target = imported_module(found)
        if target and target != module.name and not found.inside_function and not found.for_types:
            graph.setdefault(module.name, set()).add(target)

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_roles_when_they_import_then_never_each_other() -> None:
    meetings = [
        line_of(module, found)
        for module, found in all_imports()
        for mine in STRANGERS
        for other in STRANGERS
        if mine != other
        and not is_command_line(module.name)
        and f"{module.name}.".startswith(f"{mine}.")
        and f"{found.target}.".startswith(f"{other}.")
    ]

    assert [] == meetings


def test_words_and_values_when_they_import_then_nothing_of_redis() -> None:
    impure = [
        line_of(module, found)
        for module, found in all_imports()
        if layer_of(module.name) in WITHOUT_REDIS and found.target.split(".")[0] in REDIS_PACKAGES
    ]

    assert [] == impure


def test_imports_when_written_then_absolute() -> None:
    relative = [line_of(module, found) for module, found in all_imports() if found.relative]

    assert [] == relative


def test_imports_when_inside_a_function_then_only_for_commands_and_extras() -> None:
    late = [
        line_of(module, found)
        for module, found in all_imports()
        if found.inside_function
        and not is_command_line(module.name)
        and module.name not in LATE_IMPORTS
        and found.target.split(".")[0] not in OPTIONAL
    ]

    assert [] == late


def test_extras_when_imported_then_inside_a_function() -> None:
    early = [
        line_of(module, found)
        for module, found in all_imports()
        if found.target.split(".")[0] in OPTIONAL
        and not found.inside_function
        and not found.for_types
    ]

    assert [] == early


@pytest.mark.parametrize("package", sorted(ONE_DOOR))
def test_package_when_imported_then_by_one_module_alone(package: str) -> None:
    doors = {
        module.where for module, found in all_imports() if found.target.split(".")[0] == package
    }

    assert len(doors) <= 1, f"{sorted(doors)}: {ONE_DOOR[package]}"


@pytest.mark.parametrize("package", COMMAND_LINE_ONLY)
def test_package_when_for_the_command_line_then_imported_there_alone(package: str) -> None:
    strays = [
        line_of(module, found)
        for module, found in all_imports()
        if found.target.split(".")[0] == package and not is_command_line(module.name)
    ]

    assert [] == strays
