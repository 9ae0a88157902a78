"""All problems of a set of files are told at once, each at its place; one problem stops the set."""

from __future__ import annotations

import inspect
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline.errors import InvalidScheduleFile
from beatline_schedules import examine, load, load_declarations
from tests.schedules.conftest import Examine, unmarked

GOOD = "schedules:\n  {name}: {{task: t, every: 10s}}\n"

#: Each mistake begins at a ⟪, which is taken out before the file is read. The messages that are
#: expected stand below, in the order of the marks.
MISTAKES = """\
version: ⟪2
⟪default: {queue: x}
defaults:
  timezone: ⟪Europe/Berln
  ⟪task: billing.close
calendars:
  holidays: [2026-12-25, ⟪2026-13-01]
schedules:
  nightly:
    task: ⟪"billing.clos"
    cron: "⟪61 2 * * ⟪funday"
    args: [⟪2026-12-01, ⟪no, ⟪010, {deep: [⟪1:30]}]
    queue: ⟪"my queue"
    ⟪prioity: 3
    overlap: ⟪skp
    catch_up: ⟪all
    time_limit: ⟪45 minutes
    retry: {max: ⟪lots, backoff: ⟪10m..10s}
    max_runs: ⟪"5"
    paused: ⟪yes
    start: ⟪tomorrow
    exclude: [⟪holiday, sun]
    ⟪task: twice
  both: {task: ok, every: 10s, ⟪cron: "* * * * *"}
  ⟪neither: {task: ok}
  ⟪taskless: {every: 10s}
  herd: {task: ok, every: 10s, jitter: ⟪20s}
  never: {task: ok, cron: ⟪"0 0 30 2 *"}
  kubernetes: {task: ok, every: 10s, concurrencyPolicy: ⟪forbidden, ⟪timeout: 5}
  calls: {task: billing.close, every: 1h, args: [eu, ⟪us], kwargs: {⟪ful: true}}
"""
TOLD = [
    "version 2 of the file format is not known – write version: 1",
    'unknown key "default" at the top of the file – did you mean "defaults"?',
    "unknown time zone 'Europe/Berln' – did you mean 'Europe/Berlin'?",
    "task cannot be a default – write it in each schedule",
    'calendar "holidays" has "2026-13-01", no date – write a date',
    'unknown task "billing.clos" – did you mean "billing.close"?',
    "minute 61 in the cron expression is out of range – it goes from 0 to 59",
    "day-of-week field 'funday'",
    'args[0]: 2026-12-01 is a date in YAML 1.1 and text in YAML 1.2 – quote it: "2026-12-01"',
    'args[1]: no is false in YAML 1.1 and text in YAML 1.2 – write false, or quote it: "no"',
    "args[2]: 010 has a leading zero: octal in YAML 1.1, decimal in 1.2 – write 10, or quote",
    "args[3].deep[0]: 1:30 is a number to base 60 in YAML 1.1 and text in 1.2 – quote it",
    "queue 'my queue' is not a queue name – use 1 to 100 letters",
    'unknown key "prioity" in schedule "nightly" – did you mean "priority"?',
    'overlap "skp" is unknown – did you mean "skip"?',
    "catch_up: all needs catch_up_window – say how far back",
    "time_limit '45 minutes' is not a duration – write it like",
    'retry.max is the text "lots", not a whole number – write a whole number from 0',
    "retry.backoff runs from 10m down to 10s – write the shorter one first",
    'max_runs is the text "5", not a whole number – write a whole number from 1',
    'paused "yes" is not true or false – write true or false',
    "start 'tomorrow' is not a moment – write it like",
    'exclude names "holiday", which is no calendar of this file – did you mean "holidays"?',
    'key "task" stands twice, first on line 10 – remove one of them',
    '"both" has two triggers, every and cron – keep one, or join them with any',
    '"neither" does not say when it fires – add one of cron, every, calendar, at, rrule, any',
    'schedule "taskless" has no task – add "task: …"',
    "jitter 20s is longer than the shortest interval, 10s – write at most 10s",
    "cron expression '0 0 30 2 *' never fires",
    'concurrencyPolicy "forbidden" is unknown – did you mean "Forbid"?',
    'unknown key "timeout" in schedule "kubernetes" – write "time_limit: …"',
    'task "billing.close" takes at most 1 positional argument, and args has 2 – remove',
    'task "billing.close" takes no argument "ful" – did you mean "full"?',
]


