"""
The keys: every name that Beatline writes in Redis, with type, members and lifetime.

All keys of a partition share the hash tag ``{ns:p}``, so that each script touches one slot.
Scripts get the prefix and build the rest from the names in this table; `KEYS` is what the leak
test and ``sched doctor`` compare a live system with.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Key(NamedTuple):
    """
    One kind of key.

    Attributes:
        pattern: Name after the partition's prefix; ``*`` stands for one or more characters.
        type: Redis type.
        lifetime: ``permanent``, ``ttl``, or who removes it.
        holds: Members.
    """

    pattern: str
    type: str
    lifetime: str
    holds: str


#: All keys, after ``{ns:p}:``.
KEYS: Final = (
    Key("timeline", "zset", "owned by its members", "due ms (jobs: to the µs) -> member"),
    Key("jobs", "hash", "owned by its jobs", "id -> record"),
    Key("ready:*", "list", "empty when drained", "ids, by queue and priority"),
    Key("queues", "hash", "permanent", "queue -> paused mark and used priorities"),
    Key("held:*", "hash", "gone with its worker", "id -> consumer:fence"),
    Key("consumers:*", "hash", "gone with its worker", "consumer -> call|connection|queues|alone"),
    Key("workers", "zset", "owned by its workers", "worker -> lease deadline in W"),
    Key("gone", "zset", "empty when reclaimed", "worker -> when its lease ran out"),
    Key("worker:*", "hash", "gone with its worker", "who a worker is"),
    Key("control:*", "list", "gone with its worker", "commands to a worker"),
    Key("fence", "string", "permanent", "last fencing token"),
    Key("watch", "hash", "permanent", "t last tick, w watched ms, a amnesty"),
    Key("absences", "list", "permanent, 100 entries", "from ms, to ms without any beat"),
    Key("leader", "hash", "permanent", "beat, term, until"),
    Key("beats", "zset", "a minute after its last round", "beat -> last round"),
    Key("wake:beat", "list", "permanent, 4 entries", "nudges"),
    Key("wake:*", "list", "gone with its consumer", "one handed-over job"),
    Key("idle:*", "set", "gone with its consumers", "worker|consumer|connection|queues"),
    Key("offers", "zset", "a second, then withdrawn", "worker|consumer:connection"),
    Key("deliveries", "hash", "gone with its jobs", "id -> charged deaths"),
    Key("attempts", "hash", "gone with its jobs", "id -> failed attempts"),
    Key("cancelled", "hash", "gone with its jobs", "id -> soft or hard"),
    Key("unknown", "hash", "gone with its jobs", "id -> first seen by a worker without its task"),
    Key("progress", "hash", "gone with its jobs", "id -> how far a running job is"),
    Key("unsure", "hash", "gone with its jobs", "id -> 1: not to be run twice"),
    Key("checkpoints", "hash", "gone with its jobs", "id -> what the task wants to keep"),
    Key("tombs", "hash", "gone with the entry", "id -> list that has a stale entry"),
    Key("senders:*", "hash", "ttl", "by hour: sender -> last call:refused"),
    Key("result:*", "string", "ttl", "state and result"),
    Key("awaited", "string", "ttl", "there while somebody waits for the end of a job"),
    Key("schedules", "hash", "owned by its schedules", "name -> revision"),
    Key("sched:*", "hash", "gone with its schedule", "definition and state"),
    Key("expected", "zset", "owned by its schedules", "schedule -> W at which an alert is due"),
    Key("alerts", "hash", "owned by its schedules", "schedule -> raised ms, within ms, success ms"),
    Key("recovered", "list", "a second, at most 100", "schedules that succeeded after an alert"),
    Key("open:*", "set", "empty when its jobs ended", "ids of one schedule not yet ended"),
    Key("buffered:*", "list", "empty when its jobs ended", "ids that wait for an earlier job"),
    Key("ledger:*", "list", "gone with its schedule", "events of occurrences"),
    Key("backfills:*", "hash", "gone with its schedule, 100 runs", "run -> how far it has come"),
    Key("backfilled:*", "list", "gone with its schedule", "events of backfills"),
    Key("dead", "zset", "100,000 entries or 180 days", "id -> when buried"),
    Key("forensics", "hash", "gone with its dead letters", "id -> JSON"),
    Key("quarantine", "zset", "100,000 entries", "what was set aside -> when"),
    Key("quarantined", "hash", "gone with its entries", "entry -> reason and bytes"),
    Key("aside:*", "any", "until a person removes it", "a key of a wrong type"),
    Key("counters", "hash", "permanent", "what bounds have dropped"),
)


def prefix(namespace: str, partition: int) -> bytes:
    """The first part of all keys of a partition, with its hash tag."""
    return f"{{{namespace}:{partition}}}:".encode()


def meta_key(namespace: str) -> str:
    """The one key outside the partitions: their number and the version of the layout."""
    return f"{{{namespace}}}:meta"
