"""The stage of one example: a real partition, the model beside it, and a look at both."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from beatline.job import FLAG_IGNORE_RESULT, FLAG_OWN_ID, FLAG_SKIP_UNSURE, record_body, record_head
from beatline.store.invariants import violations_in
from tests.model.books import Books
from tests.model.comparing import adopt_choices, differences
from tests.model.environment import Hand, Sender
from tests.model.seen import Seen, look_at
from tests.model.world import ModelJob, World
from tests.store.support import START_US, Partition, make_id

T = TypeVar("T")

QUEUES = ("p", "q")
#: Of each queue; one that has one only is where the scripts take short ways.
PRIORITIES = {"p": (4,), "q": (4, 4, 9)}
BODY = record_body("app.noop", [], {})
#: Callers' own ids, also one as long as ours.
OWN_IDS = (b"order-1", b"order-2", b"sixteen-bytes-id")
#: Flags of jobs of ours; nothing kept is what most have.
FLAGS = (FLAG_IGNORE_RESULT, FLAG_IGNORE_RESULT, 0, 0, FLAG_SKIP_UNSURE)


class Luck(random.Random):
    """
    The choices within one action.

    Hypothesis draws its seed and not each choice: Redis picks idle consumers at random, so what
    there is to choose from differs between two runs of the same example.
    """

    def some(self, row: Sequence[T]) -> list[T]:
        """None, some or all of these, in another order."""
        return self.sample(row, self.randrange(len(row) + 1))


#: The theme of examples in which nothing leaves a mark, so that scripts take their short ways.
PLAIN = "plain"
#: What may happen in them.
PLAIN_ACTIONS = (
    *("enqueue_ours", "enqueue_again", "settle", "settle_out_of_order", "open_offer", "promote"),
    *("register", "kill", "release", "give_back", "let_time_pass", "tick", "watch_for_long"),
    *("fall_silent", "withdraw"),
)


@dataclass(frozen=True)
class Action:
    """
    Something that may happen next.

    Attributes:
        weight: How often, beside the others.
        theme: The examples of which theme have more of it.
        when: Whether it may happen now.
        options: What its arguments are chosen from.
    """

    weight: int
    theme: str
    when: Callable[[Any], object]
    options: Mapping[str, Sequence[Any]]


def action(
    weight: int,
    theme: str,
    when: Callable[[Any], object] = lambda _: True,
    **options: Sequence[Any],
) -> Callable[[T], T]:
    """Mark a method as an action; the machine's one rule chooses among them by weight."""

    def mark(method: T) -> T:
        method.action = Action(weight, theme, when, options)  # type: ignore[attr-defined]
        return method

    return mark


class Stage(RuleBasedStateMachine):
    """
    What all rules share.

    Attributes:
        partition: The real one; set by the test, emptied for each example.
        called: Names of all scripts that any example has called.
    """

    partition: ClassVar[Partition]
    called: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.partition.client.flushdb()
        self.clock = self.partition.clock
        self.clock.now_us = START_US
        self.world = World()
        self.books = Books()
        self.hands: list[Hand] = []
        #: (consumer's name, id, token) of everything that anybody was ever told.
        self.told: list[tuple[str, bytes, int]] = []
        self.senders = [Sender("s0"), Sender("s1")]
        self.made = 0
        #: What this example has more of than others.
        self.theme = ""
        #: Whether the last step ended well.
        self.is_sound = True

    # --- calls ----------------------------------------------------------------------------------

    def step(self, name: str, send: Callable[[], T], expect: Callable[[T, Seen], object]) -> T:
        """Call a script, let the model follow, and compare everything."""
        self.called.add(name)
        self.world.now_us = self.clock.now_us
        self.is_sound = False
        self.world.nudged = False
        answer = send()
        seen = look_at(self.partition.client, self.partition.prefix)
        expect(answer, seen)
        adopt_choices(self.world, seen)
        found = differences(self.world, seen)
        assert not found, f"after {name}: expected and found differ: {found}"
        self.books.note(name, self._look(), seen)
        assert [] == list(violations_in(seen.snapshot))
        self.is_sound = True
        return answer

    def run(self, name: str, *arguments: Any) -> Callable[[], Any]:
        """A call to be sent later."""
        return lambda: self.partition.run(name, *arguments)

    def _look(self) -> dict[bytes, str]:
        """States by look.lua, which must be those of the model; with token, due and counts."""
        world = self.world
        ids = sorted({*world.jobs, *world.results, *self.books.states})
        states: dict[bytes, str] = {}
        for raw_id, found in zip(ids, self.partition.run("look", 0, *ids), strict=True):
            states[raw_id] = found[0].decode()
            assert world.state_of(raw_id) == states[raw_id], f"{raw_id!r} is {states[raw_id]}"
            if raw_id in world.held:
                holding = world.held[raw_id]
                entry = f"{holding.consumer}:{holding.fence}".encode()
                assert [holding.worker.encode(), entry] == found[4:6]
            if raw_id in world.timeline:
                assert world.timeline[raw_id] == float(found[3])
        self.called.add("look")
        return states

    # --- values ---------------------------------------------------------------------------------

    def new_job(self, raw_id: bytes | None, queue: str, priority: int, flags: int) -> ModelJob:
        """A job that nobody has sent yet: ours, or with its caller's own id."""
        if raw_id is None:
            self.made += 1
            raw_id = make_id(self.made)
        else:
            flags |= FLAG_OWN_ID
        record = record_head(queue, priority, flags) + BODY
        return ModelJob(raw_id, queue, priority, flags, record)

    def some_ids(self) -> list[bytes]:
        """Ids that somebody may ask for: all that live, and some that have ended."""
        world = self.world
        ended = sorted(world.results.keys() - world.jobs.keys())
        return [*sorted(world.jobs), *ended[-3:], b"nobody"]

    def hand_named(self, name: str) -> Hand:
        """The child behind a consumer's name."""
        return next(hand for hand in self.hands if hand.name == name)
