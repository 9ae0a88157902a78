"""Plain scalars mean what YAML 1.1 and 1.2 agree on, and are a surprise everywhere else."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline_schedules.scalars import DateLike, Surprise, read_plain

plain_texts = st.text("0123456789+-._:xobeEnNyYaAlLsStTuUfFrRZ~ ", min_size=1, max_size=12)


def same(one: Any, other: Any) -> bool:
    both_nan = one != one and other != other
    return type(one) is type(other) and (one == other or both_nan)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1.5e+3", 1500.0),
        (".inf", math.inf),
        ("a b", "a b"),
        ("1 2", "1 2"),
        ("02:30", "02:30"),
        ("10s", "10s"),
        ("2026", 2026),
        ("30 2 * * *", "30 2 * * *"),
        ("2026-12-01T09:00", "2026-12-01T09:00"),
        ("y", "y"),
        ("nope", "nope"),
    ],
)
def test_read_plain_when_both_versions_agree_then_that_is_the_value(text: str, value: Any) -> None:
    assert same(value, read_plain(text))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("on", 'write true, or quote it: "on"'),
        ("No", 'write false, or quote it: "No"'),
        ("1:30", 'quote it: "1:30"'),
        ("12:30:45", 'quote it: "12:30:45"'),
        ("010", 'write 10, or quote it: "010"'),
        ("-08", 'write 8, or quote it: "-08"'),
        ("1_000", "write it in plain digits"),
        ("0b101", "write it in plain digits"),
        ("0o17", "write it in plain digits"),
        ("1e3", "write it with a point and a signed exponent"),
        ("-.5", "write -0.5"),
    ],
)
def test_read_plain_when_versions_differ_then_surprise_with_remedy(text: str, remedy: str) -> None:
    value = read_plain(text)

    assert isinstance(value, Surprise)
    assert remedy in value.remedy


@pytest.mark.parametrize("text", ["2026-12-01", "2026-12-01T09:00:00+01:00", "2026-1-1 9:00:00 Z"])
def test_read_plain_when_it_is_a_date_in_one_version_then_date_like(text: str) -> None:
    assert DateLike(text) == read_plain(text)


@settings(max_examples=1000, deadline=None)
@given(plain_texts)
def test_read_plain_when_it_gives_a_value_then_a_yaml_1_1_library_gives_the_same(text: str) -> None:
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return
    if not isinstance(node, yaml.ScalarNode) or node.style or node.value != text:
        return

    value = read_plain(text)

    is_told = isinstance(value, (Surprise, DateLike))
    assert is_told or same(expected, value)


def test_read_plain_when_it_is_very_long_then_text_or_a_surprise_if_it_is_a_number() -> None:
    number = read_plain("9" * 5000)

    assert isinstance(number, Surprise)
    assert "9" * 5000 + "s" == read_plain("9" * 5000 + "s")
