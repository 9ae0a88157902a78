"""``sched status``: how all of it is, on one page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from beatline.cli.output import (
    alert_json,
    count_text,
    instant_json,
    instant_text,
    one_line,
    passed_text,
    print_json,
    print_table,
    span_text,
)
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted
from beatline.ids import id_text

if TYPE_CHECKING:
    from beatline.store.views import QuarantineEntry, WorkerView
    from beatline.store.vitals import Vitals


@click.command(
    epilog="""\b
Examples:
  sched status                 of the embedded server of this folder
  sched status --redis redis://host:6379/0
  sched status --json | jq '.trouble'

\b
Exit code 1 where something needs a person: no beat, no worker for waiting jobs, dead
letters, quarantined data, a server that may lose jobs. Each comes with its remedy."""
)
@json_option
@place_options
@click.pass_obj
def command(wanted: Wanted, as_json: bool) -> int:
    """Show server, beats, workers, queues, dead letters and quarantine, and what to do."""
    from beatline.cli.reach import connection_to, open_app
    from beatline.cli.trouble import troubles
    from beatline.keys import prefix
    from beatline.store.vitals import read_vitals
    from beatline.wire.fitness import server_facts

    app = open_app(wanted)
    with connection_to(app) as connection:
        facts = server_facts(connection)
        partitions = [
            read_vitals(connection, prefix(app.settings.namespace, number))
            for number in range(app.settings.partitions)
        ]
        where = connection.endpoint.safe_url
    found = troubles(facts, partitions)
    if as_json:
        print_json(_json(where, app.settings.namespace, facts, partitions, found))
        return 1 if found else 0
    _print_server(where, app.settings.namespace, facts)
    for number, vitals in enumerate(partitions):
        if len(partitions) > 1:
            click.echo(f"\n== partition {number}")
        _print_partition(vitals)
    for trouble in found:
        click.echo(f"\n{click.style('!', fg='red')} {trouble.message}")
        click.echo(f"  remedy: {trouble.remedy}")
    if not found:
        click.echo(f"\n{click.style('All is well.', fg='green')}")
    return 1 if found else 0


def server_name(facts: dict[str, str]) -> str:
    """``Redis 7.0.15`` or ``Valkey 9.0.1``."""
    if facts.get("server_name") == "valkey":
        return f"Valkey {facts.get('valkey_version', '?')}"
    return f"Redis {facts.get('redis_version', '?')}"


def _print_server(where: str, namespace: str, facts: dict[str, str]) -> None:
    persistence = "append-only file" if facts.get("aof_enabled") == "1" else "snapshots at most"
    click.echo(
        f"server    {server_name(facts)} at {where}, namespace {namespace}\n"
        f"          {facts.get('used_memory_human', '?')} in use, persistence: {persistence},"
        f" {facts.get('connected_clients', '?')} clients"
    )


def _print_partition(vitals: Vitals) -> None:
    now_ms = vitals.now_ms
    tick = passed_text(vitals.ticked_ms, now_ms) if vitals.ticked_ms is not None else "never"
    click.echo(f"watch     last tick {tick}")
    for begun_ms, ended_ms in vitals.absences[-3:]:
        length = span_text(ended_ms - begun_ms)
        click.echo(f"          no beat for {length} until {instant_text(ended_ms)}")
    for beat, round_ms in sorted(vitals.beats.items()):
        term = vitals.leader.term if vitals.leader else 0
        role = f"leads, term {term}" if beat == vitals.leading else "stands by"
        click.echo(f"beat      {beat}: {role}, last round {passed_text(round_ms, now_ms)}")
    if not vitals.beats:
        click.echo("beat      none")
    click.echo(f"schedules {vitals.schedules:,}{_expected_text(vitals)}")
    click.echo(
        f"timeline  {count_text(vitals.scheduled, 'entry', 'entries')}, {vitals.overdue:,} overdue"
    )
    dead, aside = count_text(vitals.dead, "dead letter"), f"{vitals.quarantined:,} quarantined"
    click.echo(f"set aside {dead}, {aside}")
    _print_workers(vitals.workers, now_ms)
    _print_queues(vitals)
    for entry in vitals.aside:
        said = f": {entry.reason}" if entry.reason else ""
        click.echo(
            f"quarantined {instant_text(entry.at_ms)}  {one_line(what_text(entry) + said, 120)}"
        )


def what_text(entry: QuarantineEntry) -> str:
    """Kind and place of what was set aside, such as ``job 0196…``."""
    kind, _, where = entry.member.partition(b" ")
    # The instant in between only keeps the member unique.
    where = re.sub(rb"^\d{15,17} ", b"", where)
    place = id_text(where) if kind == b"job" else where.decode("utf-8", "backslashreplace")
    return f"{kind.decode('utf-8', 'backslashreplace')} {place}"


def renewed_ms(worker: WorkerView) -> int | None:
    """When a worker last renewed its lease, on the server's clock."""
    text = worker.facts.get("renewed", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _expected_text(vitals: Vitals) -> str:
    """How many schedules have to succeed within a time, and how many of them are late."""
    late = len(vitals.alerts)
    if not vitals.expected and not late:
        return ""
    return f", {vitals.expected + late:,} with expect_within: {late:,} late"


def _print_workers(workers: list[WorkerView], now_ms: int) -> None:
    click.echo()
    if not workers:
        click.echo("workers   none")
        return
    print_table(
        ["WORKER", "HOST", "PID", "POOL", "QUEUES", "HELD", "RENEWED", "STATE"],
        [
            [
                worker.facts.get("name") or worker.id,
                worker.facts.get("host", "?"),
                worker.facts.get("pid", "?"),
                f"{worker.facts.get('pool', '?')} x{worker.facts.get('concurrency', '?')}",
                worker.facts.get("queues", "?"),
                str(worker.held),
                passed_text(renewed_ms(worker), now_ms),
                _worker_state(worker),
            ]
            for worker in workers
        ],
        right=(2, 5),
    )


def _worker_state(worker: WorkerView) -> str:
    if worker.is_gone:
        return click.style("gone: its jobs are taken back", fg="red")
    if worker.lease_left_ms is not None and worker.lease_left_ms < 0:
        return click.style(f"lease over for {span_text(-worker.lease_left_ms)}", fg="yellow")
    return "alive"


def _print_queues(vitals: Vitals) -> None:
    click.echo()
    if vitals.queues:
        _print_ready(vitals)
    else:
        click.echo("queues    none has been used")


def _print_ready(vitals: Vitals) -> None:
    print_table(
        ["QUEUE", "READY", "STATE"],
        [
            [queue.name, f"{queue.ready:,}", "paused" if queue.is_paused else "open"]
            for queue in vitals.queues
        ],
        right=(1,),
    )


def _json(
    where: str,
    namespace: str,
    facts: dict[str, str],
    partitions: list[Vitals],
    found: list[Any],
) -> dict[str, Any]:
    return {
        "server": {
            "name": server_name(facts),
            "url": where,
            "used_memory_bytes": int(facts.get("used_memory", "0")),
            "aof": facts.get("aof_enabled") == "1",
            "maxmemory_policy": facts.get("maxmemory_policy", ""),
        },
        "namespace": namespace,
        "partitions": [vitals_json(vitals) for vitals in partitions],
        "trouble": [{"message": one.message, "remedy": one.remedy} for one in found],
    }


def vitals_json(vitals: Vitals) -> dict[str, Any]:
    """A partition's vitals as JSON types."""
    return {
        "now": instant_json(vitals.now_ms),
        "watch": {
            "last_tick": instant_json(vitals.ticked_ms),
            "tick_age_ms": vitals.tick_age_ms,
            "absences": [
                {"from": instant_json(begun), "to": instant_json(ended)}
                for begun, ended in vitals.absences
            ],
        },
        "beats": [
            {"id": beat, "leads": beat == vitals.leading, "last_round": instant_json(round_ms)}
            for beat, round_ms in sorted(vitals.beats.items())
        ],
        "term": vitals.leader.term if vitals.leader else 0,
        "workers": [_worker_json(worker, vitals.now_ms) for worker in vitals.workers],
        "queues": [
            {
                "name": queue.name,
                "ready": queue.ready,
                "paused": queue.is_paused,
            }
            for queue in vitals.queues
        ],
        "timeline": vitals.scheduled,
        "overdue": vitals.overdue,
        "live_jobs": vitals.live,
        "schedules": vitals.schedules,
        "expected": vitals.expected,
        "alerts": [alert_json(alert) for alert in vitals.alerts],
        "dead": vitals.dead,
        "quarantined": vitals.quarantined,
        "quarantine": [_aside_json(entry) for entry in vitals.aside],
        "counters": vitals.counters,
    }


def _worker_json(worker: WorkerView, now_ms: int) -> dict[str, Any]:
    renewed = renewed_ms(worker)
    return {
        "id": worker.id,
        "state": "gone" if worker.is_gone else "alive",
        "held": worker.held,
        "renewed": instant_json(renewed),
        "renewed_age_ms": None if renewed is None else max(now_ms - renewed, 0),
        "lease_left_ms": worker.lease_left_ms,
        **{key: value for key, value in worker.facts.items() if key not in ("tasks", "renewed")},
    }


def _aside_json(entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "at": instant_json(entry.at_ms),
        "what": what_text(entry),
        "reason": entry.reason,
        "sample": entry.blob[:80].decode("utf-8", "backslashreplace"),
    }
