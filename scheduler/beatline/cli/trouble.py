"""What needs a person, decided from what was read: pure, without Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from beatline.cli.output import count_text, instant_text, span_text
from beatline.errors import UnfitServer
from beatline.queue_turns import queue_name
from beatline.store.vitals import Vitals
from beatline.wire.fitness import check_facts

#: A beat that has not ticked for so long does not work, ms; it ticks twice a second.
SILENT_BEAT_MS: Final = 5_000
#: Alerts that are told one by one.
_MOST_ALERTS: Final = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that somebody has to see to, and how."""

    message: str
    remedy: str


def troubles(facts: Mapping[str, str], partitions: Sequence[Vitals]) -> list[Trouble]:
    """All that needs a person, the server first."""
    found = list(_of_server(facts))
    for vitals in partitions:
        found += _of_partition(vitals)
    return list(dict.fromkeys(found))


def _of_server(facts: Mapping[str, str]) -> Iterator[Trouble]:
    try:
        for warning in check_facts(dict(facts)):
            message, _, remedy = warning.partition(" – ")
            yield Trouble(message, remedy)
    except UnfitServer as error:
        yield Trouble(error.message, error.remedy)
    if facts.get("aof_last_write_status", "ok") != "ok":
        yield Trouble(
            "the server cannot write its append-only file", "free disk space, see the server's log"
        )
    if facts.get("rdb_last_bgsave_status", "ok") != "ok":
        yield Trouble("the server's last snapshot failed", "free disk space, see its log")


def _of_partition(vitals: Vitals) -> Iterator[Trouble]:
    age_ms = vitals.tick_age_ms
    has_work = bool(vitals.scheduled or vitals.workers or vitals.expected)
    if has_work and (age_ms is None or age_ms > SILENT_BEAT_MS):
        since = "no beat has ever run" if age_ms is None else f"no beat for {age_ms // 1_000} s"
        what = "promoted, fired or taken back from dead workers"
        if vitals.expected:
            late = count_text(vitals.expected, "schedule has", "schedules have")
            what += f", and nobody watches whether {late} a success within expect_within"
        yield Trouble(f"{since}: nothing is {what}", "start one: sched beat, or sched up")
    yield from _of_alerts(vitals)
    served = {
        queue_name(entry)
        for worker in vitals.workers
        if not worker.is_gone
        for entry in worker.facts.get("queues", "").split(",")
    }
    for queue in vitals.queues:
        if queue.ready and queue.name not in served and not queue.is_paused:
            yield Trouble(
                f"queue {queue.name} has {queue.ready:,} jobs and no worker",
                f"start one: sched worker -A APP -Q {queue.name}",
            )
    if vitals.dead:
        yield Trouble(
            f"{vitals.dead:,} dead letters: jobs that took their process down, or were rejected",
            "see them with sched dead list, then sched dead revive or drop",
        )
    if vitals.quarantined:
        yield Trouble(
            f"{vitals.quarantined:,} entries in quarantine: data that was not ours to understand",
            "find out who writes there; give each application its own Redis or namespace",
        )


def _of_alerts(vitals: Vitals) -> Iterator[Trouble]:
    """Schedules that have not succeeded within their time."""
    for alert in vitals.alerts[:_MOST_ALERTS]:
        within = span_text(alert.within_ms)
        if alert.last_success_ms is None:
            said = f"has never succeeded, and has to within {within}"
        else:
            passed = span_text(max(vitals.now_ms - alert.last_success_ms, 0))
            said = (
                f"has not succeeded for {passed}, and has to within {within}: its last success was "
                f"at {instant_text(alert.last_success_ms)}"
            )
        yield Trouble(
            f"schedule {alert.schedule} {said}",
            f"see what it did: sched why {alert.schedule}, "
            f"sched schedules history {alert.schedule}",
        )
    more = len(vitals.alerts) - _MOST_ALERTS
    if more > 0:
        yield Trouble(
            f"{count_text(more, 'more schedule has', 'more schedules have')} not succeeded within "
            "expect_within",
            "see them all with sched status --json",
        )
