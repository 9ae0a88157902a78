"""
A child with several lanes: its main thread talks to Redis, and its lanes run jobs.

The main thread, the dispatcher, settles what has finished and takes what there is room for, in one
call, and listens for more. It is never in a job's way, and a job is in its way only while C code
holds the interpreter's lock. What it has taken lies on the desk until a lane begins it.

What happens when Redis is gone: lanes run on; calls are repeated under their numbers. The process
was paused: what has not begun is asked for again before it begins.
"""

from __future__ import annotations

import logging
import select
import signal
import threading
import time
from typing import Any, Final

from beatline.app import App
from beatline.store.delivering import Consumer, Delivery, Settlement
from beatline_worker.batching import BatchSize
from beatline_worker.consumer import Desynchronised
from beatline_worker.courier import Courier
from beatline_worker.crews import Crew, make_crew
from beatline_worker.desk import RENEWED_WITHIN, Desk, Item
from beatline_worker.executor import Executor
from beatline_worker.lease_keeper import awake_or_not_ns
from beatline_worker.options import EXIT_DESYNCHRONISED, ChildOptions
from beatline_worker.table import NO_LIMIT, Row
from beatline_worker.wakeups import drain, open_pipe
from beatline_worker.wide_consumer import GreenletConsumer, WideConsumer

_log = logging.getLogger("beatline.worker.child")

#: Most jobs that one call takes.
LARGEST_TAKE: Final = 256
#: What has finished is settled after so long at the latest while jobs wait for a lane, seconds.
SETTLE_AFTER_S: Final = 0.005
#: Pause between two looks while something keeps this child from taking, seconds.
_LOOK_S: Final = 0.02
#: The same while the supervisor gives jobs back.
_LIMIT_LOOK_S: Final = 0.002
#: Longest wait for anything, seconds.
_LONGEST_WAIT_S: Final = 1.0


