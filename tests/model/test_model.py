"""
The state machine of deliveries under random calls, deaths, pauses and jumps of the clock.

The quick test draws the same examples each time; the slow one draws others in each run, and prints
what is needed to run a failure again. What is broken on purpose (`mutants`) must be noticed: a
model that never fails shows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import run_state_machine_as_test

from beatline.wire.connection import Endpoint, HeldConnection
from beatline.wire.scripts import Script, all_scripts
from tests.model.machine import DeliveryMachine
from tests.model.mutants import MUTANTS, Mutant, broken
from tests.servers import RedisProcess
from tests.store.support import ManualClock, Partition

QUICK = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
#: Two minutes on two idle cores.
LONG = settings(QUICK, max_examples=400, stateful_step_count=100, derandomize=False)
#: Enough for each mutant; found, it is not made smaller.
MUTATED = settings(QUICK, max_examples=400, phases=[Phase.generate])


@pytest.fixture
def machine(redis_server: RedisProcess) -> Iterator[type[DeliveryMachine]]:
    """The machine on a partition of the shared server."""
    connection = HeldConnection(Endpoint(redis_server.url))
    with redis_server.client() as client:
        DeliveryMachine.partition = Partition(client, connection, ManualClock())
        DeliveryMachine.called.clear()
        yield DeliveryMachine
    connection.close()
    Script.injected_now_us = 0


def test_scripts_when_called_in_any_order_then_every_promise_holds(
    machine: type[DeliveryMachine],
) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


def test_scripts_when_there_are_new_ones_then_the_model_knows_them() -> None:
    folder = Path(__file__).parent
    rules = "".join(path.read_text() for path in folder.glob("*_rules.py"))
    stepped = set(re.findall(r'self\.step\(\s*"(\w+)"', rules))

    assert {one.name for one in all_scripts()} == stepped | {"look"}


@pytest.mark.slow
def test_scripts_when_called_in_any_order_for_long_then_every_promise_holds(
    machine: type[DeliveryMachine],
) -> None:
    run_state_machine_as_test(machine, settings=LONG)

    assert {one.name for one in all_scripts()} == machine.called


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_script_when_a_rule_is_taken_away_then_the_model_notices(
    machine: type[DeliveryMachine], mutant: Mutant
) -> None:
    themed = type("Themed", (machine,), {"only_theme": mutant.theme})

    # Flaky: noticed, and not again, because Redis gave the job to another idle consumer.
    with broken(mutant), pytest.raises((AssertionError, FlakyFailure)):
        run_state_machine_as_test(themed, settings=MUTATED)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_mutant_when_scripts_change_then_it_still_breaks_one(mutant: Mutant) -> None:
    with broken(mutant):
        pass
