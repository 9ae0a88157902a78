"""
Job ids: 16 raw bytes inside, text at the edge of the API.

Our own ids are UUIDs of version 7: 48 bits of milliseconds, then the job's *partition* in the
12 bits that RFC 9562 leaves free (``rand_a``), then 62 random bits. A job's place in Redis is
thus found from its id alone. A caller's own ``task_id`` is kept as the UTF-8 text it is; its
partition is a hash of it. A ``task_id`` that is the text of a version 7 UUID counts as ours.
"""

from __future__ import annotations

import hashlib
import os
import re
from random import Random
from struct import Struct
from time import time_ns
from typing import Final
from zlib import crc32

from beatline.errors import InvalidTaskId

#: Longest ``task_id`` of a caller, bytes of UTF-8: its length must fit the timeline's members.
MAX_TASK_ID_BYTES: Final = 200
#: Most partitions of a namespace: the id keeps its partition in 12 bits.
MAX_PARTITIONS: Final = 4096

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
#: 62 bits are drawn from here: a tenth of SystemRandom's time. A forked child seeds it anew, or
#: it would make its parent's ids.
_random = Random(os.urandom(32))
_random_bits = _random.getrandbits
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))
_pack = Struct(">QQ").pack
_VARIANT = 0x8000_0000_0000_0000


def new_id(partition: int = 0) -> bytes:
    """A fresh id in a partition: 16 bytes that sort by time of making."""
    ms = time_ns() // 1_000_000
    return _pack(ms << 16 | 0x7000 | partition, _VARIANT | _random_bits(62))


def occurrence_id(schedule: str, fire_ms: int, partition: int, run: str = "") -> bytes:
    """
    The id of the job that one occurrence makes: the same wherever it is computed.

    Args:
        schedule: Name of the schedule.
        fire_ms: Nominal fire time, UTC milliseconds.
        partition: Partition of the schedule.
        run: Name of a backfill run; its jobs are none of the regular ones.
    """
    seed = f"{schedule}\x00{fire_ms}\x00{run}".encode()
    bits = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest()) & ((1 << 62) - 1)
    ms = max(fire_ms, 0) & ((1 << 48) - 1)
    return (ms << 80 | 0x7000 << 64 | partition << 64 | _VARIANT | bits).to_bytes(16)


def is_ours(raw: bytes) -> bool:
    """Whether these bytes are a version 7 UUID, as opposed to a caller's own text."""
    return len(raw) == 16 and raw[6] >> 4 == 7 and raw[8] >> 6 == 2


def id_text(raw: bytes) -> str:
    """The id as the API shows it: the UUID's text, or the caller's own ``task_id``."""
    if is_ours(raw):
        digits = raw.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return raw.decode("utf-8", "backslashreplace")


def id_from_text(text: str) -> bytes:
    """
    The id behind its text.

    Raises:
        InvalidTaskId: For empty or overlong text, control characters, and text whose bytes
            would read as one of our own ids.
    """
    if not isinstance(text, str):
        raise InvalidTaskId(
            f"task_id is a {type(text).__name__}, not a str", remedy="pass a str, such as str(x)"
        )
    if _UUID7.fullmatch(text):
        return bytes.fromhex(text.replace("-", ""))
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise InvalidTaskId(
            f"task_id {text!r} holds lone surrogates", remedy="use text that UTF-8 can carry"
        ) from None
    if not raw or len(raw) > MAX_TASK_ID_BYTES:
        raise InvalidTaskId(
            f"task_id of {len(raw)} bytes", remedy=f"use 1 to {MAX_TASK_ID_BYTES} bytes of UTF-8"
        )
    if not text.isprintable() or is_ours(raw):
        raise InvalidTaskId(f"task_id {text!r} cannot be told apart", remedy="use printable text")
    return raw


def partition_of(raw: bytes, partitions: int) -> int:
    """The partition in which a job lives, given its id and the namespace's number of them."""
    if partitions == 1:
        return 0
    if is_ours(raw):
        return (raw[6] << 8 | raw[7]) % 0x1000 % partitions
    return crc32(raw) % partitions


def partition_of_name(name: str, partitions: int) -> int:
    """The partition of a schedule's name, a ``unique=`` key or a limit's key."""
    return crc32(name.encode()) % partitions if partitions > 1 else 0
