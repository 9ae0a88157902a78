"""What ``sched worker`` runs: a supervisor; with ``--beat``, a beat and a worker side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beatline.cli.lifeline import follow_parent
from beatline.cli.wanted import Wanted


def serve(
    wanted: Wanted,
    limits: Mapping[str, Any],
    *,
    lifeline: bool = False,
    beat: Mapping[str, Any] | None = None,
) -> int:
    """
    Run a worker until TERM, INT or QUIT; the exit code.

    Args:
        wanted: App, Redis and namespace.
        limits: The command's further options by parameter name.
        lifeline: End when standard input does.
        beat: What a beat beside it is told: ``paths`` and ``watch``; None for a worker alone.

    Raises:
        NotSent: No Redis within ten seconds.
        UnfitServer: The server would lose jobs.
    """
    if lifeline:
        follow_parent()
    return _run(wanted, limits) if beat is None else _run_with_beat(wanted, limits, beat)


def _run(wanted: Wanted, limits: Mapping[str, Any]) -> int:
    from beatline.cli.reach import wait_for_named_redis
    from beatline.logs import set_up_logging
    from beatline_worker.options import WorkerOptions
    from beatline_worker.supervisor import Supervisor

    level = wanted.log_level or "info"
    set_up_logging(level)
    wait_for_named_redis()
    options = WorkerOptions(
        app=wanted.required_app(),
        queues=tuple(name for name in limits["queues"].split(",") if name),
        concurrency=limits["concurrency"] or 0,
        children=limits["children"] or 0,
        autoscale=limits["autoscale"],
        pool=limits["pool"],
        grace_ms=limits["grace"],
        max_tasks_per_child=limits["max_tasks_per_child"],
        max_memory_per_child=limits["max_memory_per_child"],
        time_limit_ms=limits["time_limit"],
        soft_time_limit_ms=limits["soft_time_limit"],
        log_level=level,
        name=limits["name"],
        health=limits["health"],
        health_file=limits["health_file"],
        give_up_ms=limits["give_up"],
    )
    return Supervisor(options).run()


def _run_with_beat(wanted: Wanted, limits: Mapping[str, Any], told: Mapping[str, Any]) -> int:
    from beatline.cli.bell import Bell
    from beatline.cli.companion import Companion
    from beatline.cli.companions import beat_arguments, worker_arguments
    from beatline.cli.ensemble import Ensemble
    from beatline.cli.plain_stage import PlainStage

    beat = Companion("beat", beat_arguments(wanted, **told), captured=False)
    worker = Companion("worker", worker_arguments(wanted, limits), captured=False)
    grace_s = limits["grace"] / 1_000 + 10
    with Bell() as bell:
        return Ensemble([beat, worker], PlainStage(), bell, grace_s=grace_s).run()
