"""
Finding the app that ``-A`` names: ``module:app``, ``path/file.py:app``, or a module with one app.

A file is imported under its stem, as if its folder were on ``sys.path`` (it is put there), so
that tasks have the same names as where the file is run as a script. Whatever goes wrong in the
user's module is told with the file and line where it went wrong.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from beatline.app import App
from beatline.errors import AppNotLoadable


def load_app(name: str) -> App:
    """
    The app behind a name.

    Args:
        name: ``module:app``, ``path/file.py:app``, or either without ``:app`` where the module
            has one app only.

    Raises:
        AppNotLoadable: The module raised, is not there, or has no such app.
    """
    place, _, attribute = name.strip().partition(":")
    if place.endswith(".py") or os.sep in place:
        module = _load_file(Path(place), name)
    else:
        module = _load_module(place, name)
    return _app_of(module, attribute, place)


def _load_module(place: str, name: str) -> ModuleType:
    if not place or not all(part.isidentifier() for part in place.split(".")):
        raise AppNotLoadable(
            f"{name!r} names no app", remedy="write -A module:app or -A path/file.py:app"
        )
    _put_on_path(Path.cwd())
    if _is_missing(place):
        near = _neighbours(place)
        hint = f"did you mean {near}? " if near else ""
        raise AppNotLoadable(
            f"there is no module {place!r} in {Path.cwd()} or on sys.path",
            remedy=f"{hint}Run the command in the folder that holds it, or name its file",
        )
    return _run(lambda: importlib.import_module(place), place)


def _load_file(file: Path, name: str) -> ModuleType:
    path = file.expanduser().resolve()
    if not path.is_file():
        raise AppNotLoadable(f"there is no file {path}", remedy=f"correct -A {name}")
    if path.suffix != ".py":
        raise AppNotLoadable(f"{path} is no Python file", remedy="name a file that ends in .py")
    _put_on_path(Path.cwd())
    _put_on_path(path.parent)
    known = sys.modules.get(path.stem)
    if known is not None:
        origin = getattr(known, "__file__", None)
        if origin and Path(origin).resolve() == path:
            return known
        raise AppNotLoadable(
            f"{path} would be imported as {path.stem!r}, which is {origin or 'built in'}",
            remedy="rename the file, or import it as a module: -A package.module:app",
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise AppNotLoadable(f"{path} cannot be imported", remedy="name a Python file")
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def run() -> ModuleType:
        sys.modules[path.stem] = module
        try:
            loader.exec_module(module)
        except BaseException:
            sys.modules.pop(path.stem, None)
            raise
        return module

    return _run(run, str(file))


def _run(load: Any, place: str) -> ModuleType:
    """Import a user's module; whatever it raises is told with its file and line."""
    try:
        module: ModuleType = load()
    except AppNotLoadable:
        raise
    # A module may raise anything, and call sys.exit; all of it means that there is no app.
    except (Exception, SystemExit) as error:
        raise AppNotLoadable(
            f"{_where(error, place)}: {type(error).__name__}: {error}".rstrip(": "),
            remedy=_remedy(error),
        ) from error
    return module


def _where(error: BaseException, place: str) -> str:
    """File and line at fault: the deepest frame that is not of the import system."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 0}"
    own = Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and own not in Path(frame.filename).parents
    ]
    users = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{users[-1].filename}:{users[-1].lineno}" if users else place


def _remedy(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install {error.name.partition('.')[0]}, or correct the import"
    if isinstance(error, SystemExit):
        return 'it ends the process when it is imported: put that under `if __name__ == "__main__"`'
    return "see that `python -c 'import …'` of this module works; the traceback follows with -v"


def _is_missing(place: str) -> bool:
    """Whether there is no such module, as opposed to one that cannot be imported."""
    if place in sys.modules:
        return False
    parent = place.rpartition(".")[0]
    if parent and _is_missing(parent):
        return True
    try:
        return importlib.util.find_spec(place) is None
    # The parent package is run by find_spec, and may raise anything: `_run` tells what.
    except (Exception, SystemExit):  # noqa: BLE001
        return False


def _neighbours(place: str) -> str:
    """The nearest name of a module in the working directory."""
    there = [path.stem for path in Path.cwd().glob("*.py")]
    there += [path.parent.name for path in Path.cwd().glob("*/__init__.py")]
    return next(iter(difflib.get_close_matches(place, there, n=1)), "")


def _app_of(module: ModuleType, attribute: str, place: str) -> App:
    apps = {name: value for name, value in vars(module).items() if isinstance(value, App)}
    if not attribute:
        return _only_app(apps, place)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(attribute, [*apps, *vars(module)], n=1)
            hint = ", ".join(f"{place}:{name}" for name in apps) or (near[0] if near else "")
            raise AppNotLoadable(
                f"{place} has no {attribute!r}",
                remedy=f"did you mean {hint}?" if hint else f"make one: {attribute} = App(…)",
            )
        found = getattr(found, part)
    if not isinstance(found, App):
        raise AppNotLoadable(
            f"{place}:{attribute} is of type {type(found).__name__}, not beatline.App",
            remedy=f"did you mean {place}:{next(iter(apps))}?" if apps else "make one: App(…)",
        )
    return found


def _only_app(apps: dict[str, App], place: str) -> App:
    distinct = {id(app): app for app in apps.values()}
    if len(distinct) == 1:
        return next(iter(distinct.values()))
    if not apps:
        raise AppNotLoadable(f"{place} has no App in it", remedy="make one: app = App(…)")
    names = " or ".join(f"{place}:{name}" for name in apps)
    raise AppNotLoadable(f"{place} has {len(distinct)} apps", remedy=f"say which: {names}")


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
