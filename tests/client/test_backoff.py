"""Delays between attempts."""

from __future__ import annotations

from random import Random

import pytest

from beatline.backoff import retry_delay_ms
from beatline.options import TaskOptions


def test_retry_delay_when_there_is_no_backoff_then_is_the_default() -> None:
    options = TaskOptions(default_retry_delay_ms=7_000)

    delays = [retry_delay_ms(options, retries, Random(1)) for retries in range(5)]

    assert [7_000] * 5 == delays


@pytest.mark.parametrize(
    ("retries", "expected"), [(0, 2_000), (1, 4_000), (2, 8_000), (5, 60_000), (10**9, 60_000)]
)
def test_retry_delay_when_backing_off_then_doubles_up_to_the_longest(
    retries: int, expected: int
) -> None:
    options = TaskOptions(retry_backoff_ms=2_000, retry_backoff_max_ms=60_000, retry_jitter=False)

    assert expected == retry_delay_ms(options, retries, Random(1))


def test_retry_delay_when_jittered_then_is_spread_over_the_whole_range() -> None:
    options = TaskOptions(retry_backoff_ms=1_000)
    random = Random(7)

    delays = [retry_delay_ms(options, 3, random) for _ in range(500)]

    assert 0 <= min(delays) < 400
    assert 7_600 < max(delays) <= 8_000
