"""A month of schedules in less than a second, counted in processor time: others may be at work."""

from __future__ import annotations

import time

from beatline.testing.fixtures import MakeTimeMachine
from tests.testing.conftest import Write


def test_machine_when_it_runs_a_month_of_ten_thousand_then_it_takes_less_than_a_second(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write(
        """
        a: {task: t, cron: "*/10 * * * *", timezone: Europe/Berlin}
        b: {task: t, every: 15m}
        c: {task: t, every: 20m, offset: spread}
        d: {task: t, cron: "7 * * * *"}
        e: {task: t, cron: "30 2 * * *", timezone: Europe/Berlin}
        """
    )
    clock = time_machine(schedules=[path], start="2026-03-01")

    def server_s() -> float:
        told = clock.app.sender().ask(lambda connection: connection.call("INFO", "cpu")).decode()
        figures = dict(line.split(":") for line in told.split() if ":" in line)
        return float(figures["used_cpu_user"]) + float(figures["used_cpu_sys"])

    before_s, begun = server_s(), time.process_time()
    clock.run_until("2026-04-01")
    used_s = time.process_time() - begun + server_s() - before_s

    assert 10_447 == sum(len(clock.fires(name)) for name in "abcde")
    # The two work at the same time: on two processors it takes about half of this.
    assert used_s < 2
