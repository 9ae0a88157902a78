"""
Instances of users' classes on the wire: dataclasses, enums, msgspec Structs, pydantic models.

A class travels as ``module:qualname``. It is looked up among the modules that this process has
already imported and nowhere else: bytes in Redis never make a process import code, and only
classes of these four kinds are ever made from them. What an instance holds beside its fields is
set up by its own constructor; nothing else is sent.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from beatline.errors import UndecodableJob, UnserializableArgument
from beatline.payload_types import (
    EXT_DATACLASS,
    EXT_ENUM,
    EXT_PYDANTIC,
    EXT_STRUCT,
    unsendable,
)

#: Classes that only the sending process can know.
_NOWHERE: Final = ("__main__", "__mp_main__")
#: Keys of the state that pydantic gives to pickle.
_PYDANTIC_STATE: Final = frozenset(
    {"__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"}
)
#: State of these lies outside an instance's fields and would be lost.
_BUILTIN_STATE: Final = (
    BaseException, bytes, bytearray, complex, dict, float, frozenset, int, list, set, str, tuple,
)  # fmt: skip


class ClassForm(NamedTuple):
    """
    How instances of one class travel.

    Attributes:
        code: The extension code.
        name: ``module:qualname``.
        state: What of an instance is sent: field values by name, or for an enum one plain value.
    """

    code: int
    name: str
    state: Callable[[Any], Any]


def class_name(cls: type) -> str:
    """The name under which `find_class` looks for the class: ``module:qualname``."""
    return f"{cls.__module__}:{cls.__qualname__}"


def find_class(name: str) -> type | None:
    """
    The class of this name among the modules that are already imported, or None.

    Args:
        name: ``module:qualname``. A module's own ``__getattr__`` and lazy loaders are passed by:
            they could import something.
    """
    module_name, _, qualname = name.partition(":")
    module = sys.modules.get(module_name)
    if module is None or not qualname:
        return None
    try:
        names = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    cls: type | None = None
    for part in qualname.split("."):
        found = names.get(part)
        if not isinstance(found, type):
            return None
        cls, names = found, found.__dict__
    return cls


@lru_cache(maxsize=1024)
def form_of(cls: type) -> ClassForm | None:
    """
    How instances of the class travel, or None for a class of no known kind.

    Raises:
        UnserializableArgument: The kind is known, but a worker could not find the class or could
            not make an instance of it.
    """
    kind = _kind(cls)
    if kind is None:
        return None
    code, state = kind
    name = class_name(cls)
    if cls.__module__ in _NOWHERE:
        raise unsendable(
            f"is of class {cls.__qualname__}, defined in __main__, where no worker finds it",
            "move the class to a module that the worker imports as well",
        )
    if "<locals>" in cls.__qualname__:
        raise unsendable(
            f"is of class {name}, defined inside a function, where no worker finds it",
            "move the class to the top level of its module",
        )
    if find_class(name) is not cls:
        raise unsendable(
            f"is of class {name}, but that name does not lead to its class",
            "give the class the name under which its module holds it",
        )
    return ClassForm(code, name, state)


def revive(code: int, name: Any, state: Any) -> Any:
    """
    Make an instance again.

    Args:
        code: One of `CLASS_CODES`.
        name: ``module:qualname``, if the bytes are ours.
        state: What `ClassForm.state` gave.

    Raises:
        UndecodableJob: The class is not known here, or is of another kind, or refuses the state.
    """
    cls = find_class(name) if type(name) is str else None
    if cls is None:
        raise UndecodableJob(
            f"a value is of class {name!r}, which this process has not imported",
            remedy="import its module where the app is defined",
        )
    kind = _kind(cls)
    if kind is None or kind[0] != code:
        raise UndecodableJob(f"a value is of class {name}, which is not of the kind that was sent")
    return _REVIVERS[code](cls, state)


@lru_cache(maxsize=1024)
def _kind(cls: type) -> tuple[int, Callable[[Any], Any]] | None:
    if issubclass(cls, enum.Enum):
        return EXT_ENUM, _flag_state if issubclass(cls, enum.Flag) else _enum_state
    if issubclass(cls, msgspec.Struct):
        return EXT_STRUCT, _fields_reader(cls.__struct_fields__)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(cls, getattr(pydantic, "BaseModel", ())):
        return EXT_PYDANTIC, lambda value: value.__getstate__()
    if dataclasses.is_dataclass(cls) and not issubclass(cls, _BUILTIN_STATE):
        names = tuple(field.name for field in dataclasses.fields(cls))
        _check_constructor(cls)
        return EXT_DATACLASS, _fields_reader(names)
    return None


def _fields_reader(names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    def read(value: Any) -> dict[str, Any]:
        try:
            return {name: getattr(value, name) for name in names}
        except AttributeError as error:
            raise unsendable(f"has a field without a value: {error}", "set it") from error

    return read


def _check_constructor(cls: type) -> None:
    """Refuse a dataclass that can't be made from its fields."""
    given = {field.name for field in dataclasses.fields(cls) if field.init}
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name not in given and parameter.default is parameter.empty:
            raise unsendable(
                f"is of class {class_name(cls)}, whose constructor needs {parameter.name!r}, "
                "which is not a field",
                f"give {parameter.name!r} a default, or send the fields as a dict",
            )


