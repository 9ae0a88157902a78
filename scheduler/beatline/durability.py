"""
Copies of what was written: WAIT for replicas, WAITAOF for the disk.

Both wait for the last write of their own connection. A repeated enqueue writes something, also
where it finds its jobs already there, so that there is always something to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.exceptions import ResponseError

from beatline.errors import NotDurable, UnfitServer
from beatline.ids import id_text
from beatline.routing import Durability
from beatline.wire.connection import HeldConnection


def check_durability(connection: HeldConnection) -> None:
    """
    Refuse a server that cannot say what is on its disk, before anything is written.

    Raises:
        UnfitServer: It has no WAITAOF.
    """
    facts = connection.call("COMMAND", "INFO", "WAITAOF")
    if not facts or not facts[0]:
        raise UnfitServer(
            'durability="fsync" needs the command WAITAOF, which this server lacks',
            remedy='use Redis 7.2 or later, or Valkey; or durability="replica"',
        )


def wait_for_copies(
    connection: HeldConnection, durability: Durability, ids: Sequence[bytes], timeout_ms: int
) -> None:
    """
    Wait until what this connection has written is on one disk, or on one replica.

    Raises:
        NotDurable: It is not, within the timeout; the jobs are enqueued all the same.
    """
    if durability == "memory":
        return
    # The server answers before our own patience ends; 0 would be for ever.
    server_ms = max(timeout_ms - 500, 1)
    named = f"job {id_text(ids[0])}" if len(ids) == 1 else f"{len(ids)} jobs"
    try:
        if durability == "replica":
            copies = int(connection.call("WAIT", 1, server_ms))
            wanted, remedy = "on no replica", "see whether a replica is connected: INFO replication"
        else:
            copies = int(connection.call("WAITAOF", 1, 0, server_ms)[0])
            wanted, remedy = "not on the server's disk", "see its disk: INFO persistence"
    except ResponseError as error:
        raise NotDurable(
            f"{named}: enqueued, but the server cannot wait for copies: {error}",
            remedy="switch its append-only file on, or leave durability out",
        ) from error
    if copies < 1:
        raise NotDurable(f"{named}: enqueued, but {wanted} after {server_ms} ms", remedy=remedy)
