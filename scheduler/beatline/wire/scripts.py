"""
The scripts: one file of ``lua/`` per transition, composed from parts, called by name.

A file says which parts it needs with lines ``-- include: <part>``; parts lie in ``lua/parts``
and are put in front in the order named. Comments are left out of what the server gets. The
head of each file states its transition, guarantee, arguments and reply.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "lua"
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$\n?", re.MULTILINE)


class Script:
    """
    One transition, ready to be called.

    Attributes:
        name: File name without its ending.
        source: What the server runs.
        sha: The name under which the server keeps it.
    """

    __slots__ = ("name", "sha", "source")

    #: Time in µs that all scripts are told instead of the server's own; only tests set it.
    injected_now_us = 0

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def clock(self, now_us: int = 0) -> int:
        """The first argument of a call: 0 lets the server's clock decide."""
        return now_us or Script.injected_now_us

    def __repr__(self) -> str:
        return f"Script({self.name})"


@cache
def script(name: str) -> Script:
    """
    The script of a transition.

    Raises:
        FileNotFoundError: There is no such transition, or a part that it includes is missing.
    """
    text = (_FOLDER / f"{name}.lua").read_text()
    parts = [(_FOLDER / "parts" / f"{part}.lua").read_text() for part in _INCLUDE.findall(text)]
    return Script(name, _COMMENT.sub("", "\n".join([*parts, text])))


def all_scripts() -> list[Script]:
    """Every script of this version, to be loaded ahead of the first call."""
    return [script(path.stem) for path in sorted(_FOLDER.glob("*.lua"))]
