"""How long to wait before the next attempt: Celery's rules, as a pure function."""

from __future__ import annotations

from random import Random

from beatline.options import TaskOptions

#: Doublings after which the delay is at its longest anyway; 2**retries of a job that retries
#: without limit would grow for ever.
_MOST_DOUBLINGS = 40


def retry_delay_ms(options: TaskOptions, retries: int, random: Random) -> int:
    """
    The delay before the next attempt, ms.

    With ``retry_backoff`` it is ``retry_backoff * 2**retries``, at most ``retry_backoff_max``, and
    with ``retry_jitter`` a random share of that (full jitter), so that jobs which failed together
    do not come back together; else it is ``default_retry_delay``. These are the rules of
    ``celery.utils.time.get_exponential_backoff_interval`` and of ``Task.retry``.

    Args:
        options: The task's.
        retries: Attempts that have failed before this one: 0 at the first.
        random: Source of the jitter.
    """
    if not options.retry_backoff_ms:
        return options.default_retry_delay_ms
    doubled = options.retry_backoff_ms << min(max(retries, 0), _MOST_DOUBLINGS)
    longest_ms = min(doubled, options.retry_backoff_max_ms)
    return random.randint(0, longest_ms) if options.retry_jitter else longest_ms
