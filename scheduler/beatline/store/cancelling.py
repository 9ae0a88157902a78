"""Cancel and reschedule: one step each, with an answer that is true at that instant."""

from __future__ import annotations

from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script


def cancel(
    connection: HeldConnection, prefix: bytes, raw_id: bytes, result_ttl_ms: int, *, hard: bool
) -> tuple[str, str]:
    """
    Remove a job before its start, or flag it where it runs.

    Returns:
        (``CANCELLED``, "") | (``RUNNING``, worker) | (``DONE``, state) | (``UNKNOWN``, "").
    """
    word, detail = connection.run(
        script("cancel"), prefix, raw_id, result_ttl_ms, "hard" if hard else "soft"
    )
    return word.decode(), detail.decode("utf-8", "replace")


def reschedule(
    connection: HeldConnection, prefix: bytes, raw_id: bytes, due_ms: int
) -> tuple[str, str]:
    """
    Move a waiting job to another instant; ``due_ms`` 0 runs it now.

    Returns:
        (``OK``, "") | (``RUNNING``, worker) | (``DONE``, state) | (``UNKNOWN``, "").
    """
    word, detail = connection.run(script("reschedule"), prefix, raw_id, due_ms)
    return word.decode(), detail.decode("utf-8", "replace")
