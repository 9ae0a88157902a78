"""The server's clock as beat knows it: never ahead, and right again after every jump."""

from __future__ import annotations

from beatline.beat.server_clock import ServerClock


class Own:
    """A process's own clock that a test moves."""

    def __init__(self) -> None:
        self.us = 1_000_000

    def __call__(self) -> float:
        # In the middle of the microsecond: no rounding leads out of it.
        return (self.us + 0.5) / 1_000_000


def _exchange(clock: ServerClock, own: Own, server_us: int, *, way_us: int = 50) -> None:
    sent_us = clock.mark_us()
    own.us += way_us
    clock.observe(server_us, sent_us)


def test_clock_when_nothing_was_heard_then_is_not_known() -> None:
    clock = ServerClock(Own())

    assert (False, 0) == (clock.is_known, clock.now_us())


def test_clock_when_time_passes_then_goes_on_from_what_the_server_said() -> None:
    own = Own()
    clock = ServerClock(own)
    _exchange(clock, own, 7_000_000)

    own.us += 1_234

    assert 7_001_234 == clock.now_us()


def test_clock_when_a_reply_was_fast_then_slow_ones_make_it_no_worse() -> None:
    own = Own()
    clock = ServerClock(own)
    # The server's clock is 6 s ahead of ours; a reply tells the instant it was written.
    _exchange(clock, own, own.us + 6_000_000 + 10, way_us=20)

    _exchange(clock, own, own.us + 6_000_000 + 10, way_us=9_000)

    assert own.us + 6_000_000 - 10 == clock.now_us()


def test_clock_when_the_servers_clock_jumps_back_then_follows() -> None:
    own = Own()
    clock = ServerClock(own)
    _exchange(clock, own, 7_000_000)

    _exchange(clock, own, 3_000_000)

    assert 3_000_000 == clock.now_us()


def test_clock_when_the_servers_clock_jumps_ahead_then_follows() -> None:
    own = Own()
    clock = ServerClock(own)
    _exchange(clock, own, 7_000_000)

    _exchange(clock, own, 99_000_000)

    assert 99_000_000 == clock.now_us()
