"""Names for imported schedules: readable, unique, and the same at each import."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from beatline_schedules.keys import MAX_NAME_BYTES

#: Words of a command line behind which the real command stands.
_PREFIXES: Final = frozenset(
    {"sudo", "nice", "ionice", "env", "exec", "command", "nohup", "time", "chronic", "flock"}
    | {"timeout", "test", "cd", "if", "then", "[", "&&", ";", "||", "setpriv", "systemd-cat"}
)
#: Interpreters, which are less telling than what they run.
_INTERPRETERS: Final = re.compile(
    r"(?:ba|da|z|k)?sh|python[0-9.]*|perl|ruby|node|php[0-9.]*|uv|run"
)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
#: Changes of the folder before the command proper.
_CHANGED_FOLDER = re.compile(r"^\s*(?:cd\s+(?:\"[^\"]*\"|'[^']*'|\S+?)\s*(?:&&|;)\s*)+")
#: Characters of a name that is made from a command line.
_LONGEST: Final = 60


class Names:
    """Hands out each name once; the second "backup" becomes "backup-2"."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str, fallback: str = "schedule") -> str:
        """
        A name like the wanted one that nobody has.

        Args:
            wanted: Any text; what a schedule's name may not hold is replaced.
            fallback: Used where nothing of it is left.
        """
        name = _cleaned(wanted) or fallback
        unique, number = name, 2
        while unique in self._taken:
            unique = f"{_shortened(name, MAX_NAME_BYTES - 8)}-{number}"
            number += 1
        self._taken.add(unique)
        return unique


def name_of_command(command: str) -> str:
    """What a command line is best called: the stem of the program or script that it runs."""
    words = _CHANGED_FOLDER.sub("", command).split()
    fallback = ""
    is_behind_prefix = is_user = False
    for written in words:
        word = written.strip("'\"();&|{}")
        if is_user:
            is_user = False
            continue
        is_user = is_behind_prefix and word in ("-u", "-g")
        if not word or _ASSIGNMENT.match(word):
            continue
        if word.startswith(("-", "/dev/")) or (is_behind_prefix and word[0].isdigit()):
            continue
        stem = PurePosixPath(word).stem
        if word in _PREFIXES or stem in _PREFIXES:
            is_behind_prefix = True
            continue
        if _INTERPRETERS.fullmatch(stem):
            fallback = fallback or stem
            continue
        slug = re.sub(r"[^A-Za-z0-9_.]+", "-", stem).strip("-.")[:_LONGEST]
        if slug:
            return slug
    return fallback or "command"


def _cleaned(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return _shortened(" ".join(printable.split()), MAX_NAME_BYTES)


def _shortened(text: str, most_bytes: int) -> str:
    raw = text.encode("utf-8", "ignore")
    return raw[:most_bytes].decode("utf-8", "ignore").strip()
