"""A child's loop between its row and a conversation that is played to it: what may begin (R5)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence

import pytest

from beatline import App
from beatline.ids import new_id
from beatline.job import record_body, record_head
from beatline.store.delivering import Delivery, Settlement
from beatline_worker.child import Child
from beatline_worker.lease_keeper import awake_or_not_ns
from beatline_worker.options import ChildOptions
from beatline_worker.table import NO_LIMIT, Row, Table

RECORD = record_head("q", 4, 1)
LEASE_NS = 30_000_000_000
OPTIONS = ChildOptions("w", "c", "q", "prefork", 1, False, 0, 0, 0, 128)

#: What a body does when a job with this number runs.
Act = Callable[[Row], None]


class Conversation:
    """Plays batches to a child, and notes what it settles; after the last one it is to stop."""

    has_turns = False

    def __init__(self, row: Row, batches: list[list[Delivery]]) -> None:
        self.row = row
        self.batches = batches
        self.is_asked = False
        self.settled: list[Settlement] = []
        self.resyncs: list[bool] = []
        self.doubtful_from_ns = 1 << 62
        self.before_batch: Act = lambda _: None

    def exchange(
        self, settlements: Sequence[Settlement], limit: int, *, resync: bool = False
    ) -> list[Delivery]:
        """The next batch."""
        self.settled += settlements
        self.resyncs.append(resync)
        if not self.batches:
            self.row.stop = 1
            return []
        self.before_batch(self.row)
        return self.batches.pop(0)

    def ask(self, settlements: Sequence[Settlement], limit: int, *, holding: int) -> None:
        """Note what is settled; `answer` has the next batch."""
        self.settled += settlements
        self.is_asked = True

    def answer(self) -> list[Delivery]:
        """The next batch, if there is one."""
        self.is_asked = False
        return self.batches.pop(0) if self.batches else []

    def flush(self, settlements: Sequence[Settlement]) -> None:
        """Note what is settled."""
        self.settled += settlements

    def server_ms_at(self, monotonic_ns: int) -> int:
        """Nothing depends on it here."""
        return monotonic_ns // 1_000_000

    def close(self) -> None:
        """Nothing to close."""


class Play:
    """A child, its row, and what its jobs did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
        self.ran: list[int] = []
        self.acts: dict[int, Act] = {}
        app = App("played", redis="redis://127.0.0.1:1/0")
        self.row = Table(1).row(0)
        self.row.reset()
        self.row.renewed_ns = awake_or_not_ns()
        self.deliveries = [
            Delivery(new_id(), RECORD + record_body("act", [number], {}), number)
            for number in range(1, jobs + 1)
        ]
        self.conversation = Conversation(self.row, [self.deliveries])
        monkeypatch.setattr(
            "beatline_worker.child.ConsumerLoop", lambda *_, **__: self.conversation
        )

        @app.task(name="act", ignore_result=True)
        def act(number: int) -> None:
            self.ran.append(number)
            if number in self.acts:
                self.acts[number](self.row)

        self._app = app

    def run(self) -> list[int]:
        """Which jobs ran, by number."""
        assert Child(self._app, self.row, OPTIONS).run() == 0
        return self.ran

    @property
    def ended(self) -> list[tuple[int, str]]:
        """What was settled: fence, and outcome or state."""
        return [(one.fence, one.state or one.outcome) for one in self.conversation.settled]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Play]]:
    """Plays so many jobs to a child of this process."""
    heard = signal.getsignal(signal.SIGUSR1)
    yield lambda jobs: Play(monkeypatch, jobs)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR1, heard)


def stop(row: Row) -> None:
    row.stop = 1


def give_back(row: Row) -> None:
    row.returns += 1


def test_batch_when_nothing_is_ordered_then_all_of_it_runs(play: Callable[[int], Play]) -> None:
    one = play(200)

    assert list(range(1, 201)) == one.run()
    assert [(number, "ack") for number in range(1, 201)] == one.ended


@pytest.mark.parametrize("order", [stop, give_back])
def test_batch_when_the_supervisor_orders_it_then_the_next_job_does_not_begin(
    play: Callable[[int], Play], order: Act
) -> None:
    one = play(5)
    one.acts[2] = order

    assert one.run() == [1, 2]
    assert one.row.last_begun == 3  # said to run, and taken back
    assert one.row.running() == []


@pytest.mark.parametrize("last", [1, 3])
def test_batch_when_a_limit_is_set_then_no_job_beyond_it_begins(
    play: Callable[[int], Play], monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    one = play(5)
    # The limit may name a job that is only just about to look at it.
    one.conversation.before_batch = lambda row: setattr(row, "limit", last)
    monkeypatch.setattr("time.sleep", lambda _: setattr(one.row, "limit", NO_LIMIT))

    assert list(range(1, last + 1)) == one.run()
    assert one.conversation.resyncs == [False, True]


def test_batch_when_a_job_of_it_is_cancelled_meanwhile_then_that_one_alone_does_not_run(
    play: Callable[[int], Play],
) -> None:
    one = play(5)
    one.acts[2] = lambda row: row.note_cancelled(4)

    assert one.run() == [1, 2, 3, 5]
    assert [(1, "ack"), (2, "ack"), (3, "ack"), (4, "CANCELLED"), (5, "ack")] == one.ended


@pytest.mark.parametrize("what", ["the lease", "what it holds"])
def test_batch_when_too_long_unconfirmed_then_the_next_job_does_not_begin_before_it_is(
    play: Callable[[int], Play], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    one, ahead_ns = play(5), [0]

    def sleep_on(row: Row) -> None:
        ahead_ns[0] = LEASE_NS
        if what == "what it holds":
            row.renewed_ns += LEASE_NS

    monkeypatch.setattr(
        "beatline_worker.child.awake_or_not_ns", lambda: awake_or_not_ns() + ahead_ns[0]
    )
    monkeypatch.setattr("time.sleep", lambda _: stop(one.row))
    one.conversation.doubtful_from_ns = awake_or_not_ns() + LEASE_NS // 2
    one.acts[2] = sleep_on

    assert one.run() == [1, 2]


def test_batch_when_the_lease_is_renewed_meanwhile_then_it_goes_on(
    play: Callable[[int], Play], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, ahead_ns = play(5), [0]

    def renewed(row: Row) -> None:
        ahead_ns[0] += LEASE_NS
        row.renewed_ns += LEASE_NS

    monkeypatch.setattr(
        "beatline_worker.child.awake_or_not_ns", lambda: awake_or_not_ns() + ahead_ns[0]
    )
    one.acts[2] = one.acts[4] = renewed

    assert one.run() == [1, 2, 3, 4, 5]
