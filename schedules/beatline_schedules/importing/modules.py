"""Users' modules: imported as they are, and searched for what holds their schedules."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from beatline.errors import AppNotLoadable

#: Names under which modules of settings keep Celery's ``beat_schedule``.
_SCHEDULE_NAMES: Final = ("beat_schedule", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE")
_ZONE_NAMES: Final = ("timezone", "CELERY_TIMEZONE")


def load_place(place: str) -> Any:
    """
    What a name stands for: a module, or something in it.

    Args:
        place: ``module``, ``module:attribute`` or ``path/file.py:attribute``.

    Raises:
        AppNotLoadable: The module cannot be imported, or has no such attribute.
    """
    where, _, attribute = place.partition(":")
    found: Any = _module(where)
    for part in filter(None, attribute.split(".")):
        if not hasattr(found, part):
            raise AppNotLoadable(
                f"{where} has no {attribute!r}", remedy=f"correct the name behind {where}:"
            )
        found = getattr(found, part)
    return found


def beat_schedule_of(found: Any, place: str) -> tuple[Any, Any]:
    """
    Celery's ``beat_schedule`` and ``timezone`` in a module, a Celery app, or settings.

    Raises:
        AppNotLoadable: There is none, or there are several.
    """
    if isinstance(found, Mapping):
        return found, None
    if not isinstance(found, ModuleType):
        conf: Any = getattr(found, "conf", None)
        if hasattr(conf, "beat_schedule"):
            return conf.beat_schedule, getattr(conf, "timezone", None)
        raise AppNotLoadable(
            f"{place} is of type {type(found).__name__}, not a Celery app or a beat_schedule",
            remedy="name the app: --from celery module:app",
        )
    for name in _SCHEDULE_NAMES:
        if isinstance(getattr(found, name, None), Mapping):
            zones = (getattr(found, zone, None) for zone in _ZONE_NAMES)
            return getattr(found, name), next((zone for zone in zones if zone), None)
    app = _only_one(found, place, "Celery app", _is_celery_app)
    return app.conf.beat_schedule, getattr(app.conf, "timezone", None)


def scheduler_of(found: Any, place: str) -> Any:
    """
    The APScheduler in a module, or the object itself.

    Raises:
        AppNotLoadable: There is none, or there are several.
    """
    if not isinstance(found, ModuleType):
        return found
    return _only_one(found, place, "scheduler", _is_scheduler)


def _is_celery_app(value: Any) -> bool:
    return (
        not isinstance(value, (type, ModuleType))
        and hasattr(value, "conf")
        and hasattr(value, "task")
        and hasattr(value.conf, "beat_schedule")
    )


def _is_scheduler(value: Any) -> bool:
    return not isinstance(value, (type, ModuleType)) and callable(getattr(value, "get_jobs", None))


def _only_one(module: ModuleType, place: str, what: str, fits: Callable[[Any], bool]) -> Any:
    found = {id(value): (name, value) for name, value in _public(module) if fits(value)}
    if len(found) == 1:
        return next(iter(found.values()))[1]
    names = " or ".join(f"{place}:{name}" for name, _ in found.values())
    raise AppNotLoadable(
        f"{place} has {len(found) or 'no'} {what}{'s' if found else ''} in it",
        remedy=f"say which: {names}" if found else f"name the module that makes the {what}",
    )


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(module).items() if not name.startswith("__"))


def _module(where: str) -> ModuleType:
    for folder in (str(Path.cwd()), str(Path(where).resolve().parent)):
        if folder not in sys.path and (os.sep in where or folder == str(Path.cwd())):
            sys.path.insert(0, folder)
    try:
        if where.endswith(".py") or os.sep in where:
            return _module_of_file(Path(where))
        return importlib.import_module(where)
    except AppNotLoadable:
        raise
    # A module may raise anything, and call sys.exit; all of it means that it cannot be read.
    except (Exception, SystemExit) as error:
        raise AppNotLoadable(
            f"{where} cannot be imported: {type(error).__name__}: {error}".rstrip(": "),
            remedy=_remedy(error, where),
        ) from error


def _remedy(error: BaseException, where: str) -> str:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return "see that `python -c 'import …'` of this module works"
    if where == error.name or where.startswith(f"{error.name}."):
        return "run the command in the folder that holds it, or name its file"
    return f"install {error.name.partition('.')[0]} in this environment: the module needs it"


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise AppNotLoadable(f"there is no file {path}", remedy="correct its path")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise AppNotLoadable(f"{path} cannot be imported", remedy="name a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(path.stem, None)
        raise
    return module
