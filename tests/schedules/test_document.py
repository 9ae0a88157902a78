"""YAML is read with positions, in bounded time, and what is no YAML is told in plain words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline_schedules.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_document,
)
from beatline_schedules.problem import Report


def read(content: str | bytes) -> tuple[Node | None, list[str]]:
    report = Report("f.yaml")
    raw = content.encode() if isinstance(content, str) else content
    root = read_document(raw, report)
    return root, [str(problem) for problem in report.problems]


def plain(node: Node | None) -> Any:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Mapping)
    return {name: plain(value) for name, (_, value) in node.entries.items()}


def exploding(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


def test_read_when_values_are_nested_then_each_has_its_place() -> None:
    root, problems = read('a:\n  b: [1, "é 2"]\n  c: x\n')

    assert [] == problems
    assert {"a": {"b": ["1", "é 2"], "c": "x"}} == plain(root)
    assert isinstance(root, Mapping)
    outer = root.value("a")
    assert isinstance(outer, Mapping)
    listed = outer.value("b")
    assert isinstance(listed, Sequence)
    assert [(2, 7), (2, 10)] == [(item.line, item.column) for item in listed.items]
    assert [True, False] == [item.is_plain for item in listed.items if isinstance(item, Scalar)]


def test_read_when_aliases_and_merges_are_used_then_they_are_followed() -> None:
    root, problems = read("a: &x {d: 1, e: 2}\nb: *x\nc: {<<: *x, d: 3}\nd: {<<: [*x, *x]}\n")

    assert [] == problems
    one = {"d": "1", "e": "2"}
    assert {"a": one, "b": one, "c": {"d": "3", "e": "2"}, "d": one} == plain(root)


def test_read_when_bytes_begin_with_a_byte_order_mark_then_it_is_passed_over() -> None:
    assert {"a": "1"} == plain(read(b"\xef\xbb\xbfa: 1")[0])


@pytest.mark.parametrize("content", ["", "# only a comment\n", "\n\n"])
def test_read_when_nothing_stands_there_then_none_without_problem(content: str) -> None:
    assert (None, []) == read(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("cron: */5 * * * *", "1:7: a value begins with *, which makes it an alias in YAML – put"),
        ("cron: @daily", '1:7: a value begins with "@", which YAML keeps for itself – put it in'),
        ("a:\n\tb: 1", "2:1: a tab stands where YAML wants spaces – indent with spaces"),
        ("a: b: c", "1:5: a colon makes a key of this, where no key may stand – put a value"),
        ('a: "x', "1:4: a quote is opened and not closed – close it"),
        ("a: [1, 2", "2:1: a comma or a closing bracket is missing at the end of the file – add"),
        ("a: {b: ${X}}", '1:9: ${…} stands bare inside { } or [ ] – put it in quotes: "${…}"'),
        ("a: [b]]", '1:7: "]" closes nothing – remove it, or put the value in quotes'),
        ("a: - b", "1:4: a list begins on the line of its key – begin it on the line below"),
        ('a: "\\q"', "1:4: a backslash in double quotes begins an escape that YAML does not"),
        ("a: 1\nb\nc: 2", "2:1: a key has no colon – write 'key: value'"),
        ("a: !!python/name:os.system x", '1:4: tag "tag:yaml.org,2002:python/name:os.system" is'),
        ("a: &x [*x]", "1:8: alias *x stands for a value that contains it"),
        ("a: *y", "1:4: alias *y has no anchor &y above it – put"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here – put it into a file of its own"),
        ("a: 1\nb: 2\na: 3", '3:1: key "a" stands twice, first on line 1 – remove one of them'),
        ("[a]: 1", "1:1: a key is a list or a mapping – use text as keys"),
        ("a: {<<: 5}", "1:5: << merges something that is not a mapping – remove it"),
        ('a: "\\ud800"', "1:4: a backslash in double quotes names no character – use single"),
        ('a: "\\x4"', "1:4: a backslash in double quotes names no character – use single"),
        ("a: x\x85b: 1", "1:5: character U+0085 ends a line in YAML 1.1 and not in 1.2 – remove"),
        ("a: 'x\u2028'", "1:6: character U+2028 ends a line in YAML 1.1 and not in 1.2 – remove"),
        ("a: b\x00", "1:5: character U+0000 is not allowed in YAML – remove it, or write it as"),
        (b"a: 1\nb: \xff", "2:4: byte 0xff is not UTF-8 – save the file as UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "1:1: byte 0x89 is not UTF-8 – save the file as UTF-8"),
        ("a: x".encode("utf-16"), "1:1: byte 0xff is not UTF-8 – save the file as UTF-8"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_read_when_it_is_no_yaml_then_place_and_remedy_are_told(
    content: str | bytes, told: str
) -> None:
    problems = read(content)[1]

    assert 1 == len(problems)
    assert problems[0].startswith(f"f.yaml:{told}")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x" * (MAX_BYTES + 1), "larger than 1 MiB"),
        ("[" * 100_000, f"more than {MAX_DEPTH} deep"),
        ("{a: " * 100_000, f"more than {MAX_DEPTH} deep"),
        ("- " * 500_000, f"more than {MAX_DEPTH} deep"),
        ("? " * 500_000, f"more than {MAX_DEPTH} deep"),
        (exploding(9), f"more than {MAX_NODES:,} values"),
        ("b: &b 1\na: [" + "*b," * 20_000 + "]", "more than 10,000 aliases"),
        ('a: "' + "\n" * 1_000_000, "not closed"),
        ("%" * 1_000_000, "begins with %"),
        ("&a " * 300_000, "does not belong"),
        (":" * 1_000_000, "colon"),
    ],
    ids=lambda value: value[:12],
)
def test_read_when_it_is_a_bomb_then_refused_in_bounded_time(content: str, told: str) -> None:
    begun = time.monotonic()
    problems = read(content)[1]
    spent = time.monotonic() - begun

    assert 1 == len(problems)
    assert told in problems[0]
    assert spent < 5


@pytest.mark.parametrize(
    "content",
    ["a: " + "x" * (MAX_BYTES - 3), "a: |\n" + " x\n" * 300_000, "[" + "1," * 500_000 + "]"],
)
def test_read_when_it_is_long_but_within_bounds_then_it_is_read(content: str) -> None:
    root, problems = read(content)

    assert [] == problems
    assert root is not None


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("ab:-[]{}&*!|>'\"%@`#,?\n \t<~$\\", max_size=60)))
def test_read_when_content_is_random_then_it_is_read_or_told(content: str | bytes) -> None:
    root, problems = read(content)

    assert problems or root is None or isinstance(root, Node)
    assert all(problem.startswith("f.yaml:") for problem in problems)
