"""
Exceptions of failed jobs on the wire.

The caller of ``result.get()`` gets the exception that the task raised, where its class is known
and can be made again; else a `JobFailed` that names it. As with arguments, no module is ever
imported for it, and only subclasses of ``Exception`` are made: a job cannot send its caller a
``KeyboardInterrupt``. Tracebacks are text and travel beside this form.
"""

from __future__ import annotations

from typing import Any, Final

from beatline.errors import JobFailed, UnserializableArgument
from beatline.payload import plain
from beatline.payload_classes import class_name, find_class
from beatline.payload_types import ENCODER

#: Characters of a message that are kept.
_MAX_MESSAGE: Final = 10_000
#: Characters of each argument's ``repr`` that are kept.
_MAX_REPR: Final = 1_000
#: Arguments whose ``repr`` is kept.
_MAX_REPRS: Final = 20
#: Bytes of the arguments, or of one attribute, above which they are not kept whole: a failed job
#: must not cost more Redis memory than one that succeeded.
_MAX_BYTES: Final = 64 << 10
#: Exceptions of a chain of causes that are kept.
_MAX_CAUSES: Final = 10


def pack_exception(exc: BaseException) -> dict[str, Any]:
    """
    The exception in a form that msgspec's encoder writes; it never raises for what ``exc`` is.

    Returns:
        ``type`` (``module:qualname``), ``message``, ``causes`` (``[type, message]`` pairs, the
        nearest first), ``args`` with ``state`` (those attributes that can be sent), or, where the
        arguments cannot be sent or are larger than 64 KiB, their ``reprs``.
    """
    packed: dict[str, Any] = {
        "type": class_name(type(exc)),
        "message": _text(exc, str, _MAX_MESSAGE),
        "causes": _causes(exc),
    }
    args, state = _parts(exc)
    sent = _sent(args)
    if sent is None:
        return {**packed, "reprs": [_text(part, repr, _MAX_REPR) for part in args[:_MAX_REPRS]]}
    kept = {name: _sent(value) for name, value in state.items() if type(name) is str}
    return {**packed, "args": sent, "state": {n: v for n, v in kept.items() if v is not None}}


def _parts(exc: BaseException) -> tuple[list[Any], dict[Any, Any]]:
    """Arguments and attributes as pickle sees them: an OSError has a file name beside ``args``."""
    # A user's __reduce__ may raise anything; what every exception has is enough then.
    try:
        reduced: Any = exc.__reduce__()
        if reduced[0] is type(exc):
            state = reduced[2] if len(reduced) > 2 else None
            return list(reduced[1]), dict(state or {})
    except Exception:  # noqa: BLE001 - see above
        pass
    return list(exc.args), dict(vars(exc))


def _sent(value: Any) -> Any:
    """The value as it can be sent; None where it cannot be, or is too large."""
    try:
        sent = plain(value)
        return sent if len(ENCODER.encode(sent)) <= _MAX_BYTES else None
    except UnserializableArgument:
        return None


def unpack_exception(packed: Any, *, traceback: str = "") -> Exception:
    """
    An exception to raise in the caller's process.

    Args:
        packed: What `pack_exception` gave, after its way through msgpack.
        traceback: The worker's traceback as text.

    Returns:
        An exception of the original class, or `JobFailed` where that is not known here, is no
        ``Exception``, or would say something else than the original. Its ``__cause__`` tells the
        original's causes as text.
    """
    if type(packed) is not dict:
        return JobFailed("the job failed, and its record cannot be read", traceback=traceback)
    name, message = str(packed.get("type")), str(packed.get("message"))
    failure = _rebuilt(packed, message) or JobFailed(
        _line(name, message),
        traceback=traceback,
        remedy="its class is not known in this process, or cannot be made from its arguments",
    )
    last: BaseException = failure
    for cause in _cause_list(packed):
        last.__cause__ = JobFailed(_line(*cause))
        last = last.__cause__
    return failure


def _rebuilt(packed: dict[str, Any], message: str) -> Exception | None:
    args, state = packed.get("args"), packed.get("state")
    cls = find_class(str(packed.get("type")))
    if type(args) is not list or type(state) is not dict:
        return None
    if cls is None or not issubclass(cls, Exception):
        return None
    for make in (cls, cls.__new__):
        # A user's constructor may raise anything for arguments that are not its own; the next
        # way of making the exception, or JobFailed, is the answer to all of it.
        try:
            made = make(*args) if make is cls else make(cls, *args)
            made.__setstate__(state)
            if type(made) is cls and _text(made, str, _MAX_MESSAGE) == message:
                return made
        except Exception:  # noqa: BLE001 - see above
            continue
    return None


def _causes(exc: BaseException) -> list[list[str]]:
    causes: list[list[str]] = []
    seen = {id(exc)}
    cause = _cause(exc)
    while cause is not None and id(cause) not in seen and len(causes) < _MAX_CAUSES:
        seen.add(id(cause))
        causes.append([class_name(type(cause)), _text(cause, str, _MAX_REPR)])
        cause = _cause(cause)
    return causes


def _cause(exc: BaseException) -> BaseException | None:
    if exc.__cause__ is not None or exc.__suppress_context__:
        return exc.__cause__
    return exc.__context__


def _cause_list(packed: dict[str, Any]) -> list[tuple[str, str]]:
    causes = packed.get("causes")
    if type(causes) is not list:
        return []
    pairs = [cause for cause in causes if type(cause) is list and len(cause) == 2]
    return [(str(name), str(message)) for name, message in pairs[:_MAX_CAUSES]]


def _line(name: str, message: str) -> str:
    shown = name.removeprefix("builtins:").replace(":", ".")
    return f"{shown}: {message}" if message else shown


def _text(value: Any, render: Any, limit: int) -> str:
    """``str`` or ``repr`` of a user's object, which may raise, as text that UTF-8 can hold."""
    try:
        text = str(render(value))
    except Exception as error:  # noqa: BLE001 - reporting a failure must not fail
        text = f"<{type(value).__name__} whose {render.__name__} raised {type(error).__name__}>"
    text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return text.encode("utf-8", "backslashreplace").decode()
