"""Where the app is known, a schedule's task and arguments are checked against it."""

from __future__ import annotations

from inspect import signature

import pytest

from tests.schedules.conftest import Examine, unmarked


def none() -> None: ...


def two(region: str, since: str = "") -> None: ...


def placed(region: str, /, *, full: bool) -> None: ...


def anything(*args: object, **kwargs: object) -> None: ...


SIGNATURES = {f.__name__: signature(f) for f in (none, two, placed, anything)}


@pytest.mark.parametrize(
    "call",
    [
        "task: none",
        "task: two, args: [eu]",
        "task: two, args: [eu, x]",
        "task: two, kwargs: {region: eu}",
        "task: two, args: [eu], kwargs: {since: x}",
        "task: placed, args: [eu], kwargs: {full: true}",
        "task: anything, args: [1, 2, 3], kwargs: {a: 1}",
        "task: of.another.app, args: [1]",
    ],
)
def test_examine_when_arguments_fit_the_function_then_fine(
    examine_text: Examine, call: str
) -> None:
    declared = examine_text(f"schedules: {{a: {{every: 1s, {call}}}}}", signatures=SIGNATURES)

    assert [] == declared.problems


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("args: [⟪1], task: none", "takes no positional arguments, and args has 1"),
        ("args: [1, 2, ⟪3], task: two", "takes at most 2 positional arguments, and args has 3"),
        ("task: ⟪two", 'task "two" needs the argument "region" – add it to kwargs'),
        ("kwargs: {region: a, ⟪sinse: b}, task: two", 'no argument "sinse" – did you mean'),
        ("kwargs: {⟪zzz: b}, task: none", 'takes no argument "zzz" – it takes none by name'),
        (
            "args: [a], kwargs: {⟪region: b}, task: two",
            '"region" of task "two" is given by args',
        ),
        ("kwargs: {full: true}, task: ⟪placed", 'needs the argument "region" – add it to args'),
        ("args: [a], task: ⟪placed", 'needs the argument "full" – add it to kwargs'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_examine_when_arguments_do_not_fit_then_told_at_the_argument(
    examine_text: Examine, call: str, told: str
) -> None:
    text, places = unmarked(f"schedules: {{a: {{every: 1s,\n {call}}}}}")

    problems = examine_text(text, signatures=SIGNATURES).problems

    assert places == [(problem.line, problem.column) for problem in problems]
    assert told in str(problems[0])


def test_examine_when_task_names_are_given_then_unknown_ones_are_told(
    examine_text: Examine,
) -> None:
    problems = examine_text(
        "schedules: {a: {task: reports.nigthly, every: 1s}, b: {task: zzz, every: 1s}}",
        task_names={"reports.nightly"},
    ).problems

    assert [
        's.yaml:1:23: unknown task "reports.nigthly" – did you mean "reports.nightly"?',
        's.yaml:1:62: unknown task "zzz" – register it with the app, or import its module there',
    ] == [str(problem) for problem in problems]


def test_examine_when_no_task_can_have_the_name_then_told_without_an_app(
    examine_text: Examine,
) -> None:
    long = "x" * 201
    problems = examine_text(
        f"schedules: {{a: {{task: close month, every: 1s}}, b: {{task: {long}, every: 1s}}}}"
    ).problems

    assert [
        's.yaml:1:23: "close month" is not the name of a task'
        " – name it like a function: billing.close_month",
        f's.yaml:1:58: "{long[:59]}…" is not the name of a task – use 1 to 200 characters of text',
    ] == [str(problem) for problem in problems]


def test_examine_when_a_queue_is_nearly_one_in_use_then_a_remark_tells(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        "schedules: {a: {task: t, every: 1s, queue: reprots}, b: {task: t, every: 1s, queue: new}}",
        queue_names={"reports", "default"},
    )

    assert [] == declared.problems
    assert ['s.yaml:1:44: queue "reprots" is not in use so far – did you mean "reports"?'] == [
        str(remark) for remark in declared.remarks
    ]
