"""
Whether a server is fit for us: version, eviction policy, and the namespace's layout.

A server that may evict any key can lose a job without a trace, so it is refused; one that may
evict keys with a TTL can lose results and is named in a warning.
"""

from __future__ import annotations

import re
from typing import Any, Final

import redis

from beatline.errors import InvalidSetting, UnfitServer
from beatline.keys import meta_key
from beatline.wire.connection import HeldConnection

#: Oldest Redis that works: LPOP with a count, ZRANGE BYSCORE, HRANDFIELD.
OLDEST: Final = (6, 2)
#: Version of the layout of keys and records.
LAYOUT: Final = 1


def check_server(client: redis.Redis) -> list[str]:
    """
    Refuse a server that would lose jobs; say what is doubtful about one that is fit.

    Returns:
        Warnings, each with its remedy.

    Raises:
        UnfitServer: Older than 6.2, or with an eviction policy that may throw jobs away.
    """
    facts: Any = client.info("everything")
    return check_facts({str(key): value for key, value in facts.items()})


def server_facts(connection: HeldConnection) -> dict[str, str]:
    """What INFO says, all sections in one."""
    text = connection.call("INFO", "everything").decode("utf-8", "replace")
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


def check_facts(facts: dict[str, Any]) -> list[str]:
    """As `check_server`, for what INFO said."""
    version = str(facts.get("redis_version", "0"))
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise UnfitServer(
            f"Redis {version} is too old", remedy="use Redis 6.2 or later, or Valkey 7.2 or later"
        )
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    if policy.startswith("allkeys"):
        raise UnfitServer(
            f"the server's maxmemory-policy is {policy}: it may throw jobs away",
            remedy="set maxmemory-policy to noeviction",
        )
    if policy.startswith("volatile"):
        return [
            f"the server's maxmemory-policy is {policy}: results may vanish before their time"
            " – set maxmemory-policy to noeviction"
        ]
    return []


def claim_namespace(client: redis.Redis, namespace: str, partitions: int) -> None:
    """
    Fix the namespace's number of partitions, or refuse another number than the fixed one (R23).

    Raises:
        InvalidSetting: The namespace is in use with another number, or by another layout.
    """
    key = meta_key(namespace)
    client.hsetnx(key, "partitions", str(partitions))
    client.hsetnx(key, "layout", str(LAYOUT))
    stored: Any = client.hmget(key, ["partitions", "layout"])
    fixed, layout = (value.decode() if value else "" for value in stored)
    if fixed != str(partitions):
        raise InvalidSetting(
            f"namespace {namespace!r} has {fixed or 'no'} partitions, this process asks for"
            f" {partitions}",
            remedy=f"set partitions={fixed}, or use another namespace",
        )
    if layout != str(LAYOUT):
        raise InvalidSetting(
            f"namespace {namespace!r} has layout {layout!r}, this version writes {LAYOUT}",
            remedy="upgrade this process, or use another namespace",
        )
