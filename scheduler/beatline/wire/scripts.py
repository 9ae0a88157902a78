"""
The scripts: one file of ``lua/`` per transition, composed from parts, called by name.

A file says which parts it needs with lines ``-- include: <part>``; parts lie in ``lua/parts``
and are put in front in the order named. Lua makes every function anew in each call, and that is a
fifth of a short script's time; lines ``-- defer: <parts>`` therefore wrap parts that most calls do
not need into one function, ``rarely()``, which makes theirs at its first use and returns them by
name. Comments are left out of what the server gets. The head of each file states its
transition, guarantee, arguments and reply.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "lua"
_NEED = re.compile(r"^-- (include|defer): ([\w, ]+)$", re.MULTILINE)
_FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)
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
        FileNotFoundError: There is no such transition, or a part that it needs is missing.
    """
    text = (_FOLDER / f"{name}.lua").read_text()
    needs = _NEED.findall(text)
    deferred = ", ".join(named for how, named in needs if how == "defer")
    parts: list[str] = []
    for how, named in needs:
        if how == "include":
            parts.append(_parts(named))
        elif deferred:
            parts.append(_deferred(_parts(deferred)))
            deferred = ""
    return Script(name, _COMMENT.sub("", "\n".join([*parts, text])))


def _parts(names: str) -> str:
    return "\n".join((_FOLDER / "parts" / f"{name}.lua").read_text() for name in names.split(", "))


def _deferred(text: str) -> str:
    """Parts inside a function that makes their functions when it is first called."""
    functions = ", ".join(f"{name} = {name}" for name in _FUNCTION.findall(text))
    return (
        "local rare\nlocal function rarely()\nif rare then return rare end\n"
        f"{text}\nrare = {{ {functions} }}\nreturn rare\nend"
    )


def all_scripts() -> list[Script]:
    """Every script of this version, to be loaded ahead of the first call."""
    return [script(path.stem) for path in sorted(_FOLDER.glob("*.lua"))]
