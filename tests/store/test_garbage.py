"""Garbage in every key: set aside, never a half transition, never an error (R25, G13)."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from beatline.keys import KEYS
from beatline.wire.scripts import all_scripts
from tests.conftest import usual_kind
from tests.servers import SERVERS
from tests.store.scenes import calls, set_scene
from tests.store.support import Partition, State

#: What a call may say when what it needs is not there.
REFUSALS = ("LEASELOST", "SKIPPED")
GARBAGE = (b"", b"garbage", b"\xff\x00|:,\n", b"-1", b"nan", b"1e999", b"9" * 40, b"{[")
Saved = dict[Any, Any]
#: The product of all keys and calls is tried on one server; on the others where there is time.
ON_SERVERS = [
    kind if kind == usual_kind() else pytest.param(kind, marks=pytest.mark.slow) for kind in SERVERS
]


def save(partition: Partition) -> Saved:
    """All keys, to be put back."""
    return {key: partition.client.dump(key) for key in partition.client.keys("*")}


def put_back(partition: Partition, saved: Saved) -> None:
    """The scene as it was."""
    with partition.client.pipeline() as pipeline:
        pipeline.flushdb()
        for key, value in saved.items():
            pipeline.restore(key, 0, value)
        pipeline.execute()


def attempt(call: Callable[[], Any]) -> Any:
    """The reply of a call, or the word of its refusal."""
    try:
        return call()
    except ResponseError as error:
        word = str(error).partition(" ")[0]
        if word not in REFUSALS:
            raise
        return word


def spoil(partition: Partition, key: bytes) -> bytes:
    """Make a key one of another type; its name without the prefix."""
    kind = partition.client.type(key)
    partition.client.delete(key)
    if kind == b"string":
        partition.client.rpush(key, "garbage")
    else:
        partition.client.set(key, "garbage")
    return key.removeprefix(partition.prefix)


def without_garbage(state: State, name: str, *, is_removed: bool) -> State:
    """
    The state as if the spoilt key had not been there.

    The garbage must not be lost, unless the transition removes that key whatever it holds.
    """
    aside = [key for key in state if key.startswith(f"aside:{name}:")]
    garbage = (b"garbage", [b"garbage"])
    assert len(aside) == 1 or state.get(name) in garbage or is_removed, name
    assert all(state[key] in garbage for key in aside)
    rest = {key: value for key, value in state.items() if key not in aside}
    if state.get(name) in garbage:
        del rest[name]
    notes = rest.get("quarantine", {})
    rest["quarantine"] = {note: at for note, at in notes.items() if b"aside:" not in note}
    if not rest["quarantine"]:
        del rest["quarantine"]
    return rest


def scripts_called() -> set[str]:
    """The scripts that the calls of the scene run."""
    return {name.split()[0] for name in CALLS} | {"pause_schedule", "reschedule", "revive"}


CALLS = (
    *("enqueue", "enqueue again", "settle", "settle acks", "settle kept", "settle idle"),
    "settle again",
    *("settle offered", "release", "release offered", "give_back", "reclaim", "withdraw"),
    *("promote", "cancel", "cancel queued", "cancel held", "reschedule", "run now", "revive"),
    *(
        "drop",
        "register",
        "renew",
        "leave",
        "report",
        "look",
        "mend_nudges",
        "elect",
        "resign",
        "fire",
    ),
    *(
        "trigger",
        "backfill",
        "put_schedule",
        "put_schedule other",
        "apply_schedules",
        "apply_schedules removes",
        "raise_alerts",
        "pause_schedule",
        "resume",
        "remove_schedule",
    ),
)


def test_scene_when_set_then_it_has_every_kind_of_key(partition: Partition) -> None:
    set_scene(partition)

    names = partition.dump()

    missing = [
        key.pattern
        for key in KEYS
        if not any(fnmatchcase(name, key.pattern) for name in names)
        and key.pattern not in ("aside:*", "absences", "result:*")
    ]
    assert [] == missing
    assert set(calls(partition)) == set(CALLS)


def test_calls_when_listed_then_no_script_is_left_out() -> None:
    assert {script.name for script in all_scripts()} <= scripts_called()


@pytest.mark.parametrize("any_server", ON_SERVERS, indirect=True)
@pytest.mark.parametrize("name", CALLS)
def test_call_when_a_key_is_of_a_wrong_type_then_it_counts_as_absent(
    partition: Partition, name: str
) -> None:
    set_scene(partition)
    saved, call = save(partition), calls(partition)[name]
    partition.is_sound = False

    for key in saved:
        put_back(partition, saved)
        partition.client.delete(key)
        expected = attempt(call)
        wanted = partition.dump()
        put_back(partition, saved)
        spoilt = spoil(partition, key).decode("utf-8", "backslashreplace")

        actual = attempt(call)

        assert expected == actual, spoilt
        state = without_garbage(partition.dump(), spoilt, is_removed=spoilt not in wanted)
        assert wanted == state, spoilt


def fill(client: redis.Redis, key: bytes, garbage: bytes) -> None:
    """Put garbage into a key of the right type, as a member and in place of each value."""
    kind = client.type(key)
    fields: Any = client.hkeys(key) if kind == b"hash" else ()
    if kind == b"hash":
        client.hset(key, mapping=dict.fromkeys([garbage, *fields], garbage))
    elif kind == b"list":
        client.lpush(key, garbage)
    elif kind == b"set":
        client.sadd(key, garbage)
    elif kind == b"zset":
        client.zadd(key, {garbage: 0, garbage + b"-": "-inf", garbage + b"+": "inf"})
    else:
        client.set(key, garbage)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_calls_when_members_are_garbage_then_each_is_carried_out_whole(
    partition: Partition, garbage: bytes
) -> None:
    set_scene(partition)
    saved, all_calls = save(partition), calls(partition)
    partition.is_sound = False

    for key in saved:
        put_back(partition, saved)
        fill(partition.client, key, garbage)

        for call in all_calls.values():
            attempt(call)


@pytest.mark.slow
@pytest.mark.parametrize("garbage", GARBAGE)
def test_calls_when_one_value_is_garbage_then_each_is_carried_out_whole(
    partition: Partition, garbage: bytes
) -> None:
    set_scene(partition)
    saved, all_calls = save(partition), calls(partition)
    partition.is_sound = False
    fields: list[tuple[bytes, Any]] = [
        (key, field)
        for key in saved
        if partition.client.type(key) == b"hash"
        for field in partition.client.hkeys(key)
    ]

    for key, field in fields:
        for order in (1, -1):
            put_back(partition, saved)
            partition.client.hset(key, field, garbage)

            for call in list(all_calls.values())[::order]:
                attempt(call)
