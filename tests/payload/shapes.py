"""Classes that the payload tests send: importable, as users' classes must be."""

from __future__ import annotations

import enum
import threading
from dataclasses import InitVar, dataclass, field
from typing import Any

import msgspec


class Colour(enum.Enum):
    RED = "r"
    BLUE = ("b", 2)
    #: An alias: it comes back as RED.
    SCARLET = "r"  # noqa: PIE796 - an alias is the point


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Point:
    x: Any
    y: Any = 0


@dataclass(frozen=True, slots=True)
class Order:
    id: int
    lines: tuple[Point, ...] = ()
    colour: Colour = Colour.RED

    @dataclass
    class Note:
        text: str


@dataclass
class Doubled:
    """Its constructor changes what it is given: what was sent must still come back."""

    amount: int
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.amount *= 2
        self.lock = threading.Lock()


@dataclass
class Seeded:
    """Cannot be made from its fields."""

    value: int
    seed: InitVar[int]


@dataclass
class Holder:
    photo: Any


@dataclass
class Words(dict):  # type: ignore[type-arg]
    """What it holds as a dict is not in its fields."""

    language: str = "en"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    celsius: float
    at: Any = None


class Shop:
    """Neither a dataclass nor known in any other way."""


class Refused(Exception):  # noqa: N818 - not one of ours
    """Its constructor takes something else than its ``args``."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with code {code}")
        self.code = code


class Plain(Exception):  # noqa: N818 - as above
    pass


class Unprintable(Exception):  # noqa: N818 - as above
    def __str__(self) -> str:
        raise RuntimeError("no text")
