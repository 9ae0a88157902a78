"""What clients, children and beats do to jobs, with lost replies and late calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from beatline.store.delivering import Settlement, Taken, arguments_of, read_offer, read_taken
from beatline.store.enqueuing import Enqueued, read_enqueued
from beatline.store.promoting import Promoted, promote
from tests.model.delivering import (
    SettleCall,
    expect_enqueue,
    expect_promote,
    expect_settle,
    refusal_of,
)
from tests.model.environment import Hand, Sender
from tests.model.seen import Seen
from tests.model.stage import FLAGS, OWN_IDS, PLAIN, PRIORITIES, QUEUES, Luck, Stage, action
from tests.model.world import ModelJob
from tests.store.support import TTL_MS

#: How a run may end.
OUTCOMES = (
    *("end SUCCESS", "end SUCCESS", "end SUCCESS", "end FAILURE", "end EXPIRED", "retry", "retry"),
    *("return", "unknown", "bury"),
)
#: How long a call may be repeated: senders are forgotten after an hour, ms.
REPEATABLE_MS = 3_000_000


class DeliveryRules(Stage):
    """Jobs come, wait, are taken, and end."""

    # --- clients --------------------------------------------------------------------------------

    @action(10, "jobs", count=range(1, 4), wait=(0, 0, 0, 1, 5_000, -9))
    def enqueue_ours(self, luck: Luck, count: int, wait: int) -> None:
        due_ms = wait and self.clock.now_ms + wait
        jobs = []
        for _ in range(count):
            queue = luck.choice(QUEUES)
            priority = 4 if self.theme == PLAIN else luck.choice(PRIORITIES[queue])
            jobs.append((self.new_job(None, queue, priority, luck.choice(FLAGS)), due_ms))
        self._send_new(luck.choice(self.senders), tuple(jobs), is_checked=False)

    @action(5, "own ids", wait=(0, 0, 5_000))
    def enqueue_own(self, luck: Luck, wait: int) -> None:
        ids = luck.choices(OWN_IDS, k=luck.choice((1, 2, 3)))
        jobs = [
            (
                self.new_job(one, luck.choice(QUEUES), 4, luck.choice(FLAGS)),
                wait and self.clock.now_ms + wait,
            )
            for one in ids
        ]
        self._send_new(luck.choice(self.senders), tuple(jobs), is_checked=True)

    @action(3, "own ids", back=(0, 0, 0, 1))
    def enqueue_again(self, luck: Luck, back: int) -> None:
        """A reply was lost: the call is repeated, or arrives once more after a later one."""
        sender = luck.choice(self.senders)
        if sender.last is None or abs(self.clock.now_ms - sender.sent_ms) > REPEATABLE_MS:
            return
        jobs, is_checked = sender.last
        self._enqueue(sender, max(sender.number - back, 1), jobs, is_checked)

    def _send_new(
        self, sender: Sender, jobs: tuple[tuple[ModelJob, int], ...], *, is_checked: bool
    ) -> None:
        sender.number += 1
        sender.last, sender.sent_ms = (jobs, is_checked), self.clock.now_ms
        self._enqueue(sender, sender.number, jobs, is_checked)
        assert not self.world.nudged or self.partition.client.delete(
            self.partition.key("wake:beat")
        )

    def _enqueue(
        self,
        sender: Sender,
        number: int,
        jobs: tuple[tuple[ModelJob, int], ...],
        is_checked: bool,
    ) -> None:
        arguments: list[Any] = [sender.name, number, "1" if is_checked else "0"]
        for job, due_ms in jobs:
            arguments += (job.id, str(due_ms), job.record)

        def expect(answer: Any, seen: Seen) -> None:
            got: Enqueued = read_enqueued(answer)
            fresh = [(replace(job, notes={}), due_ms) for job, due_ms in jobs]
            wanted = expect_enqueue(self.world, (sender.name, number), fresh, is_checked, seen)
            assert wanted == ("REPEATED" if got.repeated else "OK", got.refused)

        self.step("enqueue", self.run("enqueue", *arguments), expect)

    # --- beats ----------------------------------------------------------------------------------

    @action(8, "jobs", limit=(500, 500, 1, 2))
    def promote(self, luck: Luck, limit: int) -> None:
        def expect(got: Promoted, seen: Seen) -> None:
            moved, next_ms, schedules = expect_promote(self.world, limit, seen)
            assert (moved, next_ms, schedules) == (got.moved, got.next_due_ms, got.schedules)

        place = self.partition
        self.step("promote", lambda: promote(place.connection, place.prefix, limit), expect)

    # --- children -------------------------------------------------------------------------------

    @action(
        24,
        "jobs",
        lambda self: any(not hand.is_dead for hand in self.hands),
        limit=(0, 1, 1, 1, 2, 3, 10),
        is_lost=(False, False, False, True),
    )
    def settle(self, luck: Luck, limit: int, is_lost: bool) -> None:
        """A child ends what it has run, and takes what comes next."""
        living = [hand for hand in self.hands if not hand.is_dead]
        able = [hand for hand in living if self._may_take(hand)]
        hand = luck.choice(able if able and luck.random() < 0.8 else living)
        call = hand.unanswered or self._usual_call(luck, hand, limit)
        self._settle(hand, call, is_lost=is_lost)

    @action(
        8,
        "deaths",
        lambda self: self.hands,
        number=(-1, 0, 0, 1, 1, 2),
        connection=(-1, 0, 0, 1),
        limit=(0, 1, 3),
    )
    def settle_out_of_order(self, luck: Luck, number: int, connection: int, limit: int) -> None:
        """
        A call out of an old socket's buffer, of whoever sent it: alive, killed or struck.

        It ends whatever the consumer was once told, and asks for more.
        """
        hand = luck.choice(self.hands)
        known = [(raw_id, fence) for name, raw_id, fence in self.told if name == hand.name]
        pairs = luck.some(known)[:3]
        others = [(raw_id, fence) for name, raw_id, fence in self.told if name != hand.name]
        pairs += luck.some(others)[:1]
        if self.theme == PLAIN:
            pairs, limit = pairs[:1], 1
        call = SettleCall(
            *(hand.worker, hand.name, max(hand.number - 1 + number, 0)),
            *(max(hand.connection + connection, 0), hand.queues),
            tuple(self._settlement(luck, pair) for pair in dict.fromkeys(pairs)),
            limit=limit,
            tells_all=hand.must_ask or luck.random() < (0.1 if self.theme == PLAIN else 0.5),
            runs_several=hand.runs_several,
        )
        self._settle(hand, replace(call, holding=self._still_held(call)), is_lost=False)

    def _may_take(self, hand: Hand) -> bool:
        worker = self.world.workers.get(hand.worker)
        return (
            self.world.is_alive(hand.worker)
            and worker is not None
            and (hand.name in worker.consumers)
        )

    def _usual_call(self, luck: Luck, hand: Hand, limit: int) -> SettleCall:
        ended = [
            self._settlement(luck, pair)
            for pair in hand.believed.items()
            if luck.choice((False, True))
        ]
        call = SettleCall(
            *(hand.worker, hand.name, hand.number, hand.connection, hand.queues),
            *(tuple(ended), limit),
            tells_all=hand.must_ask,
            runs_several=hand.runs_several,
        )
        # What it holds for certain; more than there is where a job was taken away meanwhile.
        holding = max(len(hand.believed) - len(ended), self._still_held(call))
        return replace(call, holding=holding)

    def _still_held(self, call: SettleCall) -> int:
        """How many jobs the consumer knows of and keeps."""
        ended = {one.id for one in call.settlements}
        mine = self.world.holdings(call.worker, call.consumer)
        fences = {one.fence for one in call.settlements}
        return sum(
            raw_id not in self.world.unopened and not (raw_id in ended and one.fence in fences)
            for raw_id, one in mine
        )

    def _settlement(self, luck: Luck, pair: tuple[bytes, int]) -> Settlement:
        outcomes = OUTCOMES[:4] if self.theme == PLAIN else OUTCOMES
        outcome, _, state = luck.choice(outcomes).partition(" ")
        job = self.world.jobs.get(pair[0])
        if state == "SUCCESS" and (job is None or job.is_plain) and luck.choice((False, True)):
            outcome = "keep" if job is None or job.keeps_result else "ack"
        delay_ms = luck.choice((0, 1_000)) if outcome in ("retry", "unknown") else 0
        ttl_ms = 2_000 if outcome == "unknown" else TTL_MS
        body = b'{"task": "app.noop"}'
        return Settlement(*pair, outcome, state, body, ttl_ms, delay_ms, "w 1")

    def _settle(self, hand: Hand, call: SettleCall, *, is_lost: bool) -> None:
        flags = ("s" if call.tells_all else "") + ("i" if call.goes_idle else "")
        flags += "h" if call.runs_several else ""
        arguments = (
            *(call.worker, call.consumer, call.number, flags, call.limit, call.connection),
            *(call.holding, call.queues, *arguments_of(call.settlements)),
        )
        world = self.world

        def send() -> Taken | str:
            try:
                return read_taken(self.partition.run("settle", *arguments))
            except ResponseError as error:
                word = str(error).partition(" ")[0]
                if word not in ("LEASELOST", "SKIPPED"):
                    raise
                return word

        def expect(answer: Taken | str, seen: Seen) -> None:
            refusal = refusal_of(world, call)
            assert refusal == (answer if isinstance(answer, str) else None), answer
            if isinstance(answer, str):
                return
            if not answer.repeated:
                pairs = [(one.id, one.fence) for one in call.settlements]
                self.books.note_accepted(pair for pair in pairs if pair[0] not in answer.stale)
            expect_settle(world, call, answer, seen)

        answer = self.step("settle", send, expect)
        self._hear(hand, call, answer, is_lost=is_lost)

    def _hear(self, hand: Hand, call: SettleCall, answer: Taken | str, *, is_lost: bool) -> None:
        """What the child makes of the answer, or of its absence."""
        if isinstance(answer, str):
            if answer == "LEASELOST" and not is_lost:
                hand.believed.clear()
                hand.unanswered = None
            return
        hand.connection = call.connection
        for one in answer.deliveries:
            self.told.append((hand.name, one.id, one.fence))
        if is_lost:
            hand.unanswered, hand.number = call, call.number
            return
        for ended in call.settlements:
            hand.believed.pop(ended.id, None)
        if answer.repeated or call.tells_all:
            hand.believed.clear()
        hand.believed.update({one.id: one.fence for one in answer.deliveries})
        hand.number, hand.unanswered = call.number + 1, None
        hand.must_ask = hand.must_ask and not (answer.repeated or call.tells_all)

    @action(8, "hand-off", lambda self: self.world.unopened, chance=range(8))
    def open_offer(self, luck: Luck, chance: int) -> None:
        """A child's BLPOP gets what lies on its wake list, or its connection takes it along."""
        raw_id = luck.choice(sorted(self.world.unopened))
        holding = self.world.held[raw_id]
        hand = self.hand_named(holding.consumer)
        consumer = self.world.workers[holding.worker].consumers[holding.consumer]
        key = self.partition.key(f"wake:{holding.consumer}:{consumer.connection}")
        payload: Any = self.partition.client.lpop(key)
        offer = read_offer(payload)
        job = self.world.jobs[raw_id]
        assert (offer.id, offer.fence, offer.record) == (raw_id, holding.fence, job.record)
        assert (offer.deliveries, offer.attempts) == (job.charges, job.attempts)
        self.world.unopened.discard(raw_id)
        if chance == 0 or hand.is_dead:
            hand.must_ask = True
        else:
            hand.believed[raw_id] = offer.fence
            self.told.append((hand.name, raw_id, offer.fence))
