"""The keys that stand in one mapping of a file, read by the table of keys."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from typing import Any, NamedTuple

from beatline_schedules.document import Mapping, Node, Scalar
from beatline_schedules.keys import HINTS, Key
from beatline_schedules.neighbours import ALIASES, Alias
from beatline_schedules.problem import nearest, shown
from beatline_schedules.reader import Reader


class Given(NamedTuple):
    """
    A key that stands in a file, with its value.

    Attributes:
        value: What was read; None where there was a problem with it.
        key: Where the key stands.
        node: Where the value stands.
    """

    value: Any
    key: Scalar
    node: Node


def read_given(
    reader: Reader, mapping: Mapping, known: AbstractMapping[str, Key], where: str
) -> dict[str, Given]:
    """
    The keys of a mapping with their values, by our own names.

    Args:
        reader: Reads the values and reports what does not fit.
        mapping: The mapping.
        known: The keys that may stand there; neighbours' names for them may as well.
        where: What the mapping is, for messages.
    """
    given: dict[str, Given] = {}
    misspelt: dict[str, Given] = {}
    for name, (key, node) in mapping.entries.items():
        alias = ALIASES.get(name)
        target: Key | Alias | None = known.get(name)
        if target is None and alias and alias.target in known:
            target = alias
        if target is None:
            meant, remedy = _explained(name, known)
            reader.report.problem(key, f"unknown key {shown(name)} in {where}", remedy)
            misspelt.setdefault(meant, Given(None, key, node))
            continue
        canonical = target.target if isinstance(target, Alias) else target.name
        if canonical in given:
            first = given[canonical].key
            reader.report.problem(
                key,
                f"{shown(name)} says again what {shown(first.text)} says on line {first.line}",
                "remove one of them",
            )
            continue
        read = target.read if isinstance(target, Alias) else target.kind.read
        given[canonical] = Given(read(reader, node, name), key, node)
    # A misspelt "task" is told as that; it is not missing on top of it.
    misspelt.pop("", None)
    return {**misspelt, **given}


def _explained(name: str, known: AbstractMapping[str, Key]) -> tuple[str, str]:
    """The key that is probably meant by an unknown one, and what to do."""
    target, remedy = HINTS.get(name, ("", ""))
    if remedy and (not target or target in known):
        return target, remedy
    aliases = [alias.name for alias in ALIASES.values() if alias.target in known]
    meant = nearest(name, [*known, *aliases])
    if not meant:
        return "", f"known are {', '.join(known)}"
    return meant, f'did you mean "{meant}"?'
