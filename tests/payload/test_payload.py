"""Values come back as they were sent, or are refused with the path to what cannot travel."""

from __future__ import annotations

import collections
import io
import sys
import threading
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from freezegun import freeze_time
from hypothesis import given, settings

from beatline.errors import UnserializableArgument
from beatline.payload import MAX_DEPTH, dumps, ext_hook, loads, plain, plain_call
from tests.payload.shapes import Colour, Holder, Mode, Point
from tests.payload.strategies import same, values


class Pair(NamedTuple):
    left: int
    right: int


class Text(str):
    __slots__ = ()


class Rome(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> None:
        return None


def nested(levels: int, leaf: Any = None) -> list[Any]:
    outer: list[Any] = [leaf]
    for _ in range(levels - 1):
        outer = [outer]
    return outer


@settings(max_examples=300, deadline=None)
@given(values)
def test_loads_when_given_what_dumps_wrote_then_value_and_types_are_the_same(value: Any) -> None:
    assert same(value, loads(dumps(value)))


@settings(max_examples=100, deadline=None)
@given(values)
def test_plain_when_embedded_in_a_record_then_the_records_decoder_revives_it(value: Any) -> None:
    record = msgspec.msgpack.encode([1, plain(value), b"end"])

    assert same([1, value, b"end"], msgspec.msgpack.decode(record, ext_hook=ext_hook))


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(1, 1, 1),  # noqa: DTZ001 - a naive one is what is tried
        datetime.max.replace(tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, seconds=7, microseconds=3))),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET")),
        time(2, 30, tzinfo=ZoneInfo("Asia/Kolkata"), fold=1),
        time(23, 59, 59, 999999),
        date(9999, 12, 31),
        timedelta.max,
        timedelta.min,
        Decimal("sNaN"),
        Decimal("1E+999999999"),
        Decimal("-0.000"),
        2**64 - 1,
        2**64,
        -(2**63),
        -(2**63) - 1,
        10**5000,
        -0.0,
        float("nan"),
        complex(-0.0, float("nan")),
        UUID(int=0),
        b"\x00\xff",
        "",
        "\U0010ffff\x00é",
        (),
        ((),),
        [()],
        set(),
        frozenset({frozenset()}),
        {},
        {(1, "a"): {2: None}, None: 1, True: 2},
        {b"key": 1, Mode.FAST: 2},
        Colour.SCARLET,
    ],
    ids=lambda value: repr(value)[:40] if type(value) is not int else hex(value)[:20],
)
def test_loads_when_value_is_at_an_edge_then_it_comes_back(value: Any) -> None:
    assert same(value, loads(dumps(value)))


def test_plain_when_nothing_needs_converting_then_it_is_the_value_itself() -> None:
    value = {"a": [1, 2.5, None, True, "é", b"x", {"b": [2**64 - 1]}]}

    assert plain(value) is value


def test_plain_call_when_nothing_needs_converting_then_both_are_passed_on() -> None:
    args, kwargs = (1, "a"), {"full": True}

    sent = plain_call(args, kwargs)

    assert sent[0] is args
    assert sent[1] is kwargs


def test_plain_call_when_arguments_are_special_then_they_come_back() -> None:
    args, kwargs = ((1, 2), Decimal("1.0")), {"when": date(2026, 1, 1)}

    sent = msgspec.msgpack.encode(plain_call(args, kwargs))

    got = msgspec.msgpack.decode(sent, ext_hook=ext_hook)
    assert same([list(args), kwargs], got)


def test_plain_when_time_is_frozen_then_the_frozen_moment_is_sent_as_a_real_one() -> None:
    with freeze_time("2026-03-01T12:00:00"):
        import datetime as frozen

        moment, day = frozen.datetime.now(UTC), frozen.date.today()  # noqa: DTZ011
        got = loads(dumps([moment, day]))

    assert same([datetime(2026, 3, 1, 12, tzinfo=UTC), date(2026, 3, 1)], got)


@pytest.mark.parametrize(
    ("value", "path", "remedy"),
    [
        (io.StringIO(), "value", "send the path"),
        ([{"user": Holder(photo=threading.Lock())}], 'value[0]["user"].photo', "inside the task"),
        ((i for i in [1]), "value", "send list(value)"),
        ([1, (2, {3, len})], "value[1][1]{…}", "send its name"),
        ({"a": "\ud800"}, 'value["a"]', "fsencode"),
        ({"a\ud800": 1}, "value['a\\ud800']", "fsencode"),
        ({(1, len): 1}, "value key […][1]", "send its name"),
        ({1: {"x": len}}, 'value[1]["x"]', "send its name"),
        (collections.OrderedDict(a=1), "value", "send dict(value)"),
        (collections.defaultdict(list), "value", "send dict(value)"),
        (collections.deque([1]), "value", "send list(value)"),
        (Pair(1, 2), "value", "send tuple(value)"),
        (Text("a"), "value", "send str(value)"),
        (bytearray(b"a"), "value", "send bytes(value)"),
        (Path("/etc"), "value", "send str(value)"),
        (range(3), "value", "send list(value)"),
        (ValueError("x"), "value", "send str(value)"),
        (Point, "value", "send its name"),
        (sys, "value", "plain parts"),
        (object(), "value", "make its class a dataclass"),
        (datetime(2026, 1, 1, tzinfo=Rome()), "value", "zoneinfo.ZoneInfo"),
        ([nested(MAX_DEPTH)], f"value{'[0]' * MAX_DEPTH}", "flatter"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_plain_when_value_cannot_travel_then_path_and_remedy_are_told(
    value: Any, path: str, remedy: str
) -> None:
    with pytest.raises(UnserializableArgument) as caught:
        plain(value)

    assert path == caught.value.path
    assert remedy in caught.value.remedy
    assert len(caught.value.message) < 400


def test_plain_call_when_an_argument_cannot_travel_then_path_begins_with_its_place() -> None:
    with pytest.raises(UnserializableArgument) as positional:
        plain_call((1, {"user": Holder(len)}), {})
    with pytest.raises(UnserializableArgument) as keyword:
        plain_call((), {"x": [0, 1, 2, len]})
    with pytest.raises(UnserializableArgument) as key:
        plain_call((), {1: 2})  # type: ignore[dict-item]

    assert 'args[1]["user"].photo' == positional.value.path
    assert 'kwargs["x"][3]' == keyword.value.path
    assert "kwargs" == key.value.path


def test_plain_when_value_contains_itself_then_it_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = [circle]

    with pytest.raises(UnserializableArgument, match="contains itself") as caught:
        plain(circle)

    assert 'value["a"][0]' == caught.value.path


def test_plain_when_a_value_is_shared_but_not_circular_then_it_is_sent() -> None:
    shared = (1, 2)

    assert [shared, [shared]] == loads(dumps([shared, [shared]]))


@pytest.mark.parametrize("leaf", [None, (1,)])
def test_dumps_when_nested_to_the_limit_then_it_comes_back(leaf: Any) -> None:
    value = nested(MAX_DEPTH if leaf is None else MAX_DEPTH - 1, leaf)

    assert value == loads(dumps(value))


def test_dumps_when_every_level_is_a_tuple_then_the_limit_is_the_same() -> None:
    value: Any = ()
    for _ in range(MAX_DEPTH - 1):
        value = (value,)

    assert value == loads(dumps(value))
    with pytest.raises(UnserializableArgument, match="nested more than 100 levels"):
        dumps((value,))


def test_plain_when_nested_ten_thousand_deep_then_refused_without_recursion_error() -> None:
    with pytest.raises(UnserializableArgument, match="nested more than 100 levels"):
        plain(nested(10_000))