def close(region: str, /, *, full: bool = False) -> None: ...


def test_examine_when_a_file_has_many_mistakes_then_each_is_told_once_at_its_place(
    examine_text: Examine,
) -> None:
    text, places = unmarked(MISTAKES)

    problems = examine_text(
        text,
        task_names=["billing.close", "ok"],
        signatures={"billing.close": inspect.signature(close)},
    ).problems

    assert len(TOLD) >= 30
    assert places == [(problem.line, problem.column) for problem in problems]
    for told, problem in zip(TOLD, problems, strict=True):
        assert told in str(problem)
    assert all(problem.remedy for problem in problems)


def test_load_when_there_are_problems_then_they_are_raised_together_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("schedules: {a: {task: t, every: never}}")
    Path("b.yaml").write_text("schedules: {b: {task: t, evry: 1s}}")

    with pytest.raises(InvalidScheduleFile) as caught:
        load(["a.yaml", "b.yaml"], environ={})

    expected = (
        'a.yaml:1:33: every \'never\' is not a duration – write it like "90s", "5m" or "1h30m"\n'
        'b.yaml:1:26: unknown key "evry" in schedule "b" – did you mean "every"?'
    )
    assert expected == str(caught.value)
    assert 2 == len(caught.value.problems)


def test_load_when_paths_are_files_and_folders_then_each_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("more/below").mkdir(parents=True)
    for name in ("z.yaml", "more/b.yml", "more/a.yaml", "more/.hidden.yaml", "more/below/c.yaml"):
        Path(name).write_text(GOOD.format(name=Path(name).stem))
    Path("more/notes.txt").write_text("no: schedules")

    declared = load_declarations(["z.yaml", "more", tmp_path / "more" / "a.yaml"], environ={})

    assert ["z", "a", "b"] == [schedule.name for schedule in declared.schedules]
    sources = [schedule.source for schedule in declared.schedules]
    assert ["file:z.yaml", "file:more/a.yaml", "file:more/b.yml"] == sources
    assert (2, 3) == (declared.declarations[0].line, declared.declarations[0].column)


def test_examine_when_a_name_stands_in_two_files_then_the_second_tells_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(GOOD.format(name="same"))
    Path("b.yaml").write_text("schedules:\n\n  same: {task: t, every: wrong}\n")

    problems = [str(problem) for problem in examine(["a.yaml", "b.yaml"]).problems]

    told = 'b.yaml:3:3: schedule "same" is declared already in a.yaml:2 – rename or remove one of'
    assert problems[0].startswith(told)
    assert 2 == len(problems)


def test_examine_when_paths_are_no_schedule_files_then_each_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    os.mkfifo("pipe.yaml")

    paths = ["missing.yaml", "empty", "pipe.yaml", "/dev/zero", "\0.yaml"]
    problems = [str(problem) for problem in examine(paths).problems]

    assert [
        "empty:1:1: the folder holds no *.yaml or *.yml file – check the path, or add one",
        "missing.yaml:1:1: the file does not exist – check its path",
        "pipe.yaml:1:1: the file is not a regular file – name a file",
        "/dev/zero:1:1: the file is not a regular file – name a file",
        "\0.yaml:1:1: the file cannot be read: embedded null byte – check its path and permissions",
    ] == problems


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", '1:1: the file declares no schedules – write "schedules: {}" if that is meant'),
        ("version: 1", "1:1: the file declares no schedules"),
        ("schedules:\n", "1:11: the file declares no schedules"),
        ("shedules: {a: {task: t}}", '1:1: unknown key "shedules" at the top of the file – did'),
        (
            "a: {task: t, every: 1s}",
            '1:1: unknown key "a" at the top of the file – schedules stand',
        ),
        (
            "schedules: [{name: a}]",
            "1:12: schedules is a list, not a mapping – write each schedule",
        ),
        ("- a", "1:1: the file is a list, not a mapping"),
        ("schedules: {a: }", '1:16: schedule "a" is left empty, not a mapping'),
    ],
)
def test_examine_when_a_file_declares_no_schedules_then_one_problem_tells_it(
    examine_text: Examine, text: str, told: str
) -> None:
    problems = [str(problem) for problem in examine_text(text).problems]

    assert 1 == len(problems)
    assert problems[0].startswith(f"s.yaml:{told}")


