"""What the doctor says of servers that are ill in one way each."""

from __future__ import annotations

import pytest

from beatline.cli.examination import (
    Finding,
    judge_clock,
    judge_persistence,
    judge_replication,
    judge_server,
)

SOUND = {"redis_version": "7.0.15", "maxmemory_policy": "noeviction", "used_memory": "1000"}


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.what: finding.level for finding in findings}


@pytest.mark.parametrize(
    ("facts", "what", "level"),
    [
        ({}, "server", "ok"),
        ({"redis_version": "6.0.16"}, "server", "bad"),
        ({"maxmemory_policy": "allkeys-lru"}, "server", "bad"),
        ({"maxmemory_policy": "volatile-ttl"}, "maxmemory-policy", "warn"),
        ({"maxmemory": "1100"}, "memory", "warn"),
        ({"maxmemory": "0"}, "memory", "ok"),
    ],
)
def test_server_when_judged_then_by_version_policy_and_memory(
    facts: dict[str, str], what: str, level: str
) -> None:
    assert level == levels(list(judge_server(SOUND | facts)))[what]


@pytest.mark.parametrize(
    ("facts", "configured", "level"),
    [
        ({"aof_enabled": "1"}, {"appendfsync": "everysec"}, "ok"),
        ({"aof_enabled": "1"}, {"appendfsync": "no"}, "warn"),
        ({"aof_enabled": "0"}, {"save": "3600 1"}, "warn"),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, {}, "bad"),
    ],
)
def test_persistence_when_judged_then_by_what_a_crash_costs(
    facts: dict[str, str], configured: dict[str, str], level: str
) -> None:
    assert level == levels(list(judge_persistence(facts, configured)))["persistence"]


@pytest.mark.parametrize(
    ("facts", "configured", "expected"),
    [
        ({}, {}, {"replication": "ok"}),
        ({"role": "slave"}, {}, {"role": "bad"}),
        ({"connected_slaves": "1"}, {}, {"replication": "warn"}),
        (
            {"connected_slaves": "1"},
            {"min-replicas-to-write": "1", "min-replicas-max-lag": "10"},
            {"replication": "ok"},
        ),
        (
            {"connected_slaves": "1"},
            {"min-replicas-to-write": "1", "min-replicas-max-lag": "15"},
            {"replication": "warn"},
        ),
    ],
)
def test_replication_when_lag_may_outlast_the_lease_then_warned(
    facts: dict[str, str], configured: dict[str, str], expected: dict[str, str]
) -> None:
    assert expected == levels(list(judge_replication(facts, configured, 15_000)))


def test_clock_when_far_off_then_warned_in_either_direction() -> None:
    assert ["ok", "warn", "warn"] == [judge_clock(ms).level for ms in (-999, 5_000, -5_000)]
