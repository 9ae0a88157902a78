"""The whole machine: every script, in any order, and an end that drains what is left."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from beatline.store.delivering import read_taken
from tests.model.schedule_rules import ScheduleRules
from tests.model.seen import look_at
from tests.model.stage import PLAIN, PLAIN_ACTIONS, Action, Luck
from tests.store.support import LEASE_MS, TTL_MS

#: What some examples have more of than others.
THEMES = (PLAIN, "jobs", "own ids", "hand-off", "deaths", "schedules")
SEEDS = st.binary(min_size=4, max_size=4)


class DeliveryMachine(ScheduleRules):
    """
    All actions, chosen by weight.

    They stand behind one rule of Hypothesis, because it switches rules off at random, every other
    one on average, and without takers or without clients little happens.
    """

    #: The one theme that all examples have; empty for any.
    only_theme: ClassVar = ""

    def __init__(self) -> None:
        super().__init__()
        self.seeds: Counter[bytes] = Counter()

    @initialize(seed=SEEDS, theme=st.sampled_from(THEMES), workers=st.integers(0, 3))
    def begin(self, seed: bytes, theme: str, workers: int) -> None:
        """Most examples begin with workers; each has a theme of its own."""
        self.theme = self.only_theme or theme
        # In the plain ones each listens to one queue: that, too, is part of the short ways.
        for name in (("v", "x") if self.theme == PLAIN else ("w", "v", "x"))[:workers]:
            self.register(Luck(seed), name, 1)

    @rule(seed=SEEDS)
    def act(self, seed: bytes) -> None:
        """Whatever may happen next."""
        names = [name for name, one in ACTIONS.items() if one.when(self)]
        if self.theme == PLAIN:
            names = [name for name in names if name in PLAIN_ACTIONS]
        weights = [self._weight(ACTIONS[name]) for name in names]
        # Hypothesis likes to repeat itself; the same action again and again shows little.
        self.seeds[seed] += 1
        luck = Luck(seed + b"%d" % self.seeds[seed])
        name = luck.choices(names, weights)[0]
        chosen = {word: luck.choice(row) for word, row in ACTIONS[name].options.items()}
        note(f"{name} {chosen}")
        getattr(self, name)(luck, **chosen)

    def _weight(self, one: Action) -> int:
        return one.weight * (3 if one.theme == self.theme else 1)

    def teardown(self) -> None:
        """Let every job end, and count: nothing was lost on its way."""
        if not self.is_sound:
            return
        place = self.partition
        self.books.check_sums(look_at(place.client, place.prefix))
        living = set(self.world.jobs) - set(self.world.dead)
        ended = self._drain()
        left = look_at(place.client, place.prefix)
        # What was in the hands of vanished workers, and must not run twice.
        ended |= {raw_id for raw_id in living if left.results.get(raw_id) == "LOST"}
        assert living == ended, f"never delivered: {living ^ ended}"
        assert set(left.hashed("jobs")) == set(left.scores("dead"))
        assert (left.held, left.offers) == ({}, {})
        assert [] == place.violations()

    def _drain(self) -> set[bytes]:
        """Everybody dies uncharged, and one last worker takes what there is: the ids that end."""
        place, world = self.partition, self.world
        for queue in world.resting_queues:
            entry: Any = place.client.hget(place.key("queues"), queue)
            place.client.hset(place.key("queues"), queue, b"-" + entry[1:])
        place.client.delete(place.key("cancelled"), place.key("unsure"), place.key("deliveries"))
        for worker in world.workers.values():
            for name in worker.consumers:
                place.run("release", worker.name, name, "", "{}", 9, TTL_MS, 0, 0, 0)
        while place.run("reclaim", 100, 9, TTL_MS)[3]:
            pass
        for name in world.schedules:
            place.run("remove_schedule", name, "")
        place.run("register", "last", LEASE_MS, 0, "hand")
        ended: set[bytes] = set()
        ends: tuple[object, ...] = ()
        for number in range(1, 200):
            self.clock.advance(10_000_000)
            place.run("promote", 1_000)
            reply = place.run("settle", "last", "hand", number, "", 2, 0, 0, "p,q", 0, 0, 0, *ends)
            taken = read_taken(reply).deliveries
            ended |= {one.id for one in taken}
            ends = tuple(
                part
                for one in taken
                for part in (one.id, one.fence, "end", "SUCCESS", b"", TTL_MS, 0, "")
            )
            if not taken and not place.client.zcard(place.key("timeline")):
                break
        return ended


#: Every action by name.
ACTIONS: dict[str, Action] = {
    name: method.action
    for name, method in inspect.getmembers(DeliveryMachine)
    if hasattr(method, "action")
}