def test_examine_when_a_file_says_that_it_has_no_schedules_then_that_is_fine(
    examine_text: Examine,
) -> None:
    declared = examine_text("schedules: {}\nx-anything: [1, {on: no}]\n")

    assert ([], []) == (declared.problems, declared.schedules)


def test_examine_when_a_problem_is_reached_by_several_aliases_then_it_is_told_once(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        "x-call: &call {task: t, every: oops}\n"
        "schedules:\n  a: *call\n  b: *call\n  c: {<<: *call, priority: 5}\n"
    )

    assert ["s.yaml:1:32"] == [str(problem).partition(": ")[0] for problem in declared.problems]
    assert [] == declared.schedules


def test_load_when_there_are_ten_thousand_schedules_then_it_takes_seconds(tmp_path: Path) -> None:
    lines = ["defaults: {timezone: Europe/Berlin}", "schedules:"]
    for number in range(2_500):
        lines += [f"  j{number}: {{task: t, cron: '{number % 60} {number % 24} * * *'}}"]
        lines += [f"  k{number}: {{task: t, every: {number % 60 + 1}s, args: [{number}]}}"]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    (tmp_path / "b.yaml").write_text("\n".join(lines).replace(" j", " x").replace(" k", " y"))

    begun = time.process_time()
    schedules = load([tmp_path], environ={})
    spent = time.process_time() - begun

    assert 10_000 == len(schedules)
    assert spent < 10


WORDS = (
    "schedules task cron every at any args kwargs timezone exclude retry <<: on 1:30 2026-01-01 "
    "calendars defaults *a &a ${X} 10s .. null"
)


def test_examine_when_every_line_is_a_problem_then_the_first_thousand_are_told(
    examine_text: Examine,
) -> None:
    lines = "".join(f"    tusk{number}: 1\n" for number in range(60_000))

    begun = time.monotonic()
    problems = examine_text(f"schedules:\n  a:\n{lines}").problems
    spent = time.monotonic() - begun

    assert 1000 == len(problems)
    assert spent < 5


@pytest.mark.parametrize(
    "value",
    [
        "every: {long}s",
        "cron: '{long} * * * *'",
        "at: {long}",
        "timezone: {long}",
        "rrule: FREQ={long}",
        "exclude: {long}",
        "at: {long}-",
        "queue: {long}x",
        "args: {long}",
    ],
)
def test_examine_when_a_value_is_as_long_as_the_file_then_it_is_told_shortly(
    examine_text: Examine, value: str
) -> None:
    text = value.replace("{long}", "9" * 1_000_000)

    begun = time.monotonic()
    problems = examine_text(f"schedules:\n  a:\n    task: t\n    {text}\n").problems
    spent = time.monotonic() - begun

    assert problems
    assert all(len(str(problem)) < 1_000 for problem in problems)
    assert spent < 5


words = st.sampled_from(WORDS.split())
trees = st.recursive(
    st.one_of(words, st.integers(), st.text("aé:#'\" \n", max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(words, inner, min_size=1, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(words, trees, max_size=4), st.data())
def test_examine_when_values_are_random_then_it_tells_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, tree: object, data: st.DataObject
) -> None:
    text = json.dumps({"schedules": {"a": tree}, **data.draw(st.dictionaries(words, trees))})
    if data.draw(st.booleans()):
        text = text.replace('"', "")
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_text(text)

    declared = examine([path], environ={})

    assert all(problem.line >= 1 and problem.column >= 1 for problem in declared.problems)