def _enum_state(value: enum.Enum) -> str:
    if type(value).__members__.get(value.name) is not value:
        raise unsendable(f"is {value!r}, which is no member of its class", "send its value")
    return value.name


def _flag_state(value: enum.Flag) -> Any:
    return value.value


def _revive_enum(cls: type[enum.Enum], state: Any) -> enum.Enum:
    if issubclass(cls, enum.Flag):
        return cls(state)
    member = cls.__members__.get(state)
    if member is None:
        raise UndecodableJob(
            f"enum {class_name(cls)} has no member {state!r} in this process",
            remedy="run workers of at least the version that sent the job",
        )
    return member


def _revive_struct(cls: type[msgspec.Struct], state: dict[str, Any]) -> msgspec.Struct:
    return cls(**state)


def _revive_dataclass(cls: Any, state: dict[str, Any]) -> Any:
    """Run the constructor for what is not a field, then make every field what was sent."""
    made = {field.name: field.init for field in dataclasses.fields(cls)}
    value = cls(**{name: state[name] for name in state if made.get(name, True)})
    for name, sent in state.items():
        if getattr(value, name, None) is not sent:
            object.__setattr__(value, name, sent)
    return value


def _revive_pydantic(cls: Any, state: dict[str, Any]) -> Any:
    if not state.keys() <= _PYDANTIC_STATE or type(state.get("__dict__")) is not dict:
        raise UndecodableJob(
            f"a value of class {class_name(cls)} has a state that is not pydantic's"
        )
    value = cls.__new__(cls)
    value.__setstate__(state)
    return value


_REVIVERS: Final[dict[int, Callable[[Any, Any], Any]]] = {
    EXT_DATACLASS: _revive_dataclass,
    EXT_ENUM: _revive_enum,
    EXT_STRUCT: _revive_struct,
    EXT_PYDANTIC: _revive_pydantic,
}
#: The extension codes that `revive` reads.
CLASS_CODES: Final = frozenset(_REVIVERS)

#: (base classes, what to do instead); the first that fits is told.
_REMEDIES: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((bytearray, memoryview), "send bytes(value)"),
    ((str,), "send str(value)"),
    ((dict,), "send dict(value), and make it this class again in the task"),
    ((list,), "send list(value), and make it this class again in the task"),
    ((tuple,), "send tuple(value), or make the class a dataclass"),
    ((set, frozenset), "send set(value)"),
    ((BaseException,), "send str(value)"),
    ((type,), "send its name"),
)


def refusal(value: Any) -> UnserializableArgument:
    """The error for a value of a class that can't be sent, with what to send instead."""
    cls = type(value)
    name = cls.__qualname__ if cls.__module__ == "builtins" else class_name(cls).replace(":", ".")
    message = f"is of type {name}, which cannot be sent to a worker"
    return unsendable(message, _remedy(value, cls))


def _remedy(value: Any, cls: type) -> str:
    for bases, remedy in _REMEDIES:
        if isinstance(value, bases):
            return remedy
    package = cls.__module__.partition(".")[0]
    if hasattr(cls, "tolist"):
        return "send value.tolist()"
    if hasattr(cls, "to_dict"):
        return "send value.to_dict()"
    if hasattr(cls, "__fspath__"):
        return "send str(value)"
    if hasattr(cls, "fileno"):
        return "send the path or address, and open it in the task"
    if hasattr(cls, "__next__") or hasattr(cls, "__iter__"):
        return "send list(value)"
    if callable(value):
        return "send its name, and look it up in the task"
    if package in ("_thread", "threading", "multiprocessing", "asyncio"):
        return "make it inside the task"
    if hasattr(cls, "_meta") and hasattr(cls, "pk"):
        return "send its primary key, and fetch the row in the task"
    return "send its plain parts, or make its class a dataclass"
