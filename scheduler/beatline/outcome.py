"""
How a job ended: what a result key holds after its state.

``result:<id>`` is the state as text, a line feed, and a body: for SUCCESS and FAILURE the
msgpack map of this module, for DEAD and LOST forensics in JSON, else nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from beatline.errors import UndecodableJob
from beatline.payload import dumps, loads, plain
from beatline.payload_exceptions import pack_exception, unpack_exception
from beatline.payload_types import ENCODER
from beatline.states import JobState


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The end of a job.

    Attributes:
        state: A final state.
        value: What the task returned.
        error: What it raised, rebuilt where its class is known here.
        traceback: The worker's traceback.
        started_ms, finished_ms: On the server's clock; 0 where not known.
        worker: Id of the worker.
        retries: Attempts that had failed before.
        task: Name of the task; empty where it is not known.
        forensics: For DEAD and LOST: what is known of the end.
    """

    state: JobState
    value: Any = None
    error: Exception | None = None
    traceback: str = ""
    started_ms: int = 0
    finished_ms: int = 0
    worker: str = ""
    retries: int = 0
    task: str = ""
    forensics: dict[str, Any] | None = None


def success_body(
    value: Any, *, started_ms: int, finished_ms: int, worker: str, retries: int, task: str = ""
) -> bytes:
    """
    The body of a SUCCESS.

    Raises:
        UnserializableArgument: The task returned something that cannot travel.
    """
    sent = plain(value, "result")
    return ENCODER.encode([sent, None, "", started_ms, finished_ms, worker, retries, task])


def failure_body(
    error: BaseException,
    traceback: str,
    *,
    started_ms: int,
    finished_ms: int,
    worker: str,
    retries: int,
    task: str = "",
) -> bytes:
    """The body of a FAILURE; never raises: what cannot travel goes as its repr."""
    packed = pack_exception(error)
    whole = [None, packed, traceback, started_ms, finished_ms, worker, retries, task]
    return dumps(whole, "result")


def read_outcome(stored: bytes) -> Outcome:
    """
    The outcome behind the bytes of a result key.

    Raises:
        UndecodableJob: They are not a result of ours.
    """
    word, _, body = stored.partition(b"\n")
    try:
        state = JobState(word.decode("ascii"))
    except ValueError:
        raise UndecodableJob(f"a result begins with {word[:40]!r}, which is no state") from None
    if not body:
        return Outcome(state)
    if state in (JobState.DEAD, JobState.LOST, JobState.CANCELLED):
        try:
            forensics = json.loads(body)
        except ValueError:
            forensics = {"reason": body.decode("utf-8", "replace")}
        return Outcome(state, forensics=forensics)
    try:
        value, packed, traceback, started_ms, finished_ms, worker, retries, task = loads(body)
    except (TypeError, ValueError):
        raise UndecodableJob("a result has a body that is not one of ours") from None
    error = unpack_exception(packed, traceback=traceback) if packed is not None else None
    return Outcome(state, value, error, traceback, started_ms, finished_ms, worker, retries, task)
