"""What the five fields may hold, and what is refused with which remedy."""

from __future__ import annotations

import pytest

from beatline.errors import InvalidTrigger
from beatline.triggers import Cron
from beatline.triggers.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    FieldKind,
    read_field,
)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (MINUTE, "*", set(range(60))),
        (MINUTE, "5", {5}),
        (MINUTE, "05", {5}),
        (MINUTE, "5-5", {5}),
        (MINUTE, "5-5/3", {5}),
        (MINUTE, "1,3,5", {1, 3, 5}),
        (MINUTE, "10-14", {10, 11, 12, 13, 14}),
        (MINUTE, "10-20/4", {10, 14, 18}),
        (MINUTE, "*/20", {0, 20, 40}),
        (MINUTE, "*/90", {0}),
        (MINUTE, "50/4", {50, 54, 58}),
        (MINUTE, "50/90", {50}),
        (MINUTE, "58-2", {58, 59, 0, 1, 2}),
        (MINUTE, "50-10/5", {50, 55, 0, 5, 10}),
        (HOUR, "22-2", {22, 23, 0, 1, 2}),
        (HOUR, "22-2/2", {22, 0, 2}),
        (HOUR, "*,5", set(range(24))),
        (DAY_OF_MONTH, "*/10", {1, 11, 21, 31}),
        (DAY_OF_MONTH, "30-2", {30, 31, 1, 2}),
        (DAY_OF_MONTH, "?", set(range(1, 32))),
        (MONTH, "JAN-mar", {1, 2, 3}),
        (MONTH, "nov-feb", {11, 12, 1, 2}),
        (MONTH, "6/3", {6, 9, 12}),
        (DAY_OF_WEEK, "*", set(range(7))),
        (DAY_OF_WEEK, "7", {0}),
        (DAY_OF_WEEK, "Sun", {0}),
        (DAY_OF_WEEK, "1-5", {1, 2, 3, 4, 5}),
        (DAY_OF_WEEK, "mon-5", {1, 2, 3, 4, 5}),
        (DAY_OF_WEEK, "fri-mon", {5, 6, 0, 1}),
        (DAY_OF_WEEK, "fri-7", {5, 6, 0}),
        (DAY_OF_WEEK, "7-2", {0, 1, 2}),
        (DAY_OF_WEEK, "1-7/2", {1, 3, 5, 0}),
        (DAY_OF_WEEK, "5/2", {5, 0}),
        (DAY_OF_WEEK, "*/2", {0, 2, 4, 6}),
    ],
)
def test_field_when_valid_then_names_these_numbers(
    kind: FieldKind, text: str, expected: set[int]
) -> None:
    field = read_field(kind, text, None)

    assert expected == field.values


@pytest.mark.parametrize(
    ("expression", "remedy"),
    [
        ("", "write minute, hour"),
        ("* * * *", "write minute, hour"),
        ("0 30 2 * * *", "second:"),
        ("0 30 2 * * * 2026", "second:"),
        ("CRON_TZ=UTC 30 2 * * *", "timezone:"),
        ("@reboot", "enqueue the task when your program starts"),
        ("@Daily", "did you mean '@daily'?"),
        ("@fortnightly", "did you mean"),
        ("@every", '"@every 5m"'),
        ("@every soon", '"90s"'),
        ("60 * * * *", "from 0 to 59"),
        ("* 24 * * *", "from 0 to 23"),
        ("* * 0 * *", "from 1 to 31"),
        ("* * 32 * *", "from 1 to 31"),
        ("* * * 0 *", "from 1 to 12"),
        ("* * * * 8", "from 0 to 7"),
        ("5-64/30 * * * *", "from 0 to 59"),
        ("*/0 * * * *", "at least 1"),
        ("1-5/0 * * * *", "at least 1"),
        ("1,,2 * * * *", '"a-b"'),
        (", * * * *", '"a-b"'),
        ("1- * * * *", '"a-b"'),
        ("-1 * * * *", '"a-b"'),
        ("*5 * * * *", '"a-b"'),
        ("*-5 * * * *", '"a-b"'),
        ("1/2/3 * * * *", '"a-b"'),
        ("1.5 * * * *", '"a-b"'),
        ("٣ * * * *", '"a-b"'),
        ("? * * * *", '"?" may stand alone in a day field'),
        ("* * ?/2 * *", "number"),
        ("jan * * * *", "number"),
        ("* * * monday *", "jan, feb"),
        ("* * * * monday", "did you mean 'mon'?"),
        ("* * * * m", "mon, tue"),
        ("* * 15W * *", '"W"'),
        ("* * LW * *", '"W"'),
        ("* * L-3 * *", "the last day of the month"),
        ("* * * * 5L", "the last day of the month"),
        ("* * l * *", 'capital: "L"'),
        ("* * * * mon#0", "from 1 to 5"),
        ("* * * * mon#6", "from 1 to 5"),
        ("* * * * mon-tue#2", "one weekday"),
        ("* * 5#2 * *", "one weekday"),
        ("H * * * *", "name="),
        ("H/15 * * * *", '"H" takes no step'),
    ],
)
def test_expression_when_malformed_then_refused_with_remedy(expression: str, remedy: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Cron(expression)

    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "remedy"), [("H(5-2)", "H(2-5)"), ("H(0-60)", "0 to 59"), ("H()", "H(0-29)")]
)
def test_hash_when_its_range_is_wrong_then_refused(text: str, remedy: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Cron(f"{text} * * * *", name="nightly")

    assert remedy in caught.value.remedy


@pytest.mark.parametrize("value", [None, 5, ["* * * * *"], True])
def test_expression_when_not_text_then_refused(value: object) -> None:
    with pytest.raises(InvalidTrigger):
        Cron(value)  # type: ignore[arg-type]  # what a YAML file may hold


def test_expression_when_very_long_then_refused() -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Cron(",".join(["1"] * 5_000) + " * * * *")

    assert "1000" in caught.value.remedy
