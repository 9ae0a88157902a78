"""The exception of a failed job is rebuilt where its class is known, else told by JobFailed."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest

from beatline.errors import InvalidTrigger, JobFailed, UnserializableArgument
from beatline.payload import ext_hook
from beatline.payload_exceptions import pack_exception, unpack_exception
from tests.payload.shapes import Plain, Refused, Shop, Unprintable


def sent(exc: BaseException) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(pack_exception(exc)), ext_hook=ext_hook)


def raised(exc: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise exc from cause
    except BaseException as caught:  # noqa: BLE001 - what was raised is the result
        return caught


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("bad", (1, 2)),
        KeyError("x"),
        FileNotFoundError(2, "No such file", "a.txt"),
        Plain(),
        Refused(5),
        ImportError("no", name="a", path="b"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        InvalidTrigger("cron is wrong", remedy="mend it"),
        UnserializableArgument("no", path="args[0]", remedy="mend it"),
    ],
    ids=repr,
)
def test_unpack_when_class_is_known_then_the_exception_is_the_same(exc: Exception) -> None:
    got = unpack_exception(sent(exc))

    assert type(exc) is type(got)
    assert str(exc) == str(got)
    assert exc.args == got.args
    assert vars(exc) == vars(got)
    assert exc.__reduce__() == got.__reduce__()


def test_unpack_when_notes_were_added_then_they_are_there() -> None:
    exc = ValueError("bad")
    exc.add_note("in row 5")

    assert ["in row 5"] == unpack_exception(sent(exc)).__notes__


@pytest.mark.parametrize(
    ("exc", "told"),
    [
        (ValueError(Shop()), "ValueError: <"),
        (ValueError("x" * 100_000), "ValueError: xxx"),
        (KeyboardInterrupt("now"), "KeyboardInterrupt: now"),
        (SystemExit(3), "SystemExit: 3"),
        (ExceptionGroup("two", [ValueError("a")]), "ExceptionGroup: two (1 sub-exception)"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_unpack_when_it_cannot_be_rebuilt_then_job_failed_names_it(
    exc: BaseException, told: str
) -> None:
    got = unpack_exception(sent(exc), traceback="Traceback …")

    assert isinstance(got, JobFailed)
    assert "Traceback …" == got.traceback
    assert told in str(got)
    assert len(str(got)) < 11_000


def test_pack_when_str_of_the_exception_raises_then_the_message_says_so() -> None:
    assert "<Unprintable whose str raised RuntimeError>" == sent(Unprintable("x"))["message"]


def test_unpack_when_an_attribute_cannot_be_sent_then_the_class_is_still_right() -> None:
    exc = Refused(5)
    exc.response = Shop()  # type: ignore[attr-defined]

    got = unpack_exception(sent(exc))

    assert isinstance(got, Refused)
    assert 5 == got.code
    assert not hasattr(got, "response")


def test_unpack_when_class_is_unknown_here_then_job_failed_and_nothing_imported() -> None:
    packed = sent(ValueError("x")) | {"type": "this:Missing"}

    got = unpack_exception(packed)

    assert "this.Missing: x" in str(got)
    assert isinstance(got, JobFailed)
    assert "this" not in sys.modules


def test_unpack_when_causes_were_chained_then_they_are_told_in_order() -> None:
    inner = raised(OSError(5, "disk"), KeyError("k"))

    got = unpack_exception(sent(raised(ValueError("outer"), inner)))

    assert "OSError: [Errno 5] disk" == str(got.__cause__)
    assert got.__cause__ is not None
    assert "KeyError: 'k'" == str(got.__cause__.__cause__)


def test_pack_when_causes_go_in_a_circle_then_it_ends() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one

    assert [["builtins:ValueError", "2"]] == pack_exception(one)["causes"]


def test_pack_when_message_has_half_a_surrogate_then_it_is_escaped() -> None:
    assert "\\ud800" == sent(ValueError("\ud800"))["message"]


@pytest.mark.parametrize(
    "packed",
    [
        None,
        [],
        {},
        {"type": 5, "message": None, "args": 1, "state": 2, "causes": 3},
        {"type": "os:system", "message": "", "args": ["false"], "state": {}},
        {"type": "builtins:ValueError", "message": "a", "args": [], "state": {"x": 1}},
        {"type": "builtins:ValueError", "message": "a", "args": ["a"], "state": {1: 1}},
        {"type": "builtins:ValueError", "message": "", "causes": [1, [2], [3, 4]]},
    ],
    ids=repr,
)
def test_unpack_when_the_record_is_not_ours_then_an_exception_is_still_returned(
    packed: Any,
) -> None:
    assert isinstance(unpack_exception(packed), Exception)
