"""
Environment variables in values: ``${NAME}`` and ``${NAME:-default}``.

They are filled in after the file has been read, into one value at a time, so that a variable's
content can never become a key or another value. A value in quotes stays text; a bare one is read
again with the variable in place, so that ``priority: ${PRIORITY:-5}`` is a number. ``$${`` stands
for ``${``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_VARIABLE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?"
)
#: Characters of a value with its variables filled in.
_MAX_VALUE: Final = 1 << 16


class BadVariable(Exception):  # noqa: N818 - becomes a problem of the file, not an error
    """
    A value names a variable that is not set, or not in the way that is understood.

    Args:
        message: What is wrong.
        remedy: What to do.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def fill_in(text: str, environ: Mapping[str, str]) -> str:
    """
    The text with its variables replaced.

    Args:
        text: A value of the file.
        environ: Where variables are looked up; an empty one counts as not set where there is a
            default, as in a shell.

    Raises:
        BadVariable: A variable is not set and has no default, or ``${`` begins something else.
    """
    if "${" not in text:
        return text
    filled: list[str] = []
    size = done = 0
    for found in _VARIABLE.finditer(text):
        filled += (text[done : found.start()], _value(found, environ))
        size += len(filled[-1]) + len(filled[-2])
        done = found.end()
        if size > _MAX_VALUE:
            raise BadVariable(
                f"the value is longer than {_MAX_VALUE:,} characters with its variables filled in",
                "use shorter variables",
            )
    return "".join(filled) + text[done:]


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "${"
    name, default = found["name"], found["default"]
    if name is None:
        raise BadVariable(
            "${ begins no variable here", "write ${NAME} or ${NAME:-default}, or $${ for the text"
        )
    value = environ.get(name)
    if value or (value is not None and default is None):
        return value
    if default is None:
        raise BadVariable(
            f"environment variable {name} is not set",
            f"set it, or give a default: ${{{name}:-default}}",
        )
    return default
