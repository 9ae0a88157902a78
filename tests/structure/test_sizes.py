"""Nothing grows beyond what can be read at one sitting. At the cap, split by responsibility."""

from __future__ import annotations

import ast

from tests.structure.source import ROOT, lua_files, our_modules

#: Lines of a Python module.
MODULE_LINES = 400

#: Lines of a Lua file; the loader composes shared parts.
LUA_LINES = 90

#: Lines of a function from its ``def`` to its end, without its docstring: what a caller has to
#: know may take as many words as it needs.
FUNCTION_LINES = 50

#: Parameters that a call may give by position, ``self`` not counted; the rest is keyword-only.
POSITIONAL_PARAMETERS = 6


def test_modules_when_counted_then_none_is_longer_than_the_cap() -> None:
    lengths = {module.where: len(module.text.splitlines()) for module in our_modules()}

    too_long = {where: lines for where, lines in lengths.items() if lines > MODULE_LINES}

    assert {} == too_long


def test_lua_files_when_counted_then_none_is_longer_than_the_cap() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in lua_files()
    }

    too_long = {where: lines for where, lines in lengths.items() if lines > LUA_LINES}

    assert {} == too_long


def test_functions_when_counted_then_none_is_longer_than_the_cap() -> None:
    lengths = {
        f"{module.where}:{function.lineno} {function.name}": code_lines(function)
        for module in our_modules()
        for function in module.functions()
    }

    too_long = {where: lines for where, lines in lengths.items() if lines > FUNCTION_LINES}

    assert {} == too_long


def test_functions_when_called_by_position_then_take_few_arguments() -> None:
    counts = {
        f"{module.where}:{function.lineno} {function.name}": positional(function)
        for module in our_modules()
        for function in module.functions()
    }

    too_many = {where: count for where, count in counts.items() if count > POSITIONAL_PARAMETERS}

    assert {} == too_many


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    named = [*function.args.posonlyargs, *function.args.args]
    return len([name for name in named if name.arg not in ("self", "cls")])
