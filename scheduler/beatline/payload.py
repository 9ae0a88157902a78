"""
Arguments and results on the wire: msgpack, in which every value comes back as it was sent.

None, bool, int, float, str, bytes, list and dict with text keys are msgpack's own; such a tree is
passed on untouched, and only looked through. Every other kind that can travel becomes a msgpack
extension; the table of codes stands in `beatline.payload_types`. What cannot come back as it was
is refused when it is sent, with the path to it; docs/arguments.md lists what and why.

Bytes that cannot be read raise `UndecodableJob`, whatever they are. Decoding makes instances of
no class but those of `beatline.payload_classes`, imports nothing, and takes memory in proportion
to the bytes. Exceptions of failed jobs have a form of their own: `beatline.payload_exceptions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from msgspec.msgpack import Decoder, Ext

from beatline.errors import UndecodableJob, UnserializableArgument
from beatline.payload_classes import CLASS_CODES, ClassForm, form_of, refusal, revive
from beatline.payload_nesting import is_too_deep
from beatline.payload_types import (
    DECODERS,
    ENCODER,
    ENCODERS,
    EXT_DICT,
    EXT_ENUM,
    EXT_FROZENSET,
    EXT_PYDANTIC,
    EXT_SET,
    EXT_TUPLE,
    INT_MAX,
    INT_MIN,
    encode_int,
    unsendable,
)

#: Containers inside each other that may be sent. Deeper trees are mistakes more often than data,
#: and recursive code on either side would meet Python's recursion limit.
MAX_DEPTH: Final = 100
#: Levels that a walk may see, with the one that holds the whole.
_LEVELS: Final = MAX_DEPTH + 1
#: Characters of a path that an error shows.
_MAX_PATH: Final = 200

_ATOMS: Final = frozenset({type(None), bool, float, bytes})
_SETS: Final = {set: EXT_SET, frozenset: EXT_FROZENSET}

T_co = TypeVar("T_co", covariant=True)


class _Decodes(Protocol[T_co]):
    def decode(self, buf: bytes | bytearray | memoryview, /) -> T_co: ...


def plain(value: Any, path: str = "value") -> Any:
    """
    The value in a form that msgspec's msgpack encoder writes without losing a type.

    Args:
        value: What a user sends.
        path: What the value is, for errors, such as ``args[0]``.

    Returns:
        The value itself where nothing in it needs converting, else a converted copy.

    Raises:
        UnserializableArgument: Something in it cannot be sent; ``path`` says where it lies.
    """
    if _are_plain((value,), _LEVELS):
        return value
    return _converted(value, path)


def plain_call(
    args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """
    The arguments of one call in the form that `plain` describes.

    Args:
        args: Positional arguments; a tuple or list, written as a msgpack array either way.
        kwargs: Keyword arguments.

    Raises:
        UnserializableArgument: The path begins with ``args[n]`` or ``kwargs["name"]``.
    """
    if _are_plain(args, _LEVELS) and (not kwargs or _is_plain_dict(kwargs, _LEVELS)):
        return args, kwargs
    sent_args = [_converted(value, f"args[{index}]") for index, value in enumerate(args)]
    sent_kwargs: dict[str, Any] = {}
    for name, value in kwargs.items():
        if type(name) is not str or not _is_text(name):
            raise UnserializableArgument(
                f"kwargs has the key {name!r}, which is not the name of an argument",
                path="kwargs",
                remedy="use text as keys of keyword arguments",
            )
        sent_kwargs[name] = _converted(value, f"kwargs{_key_step(name)}")
    return sent_args, sent_kwargs


def dumps(value: Any, path: str = "value") -> bytes:
    """
    The value as msgpack bytes.

    Raises:
        UnserializableArgument: As for `plain`.
    """
    return ENCODER.encode(plain(value, path))


def loads(data: bytes | bytearray | memoryview) -> Any:
    """
    The value that `dumps` was given.

    Raises:
        UndecodableJob: The bytes are not ours, or name a class that this process lacks.
    """
    return decode(_DECODER, data)


def decode(decoder: _Decodes[T_co], data: bytes | bytearray | memoryview) -> T_co:
    """
    Run a msgspec decoder (made with ``ext_hook=payload.ext_hook``) on bytes of unknown origin.

    Raises:
        UndecodableJob: In place of everything that the decoder raises.
    """
    if is_too_deep(data):
        raise UndecodableJob("a record in Redis is nested too deeply")
    try:
        return decoder.decode(data)
    except UndecodableJob:
        raise
    # Bytes of unknown origin may raise anything inside the constructors they name; all of it
    # means the same and goes on as UndecodableJob.
    except Exception as error:
        raise _undecodable(error) from error


def ext_hook(code: int, data: memoryview) -> Any:
    """
    The value of a msgpack extension, for msgspec decoders of records that hold payloads.

    Raises:
        UndecodableJob: The code is unknown, or the bytes are not what it stands for.
    """
    return _HOOKS[0](code, data)


# --- sending: look through -------------------------------------------------------------------


def _are_plain(values: Any, levels: int) -> bool:
    """Whether msgpack holds all of these values as they are, with ``levels`` to go into."""
    for value in values:
        kind = type(value)
        if kind is str:
            if not value.isascii() and not _is_text(value):
                return False
        elif kind is int:
            if not INT_MIN <= value <= INT_MAX:
                return False
        elif kind is list:
            if levels == 1 or not _are_plain(value, levels - 1):
                return False
        elif kind is dict:
            if levels == 1 or not _is_plain_dict(value, levels - 1):
                return False
        elif kind not in _ATOMS:
            return False
    return True


def _is_plain_dict(mapping: Mapping[Any, Any], levels: int) -> bool:
    for key in mapping:
        if type(key) is not str or not (key.isascii() or _is_text(key)):
            return False
    return _are_plain(mapping.values(), levels)


def _is_text(value: str) -> bool:
    """Whether UTF-8 can hold the text; half a surrogate pair it can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- sending: convert ------------------------------------------------------------------------


