"""What can be said of a task, and what is refused where it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from beatline.errors import InvalidSetting
from beatline.options import TaskOptions, task_options


def test_task_options_when_nothing_is_said_then_are_celerys_defaults() -> None:
    options = task_options({}, "task t")

    assert TaskOptions() == options
    assert (3, 180_000, 600_000, True) == (
        options.max_retries,
        options.default_retry_delay_ms,
        options.retry_backoff_max_ms,
        options.retry_jitter,
    )


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("queue", "mail", "queue", "mail"),
        ("queue", None, "queue", None),
        ("priority", 9, "priority", 9),
        ("priority", None, "priority", 4),
        ("max_retries", None, "max_retries", None),
        ("max_retries", 0, "max_retries", 0),
        ("autoretry_for", (OSError, KeyError), "autoretry_for", (OSError, KeyError)),
        ("autoretry_for", [OSError], "autoretry_for", (OSError,)),
        ("autoretry_for", OSError, "autoretry_for", (OSError,)),
        ("dont_autoretry_for", (KeyError,), "dont_autoretry_for", (KeyError,)),
        ("retry_backoff", True, "retry_backoff_ms", 1_000),
        ("retry_backoff", False, "retry_backoff_ms", 0),
        ("retry_backoff", 5, "retry_backoff_ms", 5_000),
        ("retry_backoff", "250ms", "retry_backoff_ms", 250),
        ("retry_backoff_max", "10m", "retry_backoff_max_ms", 600_000),
        ("retry_jitter", False, "retry_jitter", False),
        ("default_retry_delay", 1.5, "default_retry_delay_ms", 1_500),
        ("time_limit", timedelta(minutes=5), "time_limit_ms", 300_000),
        ("time_limit", None, "time_limit_ms", 0),
        ("soft_time_limit", 30, "soft_time_limit_ms", 30_000),
        ("ignore_result", True, "ignore_result", True),
        ("expires", "1h", "expires_ms", 3_600_000),
        ("expires", None, "expires_ms", None),
        ("on_unsure", "skip", "on_unsure", "skip"),
        ("isolation", "kill", "isolation", "kill"),
        ("isolation", None, "isolation", None),
    ],
)
def test_task_options_when_one_is_said_then_is_checked_and_in_ms(
    name: str, value: Any, field: str, expected: Any
) -> None:
    options = task_options({name: value}, "task t")

    assert expected == getattr(options, field)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", "two words"),
        ("queue", ""),
        ("queue", 7),
        ("priority", 10),
        ("priority", -1),
        ("priority", True),
        ("priority", "high"),
        ("max_retries", -1),
        ("max_retries", "3"),
        ("max_retries", True),
        ("autoretry_for", "OSError"),
        ("autoretry_for", (OSError("instance"),)),
        ("autoretry_for", int),
        ("autoretry_for", 7),
        ("dont_autoretry_for", (None,)),
        ("retry_backoff", -1),
        ("retry_backoff", "often"),
        ("retry_backoff_max", None),
        ("retry_jitter", 1),
        ("default_retry_delay", float("nan")),
        ("time_limit", 0),
        ("time_limit", -5),
        ("time_limit", 10**12),
        ("soft_time_limit", "5 minutes"),
        ("ignore_result", "yes"),
        ("expires", 0),
        ("on_unsure", "maybe"),
        ("isolation", "none"),
    ],
)
def test_task_options_when_value_does_not_fit_then_error_names_task_and_option(
    name: str, value: Any
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        task_options({name: value}, "task shop.pay")

    assert name in str(caught.value)
    assert caught.value.remedy


def test_task_options_when_name_is_misspelt_then_error_names_the_nearest() -> None:
    with pytest.raises(InvalidSetting, match=r"did you mean 'max_retries'\?"):
        task_options({"max_retry": 3}, "task t")


def test_task_options_when_soft_limit_is_not_the_shorter_then_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="soft_time_limit"):
        task_options({"time_limit": 10, "soft_time_limit": 10}, "task t")


def test_decorator_when_option_does_not_fit_then_refuses_before_the_function(
    make_app: Callable[..., Any],
) -> None:
    app = make_app()

    with pytest.raises(InvalidSetting, match=r"app 'shop': priority"):
        app.task(priority=11)
