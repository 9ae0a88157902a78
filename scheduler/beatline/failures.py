"""What the failure of a call means: certainly nothing was done, or nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from beatline.errors import NotSent, RedisUnavailable, ServerRefused, Uncertain
from beatline.ids import id_text
from beatline.wire.refusals import REMEDIES, refusal_code


def code_of(error: BaseException) -> str | None:
    """The word of the server's refusal; it may lie behind a connection that was not made."""
    if isinstance(error, NotSent):
        return refusal_code(error.__cause__) if error.__cause__ is not None else None
    return refusal_code(error)


def may_have_run(error: BaseException, code: str | None) -> bool:
    """Whether a request that failed so may have taken effect all the same."""
    if code is None:
        return not isinstance(error, NotSent)
    # A script that fails half-way is a bug of ours or of the server's: nobody knows what it did.
    return code == "ERR" and "script" in str(error)


def described(ids: Sequence[bytes]) -> str:
    """One job by its id, several by their number."""
    return f"job {id_text(ids[0])}" if len(ids) == 1 else f"{len(ids)} jobs"


def uncertain(
    ids: Sequence[bytes], where: str, error: BaseException, repeat: Callable[[], Any] | None
) -> Uncertain:
    """
    The error for jobs that may be enqueued or not.

    Args:
        ids: The jobs.
        where: The server's URL, as it may be shown.
        error: What has become of the last attempt.
        repeat: Sends the same call again; None where that cannot be done.
    """
    return Uncertain(
        f"{described(ids)} may be enqueued or not: no certain answer from Redis at"
        f" {where}: {error}",
        task_ids=[id_text(raw) for raw in ids],
        repeat=repeat,
        remedy="call repeat() of this error: it makes at most one job"
        if repeat
        else "look the job up by its id: app.jobs.get(id)",
    )


def certain(where: str, error: BaseException) -> RedisUnavailable:
    """The error for a request that certainly had no effect; a new one each time."""
    code = code_of(error)
    if code:
        return ServerRefused(
            f"Redis at {where} refused: {error}",
            code=code,
            remedy=REMEDIES.get(code, "see the server's log"),
        )
    if isinstance(error, NotSent):
        return NotSent(error.message, remedy=error.remedy)
    return NotSent(
        f"no reply from Redis at {where}: {error}",
        remedy="see whether the server is up and reachable",
    )


def twin_of(error: RedisUnavailable) -> RedisUnavailable:
    """The same error once more, for another thread: each raises its own."""
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin
