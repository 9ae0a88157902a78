"""Bytes that are not ours raise UndecodableJob and nothing else, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline.errors import UndecodableJob
from beatline.payload import dumps, loads
from beatline.payload_nesting import SAFE_LEVELS, is_too_deep
from beatline.payload_types import EXT_TUPLE
from tests.payload.strategies import values

extension_codes = st.integers(min_value=-128, max_value=127)


def lists(levels: int) -> bytes:
    return b"\x91" * levels + b"\x01"


def tuples(levels: int) -> bytes:
    inner = b"\x90"
    for _ in range(levels):
        ext = msgspec.msgpack.Ext(EXT_TUPLE, inner)
        inner = b"\x91" + msgspec.msgpack.encode(ext)
    return inner


def load_or_refuse(data: bytes) -> None:
    with suppress(UndecodableJob):
        loads(data)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_loads_when_bytes_are_random_then_undecodable_is_all_it_raises(data: bytes) -> None:
    load_or_refuse(data)


@settings(max_examples=500, deadline=None)
@given(extension_codes, st.one_of(st.binary(max_size=40), values.map(dumps)))
def test_loads_when_extension_is_random_then_undecodable_is_all_it_raises(
    code: int, inner: bytes
) -> None:
    load_or_refuse(msgspec.msgpack.encode([msgspec.msgpack.Ext(code, inner)]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_loads_when_bytes_are_damaged_then_undecodable_is_all_it_raises(data: Any) -> None:
    good = dumps([data.draw(values)])
    place = data.draw(st.integers(min_value=0, max_value=len(good) - 1))
    byte = data.draw(st.binary(max_size=2))

    load_or_refuse(good[:place] + byte + good[place + 1 :])
    load_or_refuse(good[:place])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        b"\xa2\xff\xff",
        b"\x81\x80\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xd4\x63\x00",
        lists(100_000),
        tuples(200),
        b"\x81\xa1a" * 100_000,
    ],
    ids=lambda data: f"{data[:8].hex()}-{len(data)}",
)
def test_loads_when_bytes_are_a_bomb_then_undecodable_within_a_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableJob):
            loads(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 20 * len(data) + 1_000_000


def test_loads_when_the_recursion_limit_is_lifted_then_bombs_still_end_in_undecodable() -> None:
    script = (
        "import sys\n"
        "from beatline.errors import UndecodableJob\n"
        "from beatline.payload import loads\n"
        "sys.setrecursionlimit(10**6)\n"
        "data = sys.stdin.buffer.read()\n"
        "try: loads(data)\n"
        "except UndecodableJob as error: print(error)\n"
    )
    for bomb in (lists(1_000_000), b"\x81\xa1a" * 200_000 + b"\x01", tuples(3_000)):
        run = subprocess.run([sys.executable, "-c", script], input=bomb, capture_output=True)

        assert (0, b"") == (run.returncode, run.stderr)
        assert b"nested too deeply" in run.stdout


@settings(max_examples=200, deadline=None)
@given(values)
def test_is_too_deep_when_a_shallow_value_is_long_then_it_is_not(value: Any) -> None:
    data = dumps([value, b"\x91" * (SAFE_LEVELS + 1), ["x"] * SAFE_LEVELS, [[]] * SAFE_LEVELS])
    limit = sys.getrecursionlimit()

    sys.setrecursionlimit(10 * SAFE_LEVELS)
    try:
        assert not is_too_deep(data)
        assert is_too_deep(b"\x92" + data + lists(SAFE_LEVELS + 1))
    finally:
        sys.setrecursionlimit(limit)