def _converted(value: Any, path: str) -> Any:
    try:
        return _Conversion().convert(value)
    except UnserializableArgument as refused:
        where = path + refused.path
        shown = where if len(where) <= _MAX_PATH else f"{where[:_MAX_PATH]}…"
        raise UnserializableArgument(
            f"{shown} {refused.message}", path=where, remedy=refused.remedy
        ) from refused.__cause__


def _key_step(key: Any) -> str:
    """The step of a path into a dict; keys whose ``repr`` is not sure to be short are dots."""
    if type(key) is str and _is_text(key):
        return '["' + key.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    is_short = type(key) in _ATOMS or type(key) is str
    is_short = is_short or (type(key) is int and INT_MIN <= key <= INT_MAX)
    return f"[{key!r}]" if is_short else "[…]"


class _Conversion:
    """One walk through a tree; it knows which containers it is inside of."""

    def __init__(self) -> None:
        self._inside: set[int] = set()

    def convert(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            if not value.isascii() and not _is_text(value):
                raise unsendable(
                    "is text with half a surrogate pair, which UTF-8 cannot hold",
                    'send os.fsencode(value), or value.encode("utf-8", "replace").decode()',
                )
            return value
        if kind is int:
            return value if INT_MIN <= value <= INT_MAX else encode_int(value)
        if kind in _ATOMS:
            return value
        encode = ENCODERS.get(kind) or _frozen_time_encoder(kind)
        return encode(value) if encode else self._convert_container(value, kind)

    def _convert_container(self, value: Any, kind: type) -> Any:
        if id(value) in self._inside:
            raise unsendable("contains itself", "send a tree without circles")
        if len(self._inside) >= MAX_DEPTH:
            raise unsendable(
                f"is nested more than {MAX_DEPTH} levels deep",
                "send a flatter value, or its text, such as JSON",
            )
        self._inside.add(id(value))
        try:
            if kind is list:
                return self._items(value)
            if kind is dict:
                return self._dict(value)
            if kind is tuple:
                return Ext(EXT_TUPLE, ENCODER.encode(self._items(value)))
            if kind in _SETS:
                return Ext(_SETS[kind], ENCODER.encode(self._items(value, "{…}")))
            form = form_of(kind)
            if form is None:
                raise refusal(value)
            return self._instance(value, form)
        finally:
            self._inside.discard(id(value))

    def _items(self, values: Any, step: str | None = None) -> list[Any]:
        sent: list[Any] = []
        try:
            for value in values:
                sent.append(self.convert(value))
        except UnserializableArgument as refused:
            refused.path = (step or f"[{len(sent)}]") + refused.path
            raise
        return sent

    def _dict(self, mapping: dict[Any, Any]) -> Any:
        if all(type(key) is str for key in mapping):
            return self._named(mapping, _key_step)
        flat: list[Any] = []
        key: Any = None
        try:
            for key, value in mapping.items():
                flat.append(self.convert(key))
                flat.append(self.convert(value))
        except UnserializableArgument as refused:
            step = _key_step(key) if len(flat) % 2 else f" key {_key_step(key)}"
            refused.path = step + refused.path
            raise
        return Ext(EXT_DICT, ENCODER.encode(flat))

    def _named(self, mapping: dict[str, Any], step: Callable[[str], str]) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        key = ""
        try:
            for key, value in mapping.items():
                sent[self.convert(key)] = self.convert(value)
        except UnserializableArgument as refused:
            refused.path = step(key) + refused.path
            raise
        return sent

    def _instance(self, value: Any, form: ClassForm) -> Ext:
        state = form.state(value)
        if form.code == EXT_ENUM:
            return Ext(form.code, ENCODER.encode((form.name, self.convert(state))))
        if form.code == EXT_PYDANTIC:
            fields = state["__dict__"]
            beside = {key: part for key, part in state.items() if key != "__dict__"}
            sent = self._named(beside, "[{}]".format)
            sent["__dict__"] = self._named(fields, ".{}".format)
        else:
            sent = self._named(state, ".{}".format)
        return Ext(form.code, ENCODER.encode((form.name, sent)))


def _frozen_time_encoder(kind: type) -> Callable[[Any], Ext] | None:
    """What freezegun puts in place of datetime and date is sent as the real ones."""
    if kind.__module__ != "freezegun.api":
        return None
    return next((ENCODERS[real] for real in kind.__mro__ if real in ENCODERS), None)


# --- receiving -------------------------------------------------------------------------------


def _undecodable(error: Exception) -> UndecodableJob:
    return UndecodableJob(
        f"a record in Redis cannot be decoded: {type(error).__name__}: {error}"[:500],
        remedy="it is not one of ours, or its bytes were damaged",
    )


class _Hook:
    """
    `ext_hook` for extensions that lie ``level`` extensions deep.

    Each level has decoders of its own, so that the nesting is bounded by their number and not by
    Python's recursion limit, which a program may have raised beyond its C stack.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._decoder: Decoder[list[Any]] | None = None

    def __call__(self, code: int, data: memoryview) -> Any:
        try:
            read = DECODERS.get(code)
            return read(data) if read else self._revive(code, data)
        except UndecodableJob:
            raise
        # As in `decode`: whatever these bytes raise in a constructor means that they are not ours.
        except Exception as error:
            raise _undecodable(error) from error

    def _revive(self, code: int, data: memoryview) -> Any:
        fill = _FILLERS.get(code)
        if fill is not None:
            return fill(self._items(data))
        if code not in CLASS_CODES:
            raise UndecodableJob(
                f"a value has msgpack extension code {code}, which this version does not know",
                remedy="run workers of at least the version that sent the job",
            )
        name, state = self._items(data)
        return revive(code, name, state)

    def _items(self, data: memoryview) -> list[Any]:
        if self._level + 1 == len(_HOOKS):
            raise UndecodableJob("a value in Redis is nested too deeply")
        if self._decoder is None:
            self._decoder = Decoder(list[Any], ext_hook=_HOOKS[self._level + 1])
        return decode(self._decoder, data)


#: Code of a container -> how it is made from the items.
_FILLERS: Final[dict[int, Callable[[list[Any]], Any]]] = {
    EXT_TUPLE: tuple,
    EXT_SET: set,
    EXT_FROZENSET: frozenset,
    EXT_DICT: lambda flat: dict(zip(flat[::2], flat[1::2], strict=True)),
}
#: One for each level of nesting that can be sent, and a few for what classes add.
_HOOKS: Final = tuple(_Hook(level) for level in range(MAX_DEPTH + 4))
_DECODER: Final[Decoder[Any]] = Decoder(ext_hook=ext_hook)
