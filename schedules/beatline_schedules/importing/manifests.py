"""
Kubernetes manifests as plain values: several documents in one text, and lists of objects.

They are read with the bounds of schedule files, by the one module that knows a YAML library.
"""

from __future__ import annotations

import re
from typing import Any, Final

from beatline.errors import WrongUse
from beatline_schedules.document import Mapping, Node, Scalar, Sequence, read_document
from beatline_schedules.problem import Report
from beatline_schedules.scalars import DateLike, Surprise, read_plain

#: A line that separates documents; it can be part of no value.
_BETWEEN = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:#.*)?\r?$", re.MULTILINE)
#: Words that YAML 1.1, and so Kubernetes, reads as true and false.
_TRUTH: Final = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), False),
}


def read_manifests(text: str, title: str) -> list[Any]:
    """
    The objects of a manifest, those of lists one by one.

    Args:
        text: YAML, or JSON, which is YAML too.
        title: What it is called in errors.

    Raises:
        WrongUse: It is not YAML that can be read.
    """
    report = Report(title)
    objects: list[Any] = []
    lines_before = 0
    for part in _documents(text):
        # The lines before are kept as empty ones, so that problems name the right line.
        root = read_document(("\n" * lines_before + part).encode(), report)
        lines_before += part.count("\n")
        if root is not None:
            objects += _items(plain_value(root))
    for problem in report.problems:
        where = f"{title}:{problem.line}:{problem.column}"
        raise WrongUse(f"{where}: {problem.message}", remedy=problem.remedy)
    return objects


def plain_value(node: Node) -> Any:
    """A tree as Kubernetes reads it: dicts, lists, text, numbers, truth values and None."""
    if isinstance(node, Mapping):
        return {key: plain_value(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain_value(item) for item in node.items]
    assert isinstance(node, Scalar)
    if not node.is_plain:
        return node.text
    value = read_plain(node.text)
    if isinstance(value, (Surprise, DateLike)):
        return _TRUTH.get(node.text, node.text)
    return value


def _documents(text: str) -> list[str]:
    """The documents; the line that begins one is kept as an empty line."""
    return _BETWEEN.sub("\x00", text).split("\x00") if "\x00" not in text else [text]


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict) and str(value.get("kind", "")).endswith("List"):
        items = value.get("items")
        return list(items) if isinstance(items, list) else []
    return [value]
