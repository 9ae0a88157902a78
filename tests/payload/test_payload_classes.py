"""Instances of users' classes travel by name, and only where a worker can find the class."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from beatline.errors import UndecodableJob, UnserializableArgument
from beatline.payload import dumps, loads
from beatline.payload_classes import class_name, find_class
from beatline.payload_types import EXT_DATACLASS, EXT_ENUM, EXT_STRUCT
from tests.payload import shapes
from tests.payload.pydantic_shapes import Parcel
from tests.payload.shapes import Access, Colour, Doubled, Order, Point, Reading, Seeded, Words


def wire(code: int, name: Any, state: Any) -> bytes:
    inner = msgspec.msgpack.encode([name, state])
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, inner))


@pytest.fixture
def lazy_module() -> Iterator[Any]:
    """A module that would import something if it were asked for a name that it lacks."""
    module: Any = types.ModuleType("lazy_shapes")
    module.asked = []
    module.__getattr__ = module.asked.append
    sys.modules["lazy_shapes"] = module
    yield module
    del sys.modules["lazy_shapes"]


def test_loads_when_dataclass_is_nested_and_frozen_then_it_is_equal() -> None:
    order = Order(1, (Point(Order.Note("x"), Colour.BLUE), Point(1.5)), Colour.SCARLET)

    assert order == loads(dumps(order))


def test_loads_when_constructor_changes_its_arguments_then_the_sent_fields_win() -> None:
    sent = Doubled(5)
    sent.total = 7

    got = loads(dumps(sent))

    assert (10, 7) == (got.amount, got.total)
    assert hasattr(got, "lock")


def test_loads_when_flag_is_combined_then_it_is_the_same_member() -> None:
    assert Access.READ | Access.WRITE is loads(dumps(Access.READ | Access.WRITE))


def test_loads_when_struct_then_it_is_equal() -> None:
    assert Reading(celsius=1.5, at=(1,)) == loads(dumps(Reading(celsius=1.5, at=(1,))))


def test_loads_when_pydantic_model_then_it_is_equal_and_unset_fields_stay_unset() -> None:
    sent = Parcel.model_validate({"size": 3, "extra": "kept"})

    got = loads(dumps(sent))

    assert sent == got
    assert {"size", "extra"} == got.model_fields_set
    assert 1 == got._weighed


def test_dumps_when_a_pydantic_field_cannot_travel_then_its_name_is_in_the_path() -> None:
    with pytest.raises(UnserializableArgument) as caught:
        dumps([Parcel.model_construct(size=len)])

    assert "value[0].size" == caught.value.path


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Seeded(1, 2), "constructor needs 'seed'"),
        (Words("de"), "cannot be sent"),
        (shapes.Shop(), "cannot be sent"),
    ],
    ids=["init-only", "dict-subclass", "ordinary"],
)
def test_dumps_when_instance_would_not_come_back_whole_then_refused(value: Any, why: str) -> None:
    with pytest.raises(UnserializableArgument, match=why):
        dumps(value)


def test_dumps_when_class_is_local_main_or_misnamed_then_refused() -> None:
    @dataclasses.dataclass
    class Local:
        x: int = 1

    in_main = dataclasses.make_dataclass("InMain", ["x"])
    in_main.__module__ = "__main__"
    misnamed = dataclasses.make_dataclass("Misnamed", ["x"])
    misnamed.__module__ = __name__

    with pytest.raises(UnserializableArgument, match="inside a function") as local:
        dumps(Local())
    with pytest.raises(UnserializableArgument, match="defined in __main__"):
        dumps(in_main(1))
    with pytest.raises(UnserializableArgument, match="does not lead to its class"):
        dumps(misnamed(1))
    assert "top level of its module" in local.value.remedy


def test_loads_when_module_is_not_imported_then_undecodable_and_still_not_imported() -> None:
    assert "this" not in sys.modules

    with pytest.raises(UndecodableJob, match="has not imported") as caught:
        loads(wire(EXT_DATACLASS, "this:Zen", {}))

    assert "import its module" in caught.value.remedy
    assert "this" not in sys.modules


def test_find_class_when_module_has_a_getattr_then_it_is_not_called(lazy_module: Any) -> None:
    assert find_class("lazy_shapes:Anything") is None
    assert [] == lazy_module.asked


@pytest.mark.parametrize(
    ("code", "name", "state"),
    [
        (EXT_DATACLASS, "subprocess:Popen", {"args": "true"}),
        (EXT_DATACLASS, "builtins:print", {}),
        (EXT_DATACLASS, "builtins:eval", {}),
        (EXT_DATACLASS, class_name(Colour), {}),
        (EXT_DATACLASS, class_name(Point), {}),
        (EXT_DATACLASS, class_name(Point), {"z": 1}),
        (EXT_DATACLASS, class_name(Point), [1]),
        (EXT_DATACLASS, class_name(Point), {"x": 1, "__class__": 2}),
        (EXT_DATACLASS, "tests.payload.shapes:Order.Missing", {}),
        (EXT_DATACLASS, "tests.payload.shapes", {}),
        (EXT_DATACLASS, 5, {}),
        (EXT_ENUM, class_name(Colour), "GREEN"),
        (EXT_ENUM, class_name(Colour), ["RED"]),
        (EXT_ENUM, class_name(Access), 4096),
        (EXT_ENUM, class_name(Point), "RED"),
        (EXT_STRUCT, class_name(Reading), {"fahrenheit": 1}),
        (EXT_STRUCT, class_name(Point), {"x": 1}),
        (99, "builtins:int", {}),
    ],
    ids=repr,
)
def test_loads_when_class_or_state_is_not_ours_then_undecodable(
    code: int, name: Any, state: Any
) -> None:
    with pytest.raises(UndecodableJob):
        loads(wire(code, name, state))
