"""The text that is written: what was imported is what is read back, whatever stands in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline.errors import InvalidSetting, InvalidTrigger, WrongUse
from beatline_schedules import examine
from beatline_schedules.importing import Entry, Imported, LeftOut, import_schedules, render
from beatline_schedules.importing.checking import checked
from beatline_schedules.importing.entry import Unsupported
from beatline_schedules.importing.naming import Names
from beatline_schedules.importing.yaml_text import text_of
from beatline_schedules.importing.zones import zone_name
from beatline_schedules.keys import MAX_NAME_BYTES

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["on", "no", "y", "~", "1:30", "010", "1e3", "2026-01-01", "${A}", "$${A}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(args=st.lists(PLAIN, max_size=3))
def test_render_when_arguments_are_any_plain_values_then_they_are_read_back(
    args: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    imported = checked(Imported("any", (Entry("it", {"task": "t", "every": "1m", "args": args}),)))
    # Keys of blanks alone are no names here; such arguments are left out, with the reason.
    if imported.left_out:
        assert "is empty text" in imported.left_out[0].reason
        return

    path.write_text(render(imported), encoding="utf-8")

    (schedule,) = examine([path], environ={"A": "filled in"}).schedules
    assert tuple(args) == schedule.args
    assert [type(one) for one in args] == [type(one) for one in schedule.args]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("reports.nightly", "reports.nightly"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("two words", '"two words"'),
        ("on", '"on"'),
        ("y", '"y"'),
        ("null", '"null"'),
        ("1m30s", "1m30s"),
        ("10s..6m", "10s..6m"),
        ("7", '"7"'),
        ("", '""'),
        ("- # {", '"- # {"'),
        ("${A}", '"$${A}"'),
        ("a\u0085b\ufeff", '"a\\u0085b\\ufeff"'),
        (1e20, "1.0e+20"),
        (1e-7, "1.0e-07"),
        (0.5, "0.5"),
        (True, "true"),
        ([1, "a", None], "[1, a, null]"),
        ({"a b": {"c": []}}, '{"a b": {c: []}}'),
    ],
)
def test_text_of_when_a_value_is_written_then_as_a_person_would(value: Any, text: str) -> None:
    assert text == text_of(value)


def test_render_when_remarks_hold_line_breaks_then_they_stay_comments(tmp_path: Path) -> None:
    evil = "first\nschedules: {evil: {task: x}}\r\x85\u2028y: 1"
    imported = Imported(
        evil,
        (Entry("it", {"task": "t", "every": "1m"}, evil, (evil,)),),
        (LeftOut(evil, evil),),
        (evil,),
    )

    path = tmp_path / "evil.yaml"
    path.write_text(render(imported), encoding="utf-8")

    assert ["it"] == [one.name for one in examine([path], environ={}).schedules]


def test_render_when_there_is_nothing_then_the_file_says_so() -> None:
    text = render(Imported("an empty crontab"))

    expected = (
        "# Imported from an empty crontab by `sched schedules import`.\nversion: 1\nschedules: {}\n"
    )
    assert expected == text


def test_render_when_there_is_everything_then_it_looks_like_this() -> None:
    imported = Imported(
        "a crontab",
        (
            Entry(
                "backup",
                {"task": "shell.run", "cron": "15 2 * * *", "args": ["backup"]},
                "line 3: 15 2 * * * backup",
                (
                    "first remark",
                    f"second remark, {' which is longer than a line' * 4}".replace(",  ", ", "),
                ),
            ),
            Entry(
                "mail",
                {
                    "task": "shell.run",
                    "every": "1h",
                    "kwargs": {"stdin": "hello " * 10, "env": {"PATH": "/usr/bin"}},
                },
            ),
        ),
        (LeftOut("line 9: @reboot x", "it names no instant"),),
        ("a remark on all",),
        {"overlap": "allow"},
    )

    expected = """\
# Imported from a crontab by `sched schedules import`.
# - a remark on all.
version: 1
defaults:
  overlap: allow
schedules:
  # line 3: 15 2 * * * backup
  # - first remark.
  # - second remark, which is longer than a line which is longer than a line which is longer than
  #   a line which is longer than a line.
  backup:
    task: shell.run
    cron: "15 2 * * *"
    args: [backup]

  mail:
    task: shell.run
    every: 1h
    kwargs:
      stdin: "hello hello hello hello hello hello hello hello hello hello "
      env: {PATH: "/usr/bin"}

# not imported: line 9: @reboot x
# - it names no instant.
"""
    assert expected == render(imported)


def test_checked_when_entries_or_defaults_are_no_good_then_they_are_left_out() -> None:
    imported = checked(
        Imported(
            "x",
            (
                Entry("good", {"task": "t", "every": "1m"}),
                Entry("bad", {"task": "t", "every": "1m", "queue": "two words"}),
                Entry("task", {"task": "", "every": "1m"}),
            ),
            defaults={"timezone": "Mars/Olympus", "overlap": "allow"},
        )
    )

    assert ["good"] == [entry.name for entry in imported.entries]
    assert ["bad: t", "task: "] == [one.name for one in imported.left_out]
    assert {"overlap": "allow"} == imported.defaults


def test_names_when_they_repeat_or_are_odd_then_each_is_unique_and_fits() -> None:
    names = Names()

    taken = [names.take(wanted) for wanted in ("a", "a", "a-2", " \n ", "ü" * 300, "ü" * 300)]

    assert ["a", "a-2", "a-2-2", "schedule"] == taken[:4]
    assert len(set(taken)) == len(taken)
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in taken)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        (ZoneInfo("Asia/Tokyo"), "Asia/Tokyo"),
        (UTC, "UTC"),
        (timezone(timedelta(hours=2)), "Etc/GMT-2"),
        (timezone(timedelta(hours=-5)), "Etc/GMT+5"),
    ],
)
def test_zone_name_when_a_zone_is_known_then_it_is_its_iana_name(value: Any, name: str) -> None:
    assert name == zone_name(value)
    moment = datetime(2026, 7, 1, tzinfo=ZoneInfo(name))
    if hasattr(value, "utcoffset"):
        assert value.utcoffset(moment) == moment.utcoffset()


@pytest.mark.parametrize("value", ["Mars/Olympus", timezone(timedelta(minutes=330)), object()])
def test_zone_name_when_a_zone_has_none_then_it_is_unsupported(value: object) -> None:
    with pytest.raises(Unsupported, match="has no IANA name"):
        zone_name(value)


def test_import_schedules_when_it_is_asked_wrongly_then_it_says_what_to_do() -> None:
    with pytest.raises(InvalidSetting, match="known: crontab, celery, redbeat, k8s, apscheduler"):
        import_schedules("anacron", "")
    with pytest.raises(WrongUse, match="crontab needs text, not a list"):
        import_schedules("crontab", [])
    with pytest.raises(WrongUse, match="redbeat needs a mapping, not a str"):
        import_schedules("redbeat", "redis://")
    with pytest.raises(InvalidTrigger, match="Europe/Berln"):
        import_schedules("crontab", "", timezone="Europe/Berln")
