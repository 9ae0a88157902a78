"""What supervisors and beats do to workers; and how time passes."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from beatline.store.burying import OFFER_AGE_MS
from beatline.store.leasing import (
    Reclaimed,
    Renewal,
    give_back,
    leave,
    reclaim,
    register,
    release,
    renew,
)
from tests.model.delivering import SettleCall
from tests.model.delivery_rules import DeliveryRules
from tests.model.environment import Hand
from tests.model.leasing import (
    expect_give_back,
    expect_leave,
    expect_reclaim,
    expect_register,
    expect_release,
    expect_renew,
    expect_withdraw,
)
from tests.model.scheduling import expect_elect, expect_report, expect_resign
from tests.model.seen import Seen
from tests.model.stage import PLAIN, QUEUES, Luck, action
from tests.model.world import MAX_DELIVERIES
from tests.store.support import TTL_MS

#: Workers that there are, and what each listens to.
WORKERS = {"v": "q", "w": "q,p", "x": "p"}
LEASES_MS = (3_000, 15_000)


class SupervisorRules(DeliveryRules):
    """Workers come, live, die, and are taken apart."""

    def __init__(self) -> None:
        super().__init__()
        #: Workers that do not renew.
        self.silent: set[str] = set()

    # --- supervisors ----------------------------------------------------------------------------

    @action(5, "deaths", name=sorted(WORKERS), more=range(3))
    def register(self, luck: Luck, name: str, more: int) -> None:
        """A worker enters the books with its living children, or adds some."""
        unknown = sorted(WORKERS.keys() - self.world.workers.keys())
        name = luck.choice(unknown) if unknown and luck.random() < 0.7 else name
        self.silent.discard(name)
        lease_ms = luck.choice(LEASES_MS)
        about = {"queues": WORKERS[name]}
        if name == "v":
            about |= {"tasks": '["app.noop"]', "max_deliveries": "2"}
        living = [hand for hand in self.hands if hand.worker == name and not hand.is_dead]
        for _ in range(more if living else more + 1):
            hand = Hand(name, f"{name}{len(self.hands)}", WORKERS[name])
            hand.runs_several = luck.random() < 0.3
            self.hands.append(hand)
            living.append(hand)
        names = [hand.name for hand in living]
        place = self.partition

        def expect(answer: bool, _: Seen) -> None:
            assert expect_register(self.world, name, lease_ms, about, names) == answer

        self.step(
            "register",
            lambda: register(place.connection, place.prefix, name, lease_ms, about, names),
            expect,
        )

    @action(6, "deaths", name=sorted(WORKERS), compares=(False, True))
    def renew(self, luck: Luck, name: str, compares: bool) -> None:
        """A heartbeat, with or without the list of what the children say they run."""
        worker = self.world.workers.get(name)
        lease_ms = worker.lease_ms if worker is not None else LEASES_MS[0]
        listed = None
        if compares:
            known = [pair for hand in self._children(name) for pair in hand.believed.items()]
            listed = luck.some(known)
        place = self.partition

        def expect(answer: Renewal, _: Seen) -> None:
            expect_renew(self.world, name, lease_ms, listed, answer)
            for hand in self._children(name):
                for raw_id in answer.lost:
                    hand.believed.pop(raw_id, None)

        self.step(
            "renew",
            lambda: renew(place.connection, place.prefix, name, lease_ms, listed),
            expect,
        )

    @action(5, "deaths", lambda self: any(not hand.is_dead for hand in self.hands))
    def kill(self, luck: Luck) -> None:
        """A child dies; nobody knows yet, and what it sent last may still arrive."""
        living = [hand for hand in self.hands if not hand.is_dead]
        holding = [hand for hand in living if hand.believed]
        luck.choice(holding if holding and luck.random() < 0.7 else living).is_dead = True

    @action(
        10, "deaths", lambda self: any(hand.is_dead for hand in self.hands), has_run=(False, True)
    )
    def release(self, luck: Luck, has_run: bool) -> None:
        """A death is certain: the supervisor settles, charges and returns; also a second time."""
        dead = [hand for hand in self.hands if hand.is_dead]
        holding = [hand for hand in dead if self.world.holdings(hand.worker, hand.name)]
        hand = luck.choice(holding if holding and luck.random() < 0.7 else dead)
        mine = list(hand.believed.items())
        ended = luck.some(mine)
        rest = [pair for pair in mine if pair not in ended]
        ran = luck.some(rest) or rest[:1]
        charged = [fence for _, fence in ran] if has_run and self.theme != PLAIN else []
        call = SettleCall(
            *(hand.worker, hand.name, 0, 0, hand.queues),
            tuple(self._settlement(luck, pair) for pair in ended),
        )
        place = self.partition

        def expect(answer: int, seen: Seen) -> None:
            wanted = expect_release(self.world, call, charged, MAX_DELIVERIES, seen)
            assert wanted == answer

        self.step(
            "release",
            lambda: release(
                place.connection,
                place.prefix,
                hand.worker,
                hand.name,
                charged_fences=charged,
                forensics="{}",
                max_deliveries=MAX_DELIVERIES,
                result_ttl_ms=TTL_MS,
                settlements=call.settlements,
            ),
            expect,
        )

    @action(
        4,
        "deaths",
        lambda self: any(hand.believed for hand in self.hands if not hand.is_dead),
        is_bounded=(False, True),
    )
    def give_back(self, luck: Luck, is_bounded: bool) -> None:
        """A job overstays: the child was told not to go on, and what lies behind it goes back."""
        hand = luck.choice([hand for hand in self.hands if not hand.is_dead and hand.believed])
        after = luck.choice([0, *sorted(hand.believed.values())])
        up_to = max(hand.believed.values()) if is_bounded else None
        who = (hand.worker, hand.name)
        place = self.partition

        def expect(answer: int, seen: Seen) -> None:
            wanted = expect_give_back(self.world, who, after, up_to, seen)
            assert wanted == answer

        self.step(
            "give_back",
            lambda: give_back(
                *(place.connection, place.prefix, hand.worker, hand.name, after, TTL_MS),
                up_to_fence=up_to,
            ),
            expect,
        )
        hand.believed = {
            raw_id: fence
            for raw_id, fence in hand.believed.items()
            if fence <= after or (up_to is not None and fence > up_to)
        }

    @action(1, "deaths", name=sorted(WORKERS))
    def leave(self, luck: Luck, name: str) -> None:
        """A worker that has stopped goes off the books, unless it holds something."""
        place = self.partition

        def expect(answer: int, _: Seen) -> None:
            assert expect_leave(self.world, name) == answer

        self.step("leave", lambda: leave(place.connection, place.prefix, name), expect)

    @action(
        2,
        "deaths",
        lambda self: self.told,
        kind=("progress", "checkpoints", "unsure"),
        value=(b"1", b"half"),
    )
    def report(self, luck: Luck, kind: str, value: bytes) -> None:
        """A body tells something of itself, perhaps long after its delivery was taken away."""
        name, raw_id, fence = luck.choice(self.told[-6:])
        who = (self.hand_named(name).worker, name)

        def send() -> bool:
            try:
                self.partition.run("report", *who, raw_id, fence, kind, value)
            except ResponseError as error:
                if not str(error).startswith("LEASELOST"):
                    raise
                return False
            return True

        def expect(answer: bool, _: Seen) -> None:
            assert expect_report(self.world, who, raw_id, fence, kind, value) == answer

        self.step("report", send, expect)

    def _children(self, worker: str) -> list[Hand]:
        return [hand for hand in self.hands if hand.worker == worker and not hand.is_dead]

    # --- beats ----------------------------------------------------------------------------------

    @action(4, "deaths", gap_ms=(0, 700, 1_000, 2_000, 2_000, 2_001, 60_000), limit=(1, 2, 100))
    def tick(self, luck: Luck, gap_ms: int, limit: int) -> None:
        """A beat observes, after a while, and takes back what the dead held."""
        self._renew_the_living()
        self.clock.advance(gap_ms)
        self._reclaim(limit)

    @action(4, "deaths", lambda self: self.world.workers)
    def fall_silent(self, luck: Luck) -> None:
        """A supervisor stops, or goes on; the others renew while beats watch."""
        self.silent ^= {luck.choice(sorted(self.world.workers))}

    def _renew_the_living(self) -> None:
        world = self.world
        for name in sorted(world.workers.keys() - self.silent):
            worker = world.workers[name]
            if worker.gone_ms is None and worker.deadline_ms < world.watched_ms + 2_000:
                self.renew(Luck(), name, compares=False)

    @action(3, "deaths", times=range(2, 5), limit=(1, 100))
    def watch_for_long(self, luck: Luck, times: int, limit: int) -> None:
        """Beats observe while nobody else does anything."""
        for _ in range(times):
            self._renew_the_living()
            self.clock.advance(2_000)
            self._reclaim(limit)

    def _reclaim(self, limit: int) -> None:
        place = self.partition

        def expect(answer: Reclaimed, seen: Seen) -> None:
            expect_reclaim(self.world, limit, MAX_DELIVERIES, answer, seen)

        self.step(
            "reclaim",
            lambda: reclaim(
                place.connection,
                place.prefix,
                limit=limit,
                max_deliveries=MAX_DELIVERIES,
                result_ttl_ms=TTL_MS,
            ),
            expect,
        )

    @action(3, "hand-off", gap_ms=(0, 999, 1_000), most=(100, 100, 1))
    def withdraw(self, luck: Luck, gap_ms: int, most: int) -> None:
        """A beat puts back what nobody has opened, and keeps dead letters within their bounds."""
        self.clock.advance(gap_ms)

        def expect(answer: list[int], seen: Seen) -> None:
            withdrawn, dropped = expect_withdraw(self.world, most, 10**9, seen)
            assert [withdrawn, len(dropped)] == answer

        send = self.run("withdraw", OFFER_AGE_MS, TTL_MS, most, 10**9)
        self.step("withdraw", send, expect)

    @action(1, "schedules", beat=("b0", "b1"), resigns=(False, False, True))
    def elect(self, luck: Luck, beat: str, resigns: bool) -> None:
        """Beats lead and stand by; the term rises with each change."""
        if resigns:
            self.step(
                "resign", self.run("resign", beat), lambda *_: expect_resign(self.world, beat)
            )
            return

        def expect(answer: list[bytes], _: Seen) -> None:
            leads, term, leader = expect_elect(self.world, beat, 1_500)
            word = b"LEADER" if leads else b"STANDBY"
            assert [word, b"%d" % term, leader.encode()] == answer[:3]

        self.step("elect", self.run("elect", beat, 1_500, "{}"), expect)

    @action(1, "schedules")
    def mend_nudges(self, luck: Luck) -> None:
        """Nothing is wrong with beat's nudges: nothing changes."""
        self.step("mend_nudges", self.run("mend_nudges"), lambda *_: None)

    # --- the world around -----------------------------------------------------------------------

    @action(5, "jobs", gap_ms=(0.5, 3, 1_000, 6_000, -2_000, 3_600_000, -3_600_000))
    def let_time_pass(self, luck: Luck, gap_ms: float) -> None:
        """The server's clock moves, also back."""
        self.clock.advance(gap_ms)

    @action(2, "own ids", lambda self: self.world.results)
    def forget_result(self, luck: Luck) -> None:
        """A result's time is over."""
        raw_id = luck.choice(sorted(self.world.results))
        del self.world.results[raw_id]
        self.partition.client.delete(self.partition.key(b"result:" + raw_id))
        if raw_id not in self.world.jobs:
            self.books.note_expired(raw_id)

    @action(2, "hand-off", queue=QUEUES)
    def rest_or_go_on(self, luck: Luck, queue: str) -> None:
        """A queue is paused, or resumed."""
        client, key = self.partition.client, self.partition.key("queues")
        entry: Any = client.hget(key, queue) or b"-"
        self.world.resting_queues ^= {queue}
        mark = b"P" if queue in self.world.resting_queues else b"-"
        client.hset(key, queue, mark + entry[1:])
