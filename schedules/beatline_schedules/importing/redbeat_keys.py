"""Where celery-redbeat keeps its entries in Redis; reads only."""

from __future__ import annotations

from typing import Any, Final

from beatline_schedules.importing.redbeat import PREFIX

#: Keys that are asked for in one round trip.
_PAGE: Final = 500


def read_definitions(client: Any, prefix: str = PREFIX) -> dict[str, bytes]:
    """
    The definitions of redbeat's entries by their keys.

    Args:
        client: A redis-py client of the server that redbeat uses.
        prefix: What stands before each name; redbeat's ``redbeat_key_prefix``.

    Returns:
        Key -> JSON. Keys without a definition, such as redbeat's lock and its sorted set, are
        passed over.
    """
    definitions: dict[str, bytes] = {}
    page: list[bytes] = []
    pattern = "".join(f"[{char}]" if char in "*?[" else char for char in prefix) + "*"
    for key in client.scan_iter(match=pattern, count=_PAGE, _type="hash"):
        page.append(key)
        if len(page) == _PAGE:
            definitions |= _read(client, page)
            page.clear()
    return definitions | _read(client, page)


def _read(client: Any, keys: list[bytes]) -> dict[str, bytes]:
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hget(key, "definition")
        replies = pipeline.execute(raise_on_error=False)
    return {
        key.decode("utf-8", "replace"): reply
        for key, reply in zip(keys, replies, strict=True)
        if isinstance(reply, bytes)
    }
