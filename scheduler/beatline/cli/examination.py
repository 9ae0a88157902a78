"""
What `sched doctor` looks at: pure judgements over what the server and this machine say.

`examine` asks and judges; the judging functions take plain values, so that each can be tested
without a server that is ill in just that way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from beatline.errors import UnfitServer
from beatline.keys import prefix
from beatline.settings import Settings
from beatline.store.vitals import server_settings
from beatline.triggers import tzdata_version
from beatline.wire.connection import HeldConnection
from beatline.wire.fitness import check_facts, server_facts

#: Difference of this machine's clock from the server's that is worth a word, ms. Nothing is
#: decided by this machine's clock, but what people compare in logs is told by it.
SKEW_MS: Final = 1_000
#: Settings that are looked at.
_SETTINGS: Final = (
    "maxmemory",
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "save",
    "min-replicas-to-write",
    "min-replicas-max-lag",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Attributes:
        level: ``ok``, ``warn`` or ``bad``.
        what: What was looked at.
        found: What was found.
        remedy: What to do; empty where all is well.
    """

    level: str
    what: str
    found: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """As JSON types."""
        return {
            "level": self.level,
            "what": self.what,
            "found": self.found,
            "remedy": self.remedy,
        }


def examine(connection: HeldConnection, settings: Settings) -> list[Finding]:
    """All findings about a server and this machine, the server's version first."""
    facts = server_facts(connection)
    configured = server_settings(connection, _SETTINGS)
    asked_ms = time.time() * 1_000
    seconds, micros = connection.call("TIME")
    # The server read its clock somewhere between question and answer.
    skew_ms = int((asked_ms + time.time() * 1_000) / 2 - (int(seconds) * 1_000 + int(micros) / 1e3))
    return [
        *judge_server(facts),
        *judge_persistence(facts, configured),
        *judge_replication(facts, configured, settings.lease_ms),
        judge_clock(skew_ms),
        *_judge_zones(connection, settings),
    ]


def judge_server(facts: Mapping[str, str]) -> Iterator[Finding]:
    """Version, eviction policy and memory."""
    name = "Valkey" if facts.get("server_name") == "valkey" else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "?")
    policy = facts.get("maxmemory_policy", "noeviction")
    try:
        warnings = check_facts(dict(facts))
    except UnfitServer as error:
        yield Finding("bad", "server", f"{name} {version}: {error.message}", error.remedy)
        return
    yield Finding("ok", "server", f"{name} {version}")
    for warning in warnings:
        message, _, remedy = warning.partition(" – ")
        yield Finding("warn", "maxmemory-policy", message, remedy)
    if not warnings:
        yield Finding("ok", "maxmemory-policy", policy)
    limit, used = _whole(facts.get("maxmemory")), _whole(facts.get("used_memory"))
    if limit and used > 0.8 * limit:
        yield Finding(
            "warn",
            "memory",
            f"{used * 100 // limit}% of maxmemory is in use",
            "raise maxmemory: when it is full, new jobs are refused",
        )
    else:
        yield Finding("ok", "memory", f"{facts.get('used_memory_human', '?')} in use")


def judge_persistence(facts: Mapping[str, str], configured: Mapping[str, str]) -> Iterator[Finding]:
    """What a crash of the server would cost."""
    if facts.get("aof_last_write_status", "ok") != "ok":
        yield Finding(
            "bad", "persistence", "the append-only file cannot be written", "free disk space"
        )
    elif facts.get("aof_enabled") == "1":
        sync = configured.get("appendfsync", "?")
        if sync == "no":
            yield Finding(
                "warn", "persistence", "append-only file, never synced", "set appendfsync everysec"
            )
        else:
            yield Finding("ok", "persistence", f"append-only file, synced: {sync}")
    else:
        kept = "snapshots only" if configured.get("save") else "nothing is written to disk"
        yield Finding(
            "warn",
            "persistence",
            f"{kept}: a crash of the server loses what was sent since",
            "set appendonly yes and appendfsync everysec",
        )


def judge_replication(
    facts: Mapping[str, str], configured: Mapping[str, str], lease_ms: int
) -> Iterator[Finding]:
    """Whether a failover may lose acknowledged jobs (R27)."""
    if facts.get("role", "master") != "master":
        yield Finding("bad", "role", "this server is a replica", "point the URL at the primary")
        return
    replicas = _whole(facts.get("connected_slaves"))
    if not replicas:
        yield Finding("ok", "replication", "none")
        return
    wanted = _whole(configured.get("min-replicas-to-write"))
    lag_s = _whole(configured.get("min-replicas-max-lag"))
    if wanted < 1 or not 0 < lag_s * 1_000 < lease_ms:
        yield Finding(
            "warn",
            "replication",
            f"{replicas} replicas, min-replicas-to-write {wanted}, max-lag {lag_s} s:"
            " a primary that is cut off goes on taking jobs that a failover drops",
            f"set min-replicas-to-write 1, and min-replicas-max-lag below {lease_ms // 1_000} s",
        )
    else:
        yield Finding("ok", "replication", f"{replicas} replicas, lag at most {lag_s} s")


def judge_clock(skew_ms: int) -> Finding:
    """How far this machine's clock is from the server's; positive where ours is ahead."""
    found = f"this machine is {abs(skew_ms)} ms {'ahead of' if skew_ms > 0 else 'behind'} Redis"
    if abs(skew_ms) > SKEW_MS:
        return Finding(
            "warn",
            "clock",
            found,
            "run NTP on both: jobs are on time by the server's clock, logs tell this one's",
        )
    return Finding("ok", "clock", found)


def _judge_zones(connection: HeldConnection, settings: Settings) -> Iterator[Finding]:
    from beatline.schedule_books import ScheduleBooks

    ours = tzdata_version()
    books = ScheduleBooks(connection, settings.namespace, settings.partitions)
    newer = sorted({one.tzdata for page in books.pages() for one in page if one.tzdata > ours})
    if newer:
        yield Finding(
            "warn",
            "time zones",
            f"tzdata {ours} here, but schedules were computed with {newer[-1]}",
            "pip install --upgrade tzdata",
        )
    else:
        yield Finding("ok", "time zones", f"tzdata {ours}")


def examine_invariants(connection: HeldConnection, settings: Settings) -> list[Finding]:
    """Whether what lies in Redis is sound: no id in two places, none without a record."""
    if find_spec("beatline.store.invariants") is None:
        return [Finding("warn", "invariants", "this version cannot check them", "upgrade")]
    check: Any = import_module("beatline.store.invariants").check
    broken: list[Finding] = []
    for number in range(settings.partitions):
        for problem in check(connection, prefix(settings.namespace, number)):
            broken.append(
                Finding("bad", "invariants", str(problem), "report it, with the server's version")
            )
    return broken or [Finding("ok", "invariants", "all hold")]


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
