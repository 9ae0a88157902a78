"""
What a child leaves behind when it ends: what it had finished, and what its death is charged to.

Read from its row at the moment of its end, before the row is used again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any

from beatline.errors import TimeLimitExceeded
from beatline.ids import id_text, partition_of
from beatline.outcome import failure_body
from beatline.states import JobState
from beatline.store.delivering import Settlement
from beatline_worker.lanes import FLAG_UNSURE, Running
from beatline_worker.nursery import Ended
from beatline_worker.options import EXIT_DESYNCHRONISED
from beatline_worker.table import Row

#: Verdicts under which no running job is charged with the death.
_UNCHARGED = frozenset({"cold", "struck", "isolated"})


@dataclass(frozen=True, slots=True)
class Estate:
    """
    What is to be settled for a child that has ended.

    Attributes:
        consumer: Its id.
        charged_fences: The deliveries that are charged with its death.
        settlements: What it had finished, and the verdict on the job for which it was killed.
        forensics: JSON, for the dead letter.
        cause: For the log, such as ``SIGKILL`` or ``exit code 3``.
        ran: A job that was running, as text; empty none.
    """

    consumer: str
    charged_fences: list[int]
    settlements: list[Settlement]
    forensics: str
    cause: str
    ran: str

    def of_partition(self, partition: int, partitions: int) -> list[Settlement]:
        """The settlements that belong to a partition."""
        return [one for one in self.settlements if partition_of(one.id, partitions) == partition]


def estate_of(ended: Ended, worker: str, result_ttl_ms: int) -> Estate:
    """The estate of a child, from its row and the way it ended."""
    child, row = ended.child, ended.child.row
    settlements = row.outbox()
    finished = {one.fence for one in settlements}
    # A job whose end is in the outbox has finished, whatever the row says it was about to do.
    ran = [(at, one) for at, one in row.running() if one.fence not in finished]
    cause = _cause(ended.status)
    facts: dict[str, Any] = {
        "reason": "the process died",
        "cause": cause,
        "worker": worker,
        "host": socket.gethostname(),
        "pid": child.pid,
        "peak_rss_kib": ended.peak_rss_kib,
        "at_ms": int(time.time() * 1000),
        "running": len(ran),
        **_facts_of_run(row, ran),
    }
    meant = [(at, one) for at, one in ran if one.fence == child.verdict_fence]
    if meant:
        own = {**facts, **_facts_of_run(row, meant)}
        at, one = meant[0]
        raw_id = row.lane(at).job_id
        verdict = _verdict_settlement(child.verdict, raw_id, one.fence, own, result_ttl_ms)
        if verdict is not None:
            settlements.append(verdict)
            ran.remove(meant[0])
    orderly = ended.status is not None and os.waitstatus_to_exitcode(ended.status) in (
        0,
        EXIT_DESYNCHRONISED,
    )
    return Estate(
        consumer=child.consumer,
        charged_fences=_charged(child.verdict, [one for _, one in ran], orderly=orderly),
        settlements=settlements,
        forensics=json.dumps(facts, ensure_ascii=False),
        cause=child.verdict or cause,
        ran=id_text(row.lane(ran[0][0]).job_id) if ran else "",
    )


def _facts_of_run(row: Row, ran: list[tuple[int, Running]]) -> dict[str, Any]:
    """What the row tells of a job; where several ran, of none in particular."""
    if len(ran) != 1:
        return {"task": "", "ran_ms": 0}
    at, one = ran[0]
    ran_ms = (time.monotonic_ns() - one.started_ns) // 1_000_000
    return {"task": row.lane(at).task, "ran_ms": ran_ms}


def _charged(verdict: str, ran: list[Running], *, orderly: bool) -> list[int]:
    """
    Which of the running jobs are charged with the death.

    All of them where nobody knows the reason. Where we killed the child for the sake of one, its
    neighbours are not: but those that must not run twice are, because they have begun.
    """
    if verdict in _UNCHARGED:
        return []
    if verdict or orderly:
        return [one.fence for one in ran if one.flags & FLAG_UNSURE]
    return [one.fence for one in ran]


def _verdict_settlement(
    verdict: str, raw_id: bytes, fence: int, facts: dict[str, Any], ttl_ms: int
) -> Settlement | None:
    if verdict == "cancelled":
        return Settlement(raw_id, fence, "end", state=str(JobState.CANCELLED), ttl_ms=ttl_ms)
    if verdict != "time_limit":
        return None
    error = TimeLimitExceeded(
        f"job {id_text(raw_id)} ran longer than its time limit: its process was killed after"
        f" {facts['ran_ms']} ms"
    )
    now_ms = facts["at_ms"]
    body = failure_body(
        error,
        "",
        started_ms=now_ms - facts["ran_ms"],
        finished_ms=now_ms,
        worker=facts["worker"],
        retries=0,
        task=facts["task"],
    )
    return Settlement(
        raw_id,
        fence,
        "end",
        state=str(JobState.FAILURE),
        body=body,
        ttl_ms=ttl_ms,
        detail=f"{facts['worker']} {now_ms - facts['ran_ms']}",
    )


def _cause(status: int | None) -> str:
    if status is None:
        return "died with its parent"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
