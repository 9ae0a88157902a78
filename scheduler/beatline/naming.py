"""
The names of tasks: where a function lives, the same in every process that imports it.

A script that runs as ``python jobs/shop.py`` is the module ``__main__``; a worker that loads the
same file with ``-A jobs/shop.py:app`` knows it as ``shop``. Both must find the same names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, Final

from beatline.errors import InvalidSetting

#: Longest name of a task, characters.
LONGEST_NAME: Final = 200


def task_name(function: Callable[..., Any]) -> str:
    """
    The default name of a function's task: ``module.qualname``.

    A module ``__main__`` is named by its file's stem, or by the name it was given to ``-m``.
    """
    module = str(getattr(function, "__module__", "") or "")
    qualname = getattr(function, "__qualname__", "") or type(function).__qualname__
    if module == "__main__":
        module = main_name()
    return f"{module}.{qualname}" if module else qualname


def main_name() -> str:
    """The name under which a worker imports what runs here as ``__main__``."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"


def check_name(name: object) -> str:
    """
    The name of a task, if it can be one.

    Raises:
        InvalidSetting: It is empty, too long, or has blanks or control characters in it.
    """
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME:
        raise InvalidSetting(
            f"task name {name!r} is not one", remedy=f"use 1 to {LONGEST_NAME} characters of text"
        )
    if not name.isprintable() or any(letter.isspace() for letter in name):
        raise InvalidSetting(
            f"task name {name!r} has blanks or control characters in it",
            remedy="name it like a function: billing.close_month",
        )
    return name


def where_defined(function: Callable[..., Any]) -> str:
    """File and line of a function, for errors."""
    code = _code(function)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def is_same_function(old: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """
    Whether the second is the first one again: its file was imported twice, or reloaded.

    Two functions of one name in a file that is imported for the first time are a mistake: the
    second hides the first.
    """
    one, other = _code(old), _code(new)
    if one is None or other is None:
        return old is new
    if one.co_qualname != other.co_qualname:
        return False
    if one.co_filename == other.co_filename and one.co_firstlineno == other.co_firstlineno:
        return True
    return _is_reloaded(new) and getattr(old, "__module__", 0) == getattr(new, "__module__", 1)


def _code(function: Callable[..., Any]) -> CodeType | None:
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _is_reloaded(function: Callable[..., Any]) -> bool:
    """Whether the function's module had been imported before: a reload, or an open notebook."""
    module = sys.modules.get(str(getattr(function, "__module__", "")))
    if module is None:
        return False
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return not hasattr(module, "__file__")
    # importlib marks a module while it is imported for the first time.
    return not getattr(spec, "_initializing", False)
