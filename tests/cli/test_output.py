"""Spans, instants and tables as people read them."""

from __future__ import annotations

import pytest

from beatline.cli.arguments import schedule_paths
from beatline.cli.companion import told_end
from beatline.cli.output import (
    count_text,
    instant_json,
    left_text,
    one_line,
    passed_text,
    print_table,
    span_text,
)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (59_000, "59s"),
        (60_000, "1min"),
        (61_000, "1min 1s"),
        (3_600_000, "1h"),
        (3_661_000, "1h 1min"),
        (90_000_000, "1d 1h"),
        (-5_000, "-5s"),
    ],
)
def test_span_when_told_then_in_at_most_two_units(ms: int, text: str) -> None:
    assert text == span_text(ms)


def test_left_when_passed_then_overdue() -> None:
    assert "5s overdue" == left_text(1_000, 6_000)
    assert "5s" == left_text(6_000, 1_000)
    assert "-" == left_text(None, 0)


def test_passed_when_clocks_differ_then_never_negative() -> None:
    assert "0ms ago" == passed_text(2_000, 1_000)


def test_instant_when_for_programs_then_utc_with_milliseconds() -> None:
    assert "2023-11-14T22:13:20.000+00:00" == instant_json(1_700_000_000_000)


def test_count_when_one_then_singular() -> None:
    assert ["1 job", "2 jobs", "1,000 entries"] == [
        count_text(1, "job"),
        count_text(2, "job"),
        count_text(1_000, "entry", "entries"),
    ]


def test_line_when_it_holds_control_characters_then_none_reach_the_terminal() -> None:
    assert "a b [31mred" == one_line("a\nb\x1b[31mred").replace("  ", " ")


def test_table_when_printed_then_columns_stand_under_their_headings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["NAME", "N"], [["a", "1"], ["longer", "100"]], right=(1,))

    assert "NAME      N\na         1\nlonger  100\n" == capsys.readouterr().out


def test_end_when_by_signal_then_named() -> None:
    assert "was ended by SIGKILL" == told_end(-9)
    assert "ended with exit code 3" == told_end(3)


def test_paths_when_a_shell_expands_a_pattern_then_all_are_taken() -> None:
    assert ["a.yaml", "b.yaml"] == schedule_paths(["a.yaml"], ["b.yaml"])
