"""Our own source as the structure tests see it: modules, their definitions and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: The source roots; each holds one package.
SOURCE_ROOTS = ("scheduler", "worker", "schedules")


@dataclass(frozen=True)
class Import:
    """
    One module that another imports.

    Args:
        target: The dotted name: of the module, or of a name in it for ``from a import b``.
        line: Where it stands.
        inside_function: Whether it is carried out when a function is called.
        for_types: Whether it stands under ``if TYPE_CHECKING``.
        relative: Whether it is written with leading dots.
    """

    target: str
    line: int
    inside_function: bool
    for_types: bool
    relative: bool


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    name: str
    path: Path

    @property
    def where(self) -> str:
        """The path from the repository's top."""
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """The source."""
        return self.path.read_text(encoding="utf-8")

    def tree(self) -> ast.Module:
        """The syntax tree."""
        return _parsed(self.path)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones too."""
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> list[Import]:
        """All imports, wherever they stand."""
        return list(_imports_in(self.tree(), inside_function=False, for_types=False))


@cache
def our_modules() -> list[Module]:
    """Every module of the three packages."""
    found = []
    for root in SOURCE_ROOTS:
        for path in sorted((ROOT / root).rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path))
    return found


@cache
def lua_files() -> list[Path]:
    """Every script and part of a script."""
    return sorted((ROOT / "scheduler/beatline/lua").rglob("*.lua"))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports_in(node: ast.AST, *, inside_function: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside_function, for_types, False)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                target = f"{child.module or ''}.{alias.name}"
                yield Import(target, child.lineno, inside_function, for_types, child.level > 0)
        else:
            yield from _imports_in(
                child,
                inside_function=inside_function or isinstance(child, _FUNCTIONS),
                for_types=for_types or _is_type_check(child),
            )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_type_check(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    name = node.test
    return (isinstance(name, ast.Name) and name.id == "TYPE_CHECKING") or (
        isinstance(name, ast.Attribute) and name.attr == "TYPE_CHECKING"
    )