class WideChild:
    """
    The dispatcher of one child.

    Args:
        app: The loaded app.
        row: This child's row of the shared table.
        options: Names and limits.
    """

    def __init__(self, app: App, row: Row, options: ChildOptions) -> None:
        self._row = row
        self._options = options
        self._bell, bell_in = open_pipe()
        endpoint, settings = app.endpoint(), app.settings
        consumer = Consumer(options.worker, options.consumer, options.queues)
        where: dict[str, Any] = {"namespace": settings.namespace, "partitions": settings.partitions}
        executor = Executor(
            app,
            options.worker,
            time_limit_ms=options.time_limit_ms,
            soft_time_limit_ms=options.soft_time_limit_ms,
            courier=Courier(endpoint, consumer, **where),
            one_loop_at_a_time=options.pool == "gevent",
        )
        kind = GreenletConsumer if options.pool == "gevent" else WideConsumer
        self._consumer = kind(
            endpoint,
            consumer,
            **where,
            wakeup_fd=self._bell,
            should_stop=lambda: bool(row.stop),
            on_round=self._note_round,
            lease_ms=settings.lease_ms,
        )
        self._longest_unrenewed_ns = int(settings.lease_ms * 1_000_000 * RENEWED_WITHIN)
        self._desk = Desk(
            row,
            executor,
            BatchSize(options.largest_batch),
            server_now_ms=self._consumer.server_now_ms,
            is_doubtful=lambda: self._consumer.is_doubtful or self._is_unrenewed(),
            wakeup_fd=bell_in,
        )
        self._hooks = list(app.child_start_hooks)
        #: Fences of what is here: on the desk, in a lane, or finished and not settled.
        self._in_hand: set[int] = set()
        #: Of the job that is to be run alone, while it is here; 0 none.
        self._alone = 0
        #: What goes back with the next call.
        self._sent_back: list[Settlement] = []
        self._resync = False
        #: How often jobs had been given back when the last call was made.
        self._returns = row.returns
        self._next_take_at = 0.0
        #: How many jobs may wait for a lane.
        self._size = 1

    def run(self) -> int:
        """Work until told to stop; the exit code."""
        signal_pipe, signal_in = open_pipe()
        signal.set_wakeup_fd(signal_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        for hook in self._hooks:
            hook()
        crew = make_crew(self._options.pool, self._desk, self._options.lanes)
        threading.Thread(
            target=self._interrupt_lanes, args=(crew, signal_pipe), name="interrupts", daemon=True
        ).start()
        self._row.ready = 1
        try:
            while not self._is_done():
                self._turn(crew)
        except Desynchronised as error:
            _log.error("child.desynchronised error=%s", error)
            return EXIT_DESYNCHRONISED
        finally:
            self._consumer.close()
        return 0

    # --- one turn -------------------------------------------------------------------------------

    def _turn(self, crew: Crew) -> None:
        heard = self._wait(self._pause_s(crew))
        row, consumer = self._row, self._consumer
        if row.limit != NO_LIMIT:
            # Jobs are being given back: what comes now would be out of date.
            self._settle(crew)
            return
        self._forget_dropped()
        if heard:
            self._hand_out(crew, consumer.hear(), self._returns)
        consumer.check_ear()
        if self._is_unrenewed():
            self._withdraw()
            self._settle(crew)
            return
        self._send_back(crew.overdue())
        room = self._room(crew)
        wants = self._wants(room)
        must_ask = self._resync or consumer.must_ask
        is_leaving = consumer.is_idle and self._takes_no_more
        if wants or must_ask or is_leaving or self._is_time_to_settle(crew):
            self._trade(crew, room if wants or consumer.is_idle else 0)

    def _wait(self, pause_s: float) -> bool:
        """Wait for a bell; True where something was heard from Redis."""
        ear = -1 if self._row.limit != NO_LIMIT else self._consumer.ear
        ears = [self._bell] if ear < 0 else [self._bell, ear]
        readable, _, _ = select.select(ears, [], [], pause_s)
        if self._bell in readable:
            drain(self._bell)
        # From here on it has to be rung for again; what was noted before is seen now.
        self._desk.hear()
        return ear in readable

    def _pause_s(self, crew: Crew) -> float:
        if self._row.limit != NO_LIMIT:
            return _LIMIT_LOOK_S
        if self._is_unrenewed():
            return _LOOK_S
        if self._resync or self._consumer.must_ask or self._is_time_to_settle(crew):
            return 0.0
        if self._wants(self._room(crew)):
            return 0.0
        if self._desk.finished_count:
            return SETTLE_AFTER_S
        return _LOOK_S if self._next_take_at > time.monotonic() else _LONGEST_WAIT_S

    def _wants(self, room: int) -> bool:
        """Whether to look for jobs now: not where they come by themselves."""
        return room > 0 and not self._consumer.is_idle and time.monotonic() >= self._next_take_at

    def _is_time_to_settle(self, crew: Crew) -> bool:
        desk = self._desk
        if not desk.finished_count:
            return False
        if not crew.has_queue or desk.is_urgent or not desk.pending:
            return True
        return time.monotonic() - desk.first_finished_at > SETTLE_AFTER_S

    def _room(self, crew: Crew) -> int:
        """How many jobs may be taken now."""
        if self._takes_no_more or self._alone or crew.is_clogged:
            return 0
        running = len(self._in_hand) - self._desk.finished_count
        more = 0
        if crew.has_queue and not self._options.is_loner:
            more = self._size if self._size > 1 else 0
            if len(self._desk.pending) > more // 2:
                return 0
        room = min(self._options.lanes + more - running, LARGEST_TAKE)
        most = self._options.max_tasks_per_child
        if most:
            room = min(room, most - self._row.finished - running)
        return max(room, 0)

    def _trade(self, crew: Crew, room: int) -> None:
        """One call: settle what has finished, and take, or ask what is held."""
        desk, consumer, row = self._desk, self._consumer, self._row
        resync = self._resync or consumer.must_ask
        if resync:
            self._withdraw()
        # Read before the call: what is given back from here on makes its answer out of date.
        self._returns = row.returns
        ended = desk.collect()
        settlements = ended + self._sent_back if self._sent_back else ended
        self._sent_back = []
        holding = len(self._in_hand) - len(settlements)
        deliveries = consumer.trade(settlements, room, holding=holding, resync=resync)
        desk.settled()
        for one in settlements:
            self._in_hand.discard(one.fence)
        self._resync = False
        if self._alone not in self._in_hand:
            self._alone = 0
        self._hand_out(crew, deliveries, self._returns)
        self._judge_take(crew, room, deliveries, resync=resync)

    def _judge_take(
        self, crew: Crew, room: int, deliveries: list[Delivery], *, resync: bool
    ) -> None:
        if resync or room <= 0:
            return
        if deliveries or self._consumer.is_idle:
            if crew.has_queue:
                if not deliveries:
                    self._desk.shrink_batch()
                self._size = self._desk.next_batch()
        else:
            # A job at the front is to be run alone, and this child is not free.
            self._row.wants_help += 1
            self._next_take_at = time.monotonic() + _LOOK_S
        if self._options.is_loner and not deliveries:
            self._row.retiring = 1

    def _hand_out(self, crew: Crew, deliveries: list[Delivery], returns: int) -> None:
        """Let the crew run what is not here already."""
        row, items = self._row, []
        fresh = [one for one in deliveries if one.fence not in self._in_hand]
        if not fresh:
            return
        row.known_ns = time.monotonic_ns()
        row.known = max(row.known, fresh[-1].fence)
        if row.stop:
            return  # the supervisor gives it back
        for one in fresh:
            is_alone = not self._in_hand
            self._in_hand.add(one.fence)
            if one.deliveries and not is_alone:
                # It was charged with a death, and is to be run alone (R4).
                row.wants_help += 1
                self._sent_back.append(Settlement(one.id, one.fence, "return"))
                continue
            if one.deliveries:
                self._alone = one.fence
            items.append(Item(one, returns))
        crew.start(items, len(self._in_hand))

    # --- what is here ---------------------------------------------------------------------------

    def _settle(self, crew: Crew) -> None:
        if self._desk.finished_count:
            self._trade_nothing()

    def _trade_nothing(self) -> None:
        """Settle, and let what is told lie: it is asked for again."""
        ended = self._desk.collect()
        holding = len(self._in_hand) - len(ended)
        self._consumer.trade(ended, 0, holding=max(holding, 1))
        self._desk.settled()
        for one in ended:
            self._in_hand.discard(one.fence)
        self._resync = True

    def _send_back(self, items: list[Item]) -> None:
        """Jobs that nobody can begin soon go back to the front, in their order."""
        for item in reversed(items):
            one = item.delivery
            self._sent_back.append(Settlement(one.id, one.fence, "return"))
        if items:
            self._next_take_at = time.monotonic() + _LOOK_S

    def _withdraw(self) -> None:
        """What no lane has begun is asked for again."""
        self._in_hand.difference_update(self._desk.withdraw())
        self._resync = not self._row.stop

    def _forget_dropped(self) -> None:
        """What lanes refused is asked for again; so is all that waits, where jobs went back."""
        dropped = self._desk.dropped()
        if dropped:
            self._in_hand.difference_update(dropped)
            self._resync = not self._row.stop
        if self._row.returns != self._returns:
            self._returns = self._row.returns
            self._withdraw()

    @property
    def _takes_no_more(self) -> bool:
        row, most = self._row, self._options.max_tasks_per_child
        if row.stop or row.retiring:
            return True
        if most and row.finished + len(self._in_hand) - self._desk.finished_count >= most:
            # What is here is its last: another child takes its place from now on.
            row.retiring = 1
            return True
        return False

    def _is_done(self) -> bool:
        return self._takes_no_more and not self._in_hand and not self._consumer.is_idle

    def _is_unrenewed(self) -> bool:
        """Whether the supervisor has not renewed the lease for two thirds of it."""
        return bool(awake_or_not_ns() - self._row.renewed_ns > self._longest_unrenewed_ns)

    def _note_round(self) -> None:
        self._row.round_ns = time.monotonic_ns()

    def _interrupt_lanes(self, crew: Crew, pipe: int) -> None:
        """SIGUSR1: interrupt the bodies that the supervisor meant, and let the dispatcher look."""
        row = self._row
        asked: list[tuple[int, int, int]] = []
        while True:
            # What was asked for before its body had begun is tried again, until it has or is over.
            select.select([pipe], [], [], _LIMIT_LOOK_S if asked else None)
            drain(pipe)
            asked += ((at, *row.lane(at).asked()) for at in range(row.lanes_used))
            asked = [
                (at, fence, kind)
                for at, fence, kind in asked
                if fence and row.lane(at).fence == fence and not crew.interrupt(fence, kind)
            ]
            self._desk.ring()
