"""Environment variables fill in values and nothing else."""

from __future__ import annotations

import pytest

from beatline_schedules.variables import BadVariable, fill_in
from tests.schedules.conftest import Examine

ENVIRON = {"ZONE": "Europe/Berlin", "EMPTY": "", "TWO": "${ZONE}", "LONG": "x" * 10_000}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain $ZONE {x}", "plain $ZONE {x}"),
        ("${ZONE}", "Europe/Berlin"),
        ("a${ZONE}b${ZONE}c", "aEurope/BerlinbEurope/Berlinc"),
        ("${MISSING:-UTC}", "UTC"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-UTC}", "UTC"),
        ("${EMPTY}", ""),
        ("${TWO}", "${ZONE}"),
        ("$${ZONE}", "${ZONE}"),
        ("${ZONE:-a:-b}", "Europe/Berlin"),
    ],
)
def test_fill_in_when_variables_are_known_or_have_defaults_then_they_are_replaced(
    text: str, filled: str
) -> None:
    assert filled == fill_in(text, ENVIRON)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${MISSING}", "MISSING is not set"),
        ("${", "begins no variable"),
        ("${1X}", "begins no variable"),
        ("${ZONE", "begins no variable"),
        ("${LONG}" * 10, "longer than"),
    ],
)
def test_fill_in_when_a_variable_is_unknown_or_malformed_then_told(text: str, told: str) -> None:
    with pytest.raises(BadVariable, match=told):
        fill_in(text, ENVIRON)


def test_examine_when_a_bare_value_is_filled_in_then_it_is_read_again(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        "schedules:\n"
        "  a:\n"
        "    task: ${TASK:-t}\n"
        "    every: ${EVERY}\n"
        "    priority: ${PRIORITY:-7}\n"
        '    args: ["${PRIORITY:-7}", "$${PRIORITY}"]\n',
        environ={"EVERY": "90s"},
    )

    assert [] == declared.problems
    schedule = declared.schedules[0]
    assert ("t", 7, ("7", "${PRIORITY}")) == (schedule.task, schedule.priority, schedule.args)
    assert {"every": "1m30s"} == schedule.timetable.spec()


def test_examine_when_a_variable_holds_yaml_then_it_stays_one_value(examine_text: Examine) -> None:
    declared = examine_text(
        "schedules:\n  a: {task: t, every: 10s, note: '${NOTE}'}\n",
        environ={"NOTE": "x'}\n  b: {task: evil, every: 1s}"},
    )

    assert ["a"] == [schedule.name for schedule in declared.schedules]
