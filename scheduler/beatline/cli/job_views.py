"""Jobs as commands show them: in a table, in full, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from beatline.cli.output import (
    instant_json,
    instant_text,
    one_line,
    print_table,
    span_text,
    state_text,
)
from beatline.errors import UndecodableJob

if TYPE_CHECKING:
    from beatline.job import Job
    from beatline.outcome import Outcome
    from beatline.store.views import JobView, Progress


def call_text(job: Job) -> str:
    """The call as Python would write it: ``mail.send(42, full=True)``."""
    words = [repr(value) for value in job.args]
    words += [f"{name}={value!r}" for name, value in job.kwargs.items()]
    return f"{job.task}({', '.join(words)})"


def when_text(view: JobView) -> str:
    """The instant that matters in the job's state."""
    if view.due_ms is not None:
        return instant_text(view.due_ms)
    outcome = _outcome(view)
    if outcome is not None and outcome.finished_ms:
        return instant_text(outcome.finished_ms)
    return "-"


def print_jobs(views: Sequence[JobView]) -> None:
    """Jobs in a table; what they were called with is cut to the terminal's width."""
    print_table(
        ["ID", "STATE", "QUEUE", "WHEN", "CALL"],
        [
            [
                view.id,
                state_text(view.state),
                view.job.queue if view.job else "-",
                when_text(view),
                one_line(call_text(view.job)) if view.job else view.problem or view.task or "-",
            ]
            for view in views
        ],
    )


def progress_text(progress: Progress) -> str:
    """How far a job says it is: ``3 of 5 (60 %), step 3``."""
    text = f"{progress.current:g}"
    if progress.total:
        text += f" of {progress.total:g} ({100 * progress.current / progress.total:.0f} %)"
    return f"{text}, {progress.message}" if progress.message else text


def print_job(view: JobView) -> None:
    """All that is known of a job, one fact to a line."""
    facts: list[tuple[str, str]] = [("id", view.id), ("state", state_text(view.state))]
    job = view.job
    if job is not None:
        facts += [
            ("call", one_line(call_text(job), 2_000)),
            ("queue", f"{job.queue}, priority {job.priority}"),
        ]
        if job.schedule is not None:
            facts.append(("schedule", f"{job.schedule}, fire time {instant_text(job.nominal_ms)}"))
        for name in ("eta", "expires"):
            if isinstance(job.options.get(name), int):
                facts.append((name, instant_text(job.options[name])))
    elif view.task:
        facts.append(("task", view.task))
    if view.progress is not None:
        facts.append(("progress", progress_text(view.progress)))
    if view.problem:
        facts.append(("problem", view.problem))
    if view.due_ms is not None:
        facts.append(("due", instant_text(view.due_ms)))
    if view.worker:
        facts.append(("worker", f"{view.worker}, child {view.consumer}, fence {view.fence}"))
    if view.deliveries or view.attempts:
        told = f"{view.deliveries} deaths of its process, {view.attempts} failed attempts"
        facts.append(("so far", told))
    if view.cancelled:
        facts.append(("cancelled", f"asked for ({view.cancelled}); its worker has been told"))
    facts += _outcome_facts(view)
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        click.echo(f"{name:<{width}}  {value}")
    outcome = _outcome(view)
    if outcome is not None and outcome.traceback:
        click.echo(f"\n{outcome.traceback.rstrip()}")


def _outcome_facts(view: JobView) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    try:
        outcome = view.outcome
    except UndecodableJob as error:
        return [("problem", str(error))]
    if outcome is None:
        return facts
    if outcome.started_ms:
        took = span_text(outcome.finished_ms - outcome.started_ms)
        facts.append(("ran", f"{instant_text(outcome.started_ms)}, {took}, on {outcome.worker}"))
    if outcome.retries:
        facts.append(("retries", str(outcome.retries)))
    if outcome.error is not None:
        told = f"{type(outcome.error).__name__}: {outcome.error}"
        facts.append(("error", one_line(told, 2_000)))
    elif str(view.state) == "SUCCESS":
        facts.append(("result", one_line(repr(outcome.value), 2_000)))
    for name, value in (outcome.forensics or {}).items():
        facts.append((str(name), one_line(str(value), 500)))
    return facts


def job_json(view: JobView) -> dict[str, Any]:
    """A job as JSON types; values that JSON does not know become text."""
    job = view.job
    found: dict[str, Any] = {
        "id": view.id,
        "state": str(view.state),
        "task": view.task or None,
        "queue": job.queue if job else None,
        "tags": list(view.tags),
        "priority": job.priority if job else None,
        "args": job.args if job else None,
        "kwargs": job.kwargs if job else None,
        "schedule": job.schedule if job else None,
        "fire_time": instant_json(job.nominal_ms) if job else None,
        "due": instant_json(view.due_ms),
        "worker": view.worker or None,
        "deliveries": view.deliveries,
        "attempts": view.attempts,
        "cancelled": view.cancelled or None,
        "forensics": _forensics(view.forensics),
        "progress": view.progress._asdict() if view.progress is not None else None,
    }
    outcome = _outcome(view)
    if outcome is not None:
        found |= {
            "result": outcome.value,
            "error": repr(outcome.error) if outcome.error else None,
            "traceback": outcome.traceback or None,
            "started": instant_json(outcome.started_ms or None),
            "finished": instant_json(outcome.finished_ms or None),
            "worker": outcome.worker or None,
        }
    return found


def _forensics(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _outcome(view: JobView) -> Outcome | None:
    try:
        return view.outcome
    except UndecodableJob:
        return None
