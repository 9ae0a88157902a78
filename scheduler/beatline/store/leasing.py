"""Leases: who is alive, who holds what, and what becomes of it when they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from beatline.store.delivering import Settlement, arguments_of
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script


class Renewal(NamedTuple):
    """
    The answer to a heartbeat.

    Attributes:
        word: ``OK``, ``GONE`` (the worker was struck: its runs are void) or ``UNKNOWN`` (worker
            or consumers are not on the books: register all of them anew).
        now_us: The server's clock.
        cancelled: Ids held here that somebody cancelled, and how: ``soft`` or ``hard``.
        lost: Ids of the list sent along that another delivery owns.
        unlisted: Ids held here that the list lacked, with ``(consumer, fence)``.
        control: Commands to the worker.
        holders: Who holds each cancelled id, as ``(consumer, fence)``.
    """

    word: str
    now_us: int
    cancelled: dict[bytes, str]
    lost: list[bytes]
    unlisted: dict[bytes, tuple[str, int]]
    control: list[bytes]
    holders: dict[bytes, tuple[str, int]]


class Reclaimed(NamedTuple):
    """
    What a tick of the watch found.

    Attributes:
        watched_ms: The watch's clock.
        gone: Workers whose lease ran out.
        returned: Jobs taken back.
        pending: Workers still to be emptied.
        absence_ms: How long nobody had ticked before this tick; 0 for ordinary gaps.
    """

    watched_ms: int
    gone: list[str]
    returned: int
    pending: int
    absence_ms: int


def register(
    connection: HeldConnection,
    prefix: bytes,
    worker: str,
    lease_ms: int,
    about: Mapping[str, str],
    consumers: Sequence[str],
) -> bool:
    """
    Enter a worker and its consumers into the books; False where the worker was struck.

    *Retry-safe*: yes.
    """
    arguments: list[Argument] = [worker, lease_ms, len(about)]
    for field, value in about.items():
        arguments += (field, value)
    reply = connection.run(script("register"), prefix, *arguments, *consumers)
    return bool(reply[0] == b"OK")


def renew(
    connection: HeldConnection,
    prefix: bytes,
    worker: str,
    lease_ms: int,
    held: Sequence[tuple[bytes, int]] | None = None,
    timeout_ms: int | None = None,
    *,
    heard: Sequence[bytes] = (),
) -> Renewal:
    """
    Keep the worker's lease.

    Args:
        connection: The lease keeper's own.
        prefix: The partition's key prefix.
        worker: Id of the worker.
        lease_ms: Length of the lease.
        held: (id, fence) of all runs of this worker, to be compared; None compares nothing.
        timeout_ms: Longest wait.
        heard: Control messages of earlier answers that were carried out: they are not told again.
    """
    flags = ("" if held is None else "c") + ("h" if heard else "")
    arguments: list[Argument] = [worker, lease_ms, flags]
    if heard:
        arguments += (len(heard), *heard)
    for pair in held or ():
        arguments += pair
    word, now_us, cancelled, lost, unlisted, control, holders = connection.run(
        script("renew"), prefix, *arguments, timeout_ms=timeout_ms
    )
    return Renewal(
        word=word.decode(),
        now_us=int(now_us),
        cancelled={
            cancelled[at]: cancelled[at + 1].decode("utf-8", "replace")
            for at in range(0, len(cancelled), 2)
        },
        lost=lost,
        unlisted=_owners(unlisted[::2], unlisted[1::2]),
        control=control,
        holders=_owners(cancelled[::2], holders),
    )


def _owners(ids: Sequence[bytes], entries: Sequence[bytes]) -> dict[bytes, tuple[str, int]]:
    """Who holds each id, as ``(consumer, fence)``, from entries of `held`."""
    found: dict[bytes, tuple[str, int]] = {}
    for raw_id, entry in zip(ids, entries, strict=False):
        consumer, _, fence = entry.rpartition(b":")
        if fence.isdigit():
            found[raw_id] = (consumer.decode("utf-8", "replace"), int(fence))
    return found


def release(
    connection: HeldConnection,
    prefix: bytes,
    worker: str,
    consumer: str,
    *,
    charged_fences: Sequence[int] = (),
    forensics: str,
    max_deliveries: int,
    result_ttl_ms: int,
    settlements: Sequence[Settlement] = (),
) -> int:
    """
    Return what a dead child held, and strike it.

    Args:
        connection: The supervisor's.
        prefix: The partition's key prefix.
        worker: Id of the worker.
        consumer: Id of the child that has ended, for certain.
        charged_fences: Tokens of the deliveries that ran when it died.
        forensics: JSON, kept where the job is buried.
        max_deliveries: Charges that bury a job.
        result_ttl_ms: How long results are kept.
        settlements: What the child had finished but not yet settled.

    Returns:
        Number of jobs that went back or were buried; 0 also where the worker was struck.

    *Retry-safe*: yes. *Atomicity*: ``release.lua``.
    """
    arguments: list[Argument] = [
        worker,
        consumer,
        " ".join(str(fence) for fence in charged_fences),
        forensics,
        max_deliveries,
        result_ttl_ms,
        *arguments_of(settlements),
    ]
    return int(connection.run(script("release"), prefix, *arguments)[1])


def give_back(
    connection: HeldConnection,
    prefix: bytes,
    worker: str,
    consumer: str,
    after_fence: int,
    result_ttl_ms: int,
    *,
    up_to_fence: int | None = None,
) -> int:
    """
    Return what a living child holds beyond a fence and will not start.

    Args:
        connection: The supervisor's.
        prefix: The partition's key prefix.
        worker: Id of the worker.
        consumer: Id of the child.
        after_fence: What has a higher token goes back.
        result_ttl_ms: How long the result of a cancelled job is kept.
        up_to_fence: The last token that had reached the child when it was told not to go on. What
            it takes later must not go back: a call that arrives late, or crosses with a take,
            would return jobs that the child is about to run.

    Returns:
        The number of jobs that went back.

    *Retry-safe*: only with ``up_to_fence``. *Atomicity*: ``give_back.lua``.
    """
    last: Argument = "" if up_to_fence is None else up_to_fence
    arguments: tuple[Argument, ...] = (worker, consumer, after_fence, result_ttl_ms, last)
    return int(connection.run(script("give_back"), prefix, *arguments)[1])


def last_fence(connection: HeldConnection, prefix: bytes) -> int:
    """
    The highest token of the partition that has been drawn so far; 0 where none can be read.

    *Retry-safe*: yes, it changes nothing. Later tokens are all higher (R11).
    """
    try:
        drawn: Any = connection.call("GET", prefix + b"fence")
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return 0
    return int(drawn) if drawn and drawn.isdigit() else 0


def leave(connection: HeldConnection, prefix: bytes, worker: str) -> int:
    """Take a stopped worker off the books; the number of jobs it still holds (0: it has left)."""
    reply: Any = connection.run(script("leave"), prefix, worker)
    return 0 if reply[0] == b"OK" else int(reply[1])


def read_reclaimed(reply: Any) -> Reclaimed:
    """The answer behind a reply of ``reclaim.lua``."""
    watched, gone, returned, pending, absence = reply
    return Reclaimed(
        int(watched),
        [worker.decode("utf-8", "replace") for worker in gone],
        int(returned),
        int(pending),
        int(absence),
    )


def reclaim(
    connection: HeldConnection,
    prefix: bytes,
    *,
    limit: int,
    max_deliveries: int,
    result_ttl_ms: int,
) -> Reclaimed:
    """Tick the watch and take back what dead workers held, at most ``limit`` jobs."""
    return read_reclaimed(
        connection.run(script("reclaim"), prefix, limit, max_deliveries, result_ttl_ms)
    )
