"""The table in code, the document and the heads of the scripts say the same of each transition."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beatline.states import TRANSITIONS, JobState

ROOT = Path(__file__).parent.parent.parent
LUA = ROOT / "scheduler/beatline/lua"
_ROW = re.compile(r"^\| (\w+) \| ([A-Za-z, ]+) \| ([A-Z, ]+) \| .+ \|$", re.MULTILINE)


def _documented() -> dict[str, tuple[set[str], set[str]]]:
    text = (ROOT / "docs/state-machine.md").read_text()
    rows = _ROW.findall(text)
    return {name: (set(start.split(", ")), set(end.split(", "))) for name, start, end in rows}


def _in_code() -> dict[str, tuple[set[str], set[str]]]:
    return {one.script: (set(one.sources), set(one.targets)) for one in TRANSITIONS}


def test_transitions_when_documented_then_as_in_code() -> None:
    assert _in_code() == _documented()


def test_transitions_when_named_then_their_states_exist() -> None:
    named = {state for one in TRANSITIONS for state in (*one.sources, *one.targets)}

    assert set() == named - {str(state) for state in JobState} - {"new"}


@pytest.mark.parametrize("script", sorted(_in_code()))
def test_scripts_when_they_move_jobs_then_their_heads_name_the_same_states(script: str) -> None:
    head = (LUA / f"{script}.lua").read_text().splitlines()[0]
    sources, targets = _in_code()[script]

    named = set(re.findall(r"\b(?:new|[A-Z]{4,})\b", head)) - {"UNKNOWN"}

    assert named == sources | targets


def test_scripts_when_their_head_has_an_arrow_then_they_are_in_the_table() -> None:
    arrows = {path.stem for path in LUA.glob("*.lua") if " -> " in path.read_text().splitlines()[0]}

    assert arrows == set(_in_code())
