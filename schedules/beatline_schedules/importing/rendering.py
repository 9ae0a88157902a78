"""Imported schedules as the text of a schedule file, each remark a comment above its entry."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from beatline_schedules.importing.entry import Entry, Imported, LeftOut
from beatline_schedules.importing.yaml_text import lines_of, text_of

#: Characters of a line of comment.
_WIDTH: Final = 98
#: Characters of a foreign line that is quoted.
_LONGEST: Final = 300


def render(imported: Imported) -> str:
    """
    The text of a schedule file.

    Args:
        imported: What an importer has brought.

    Returns:
        Text that `sched schedules check` accepts: what would be a problem there stands in
        comments, with the reason.
    """
    lines = [*_head(imported), *_body(imported)]
    for one in imported.left_out:
        lines += ["", *_left_out(one)]
    return "\n".join(lines) + "\n"


def _head(imported: Imported) -> Iterator[str]:
    yield from _comment(f"Imported from {imported.title} by `sched schedules import`.", "")
    for remark in imported.remarks:
        yield from _remark(remark, "")
    yield "version: 1"
    if imported.defaults:
        yield "defaults:"
        for key, value in imported.defaults.items():
            yield from lines_of(key, value, "  ")


def _body(imported: Imported) -> Iterator[str]:
    if not imported.entries:
        yield "schedules: {}"
        return
    yield "schedules:"
    for number, entry in enumerate(imported.entries):
        if number:
            yield ""
        yield from entry_lines(entry)


def entry_lines(entry: Entry) -> Iterator[str]:
    """One schedule below ``schedules:``, with its comments."""
    if entry.origin:
        yield from _comment(entry.origin, "  ")
    for remark in entry.remarks:
        yield from _remark(remark, "  ")
    yield f"  {text_of(entry.name, is_key=True)}:"
    for key, value in entry.fields.items():
        yield from lines_of(key, value, "    ")


def _left_out(one: LeftOut) -> Iterator[str]:
    yield from _comment(f"not imported: {one.name}", "")
    yield from _remark(one.reason, "")


def _remark(text: str, indent: str) -> list[str]:
    return _comment(f"- {text}" if text.endswith((".", "…", "?")) else f"- {text}.", indent)


def _comment(text: str, indent: str) -> list[str]:
    """Lines of comment; whatever stands in the text, it stays inside them."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    cut = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    prefix = f"{indent}# "
    return textwrap.wrap(
        cut,
        _WIDTH,
        initial_indent=prefix,
        subsequent_indent=f"{prefix}  " if text.startswith("- ") else prefix,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [prefix.rstrip()]
