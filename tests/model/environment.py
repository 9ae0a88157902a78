"""Who calls: children that keep their contract until they die, and senders."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.model.delivering import SettleCall
from tests.model.world import ModelJob


@dataclass
class Hand:
    """
    One child of a worker, one incarnation, as it knows itself.

    Attributes:
        worker, name, queues: Who it is.
        number: The number of its next call.
        connection: How often it has connected.
        believed: id -> token of what it thinks it holds.
        unanswered: The call whose reply was lost: it is repeated before any other.
        must_ask: What it holds is not certain: its next call asks for everything.
        is_dead: Its process has ended.
        runs_several: It runs several jobs at a time, and waits for more while it holds some.
    """

    worker: str
    name: str
    queues: str
    number: int = 1
    connection: int = 1
    believed: dict[bytes, int] = field(default_factory=dict)
    unanswered: SettleCall | None = None
    must_ask: bool = False
    is_dead: bool = False
    runs_several: bool = False


@dataclass
class Sender:
    """A client's thread: it repeats its last call, with the same number, until it is answered."""

    name: str
    number: int = 0
    last: tuple[tuple[tuple[ModelJob, int], ...], bool] | None = None
    sent_ms: int = 0
