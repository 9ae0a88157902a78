from __future__ import annotations

from beatline_worker.scale import SHRINK_AFTER_MS, Scale


def look(scale: Scale, busy: float, *, from_ms: float, for_ms: float) -> list[int]:
    """The wanted numbers while so many are busy, seen every 50 ms."""
    return [scale.note(busy, from_ms + at) for at in range(0, int(for_ms), 50)]


def test_scale_when_nothing_runs_then_stays_at_the_least() -> None:
    scale = Scale(2, 8)

    assert {2} == set(look(scale, 0, from_ms=1_000, for_ms=60_000))


def test_scale_when_all_are_busy_then_one_more_comes_within_two_seconds() -> None:
    scale = Scale(1, 4)

    wanted = look(scale, 1, from_ms=1_000, for_ms=10_000)

    assert (1, 2, 2) == (wanted[0], wanted[40], wanted[-1])


def test_scale_when_it_stays_busy_then_grows_to_the_most() -> None:
    scale = Scale(1, 4)

    for at in range(0, 20_000, 50):
        scale.note(scale.wanted, 1_000 + at)

    assert 4 == scale.wanted


def test_scale_when_busy_for_a_moment_only_then_nothing_changes() -> None:
    scale = Scale(1, 4)

    look(scale, 1, from_ms=1_000, for_ms=300)
    wanted = look(scale, 0, from_ms=1_300, for_ms=5_000)

    assert {1} == set(wanted)


def test_scale_when_idle_for_long_then_goes_back_to_the_least_one_by_one() -> None:
    scale = Scale(1, 3)
    for at in range(0, 20_000, 50):
        scale.note(scale.wanted, 1_000 + at)

    wanted = look(scale, 0, from_ms=21_000, for_ms=3 * SHRINK_AFTER_MS)

    assert [3, 2, 1] == sorted(set(wanted), reverse=True)
    assert wanted == sorted(wanted, reverse=True)


def test_scale_when_one_works_beside_a_spare_one_then_both_stay() -> None:
    scale = Scale(1, 4)
    look(scale, 1, from_ms=1_000, for_ms=5_000)

    assert {2} == set(look(scale, 1, from_ms=6_000, for_ms=2 * SHRINK_AFTER_MS))
