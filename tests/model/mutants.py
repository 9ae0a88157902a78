"""
Broken scripts: what the model has to notice.

Each mutant is a patch of a script's source that takes one rule away. The patch names text that must
stand there exactly once, so that a mutant never turns into nothing when a script is rewritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from beatline.wire.scripts import script


class Mutant(NamedTuple):
    """
    One rule that is taken away.

    Attributes:
        rule: Which, and how.
        script: In which script.
        text: What stands there, once.
        broken: What stands there instead.
        theme: The examples that have most of what it breaks; empty for all.
    """

    rule: str
    script: str
    text: str
    broken: str
    theme: str = ""


MUTANTS = (
    Mutant(
        "R7 a settlement needs no token",
        "settle",
        "if owners[i] == consumer .. ':' .. ARGV[at + 1] then",
        "if owners[i] then",
    ),
    Mutant(
        "R6 a repeated call settles anew, the short way",
        "settle",
        "or try('HGET', books, consumer) ~= ARGV[4] - 1 .. '|' .. ARGV[7] .. '||'",
        "",
    ),
    Mutant(
        "R8 a repeated enqueue makes its job again, the short way",
        "enqueue",
        "if last and last < tonumber(number) and version == 1",
        "if last and version == 1",
    ),
    Mutant(
        "R6 a repeated call settles and takes anew",
        "settle",
        "local is_repeated, settled, stale = number == tonumber(last), 0, {}",
        "local is_repeated, settled, stale = false, 0, {}",
    ),
    Mutant(
        "R1 a dead child stays registered",
        "release",
        "call('HDEL', P .. 'consumers:' .. worker, consumer)",
        "local _ = consumer",
    ),
    Mutant(
        "R4 a charged job has neighbours",
        "settle",
        "elseif has_charges and safely('HEXISTS', P .. 'deliveries', id) == 1 then",
        "elseif false then",
        "deaths",
    ),
    Mutant(
        "R8 a repeated enqueue makes its jobs again",
        "enqueue",
        "if last and last < 9e15 and last >= tonumber(number) then",
        "if false then",
    ),
    Mutant(
        "R10 an unopened offer is charged",
        "release",
        "one.is_charged = charged[one.fence] and not unopened[one.fence]",
        "one.is_charged = true",
    ),
    Mutant(
        "R11 tokens follow the clock back",
        "settle",
        "local first, last = now_us, text(now_us + count - 1)",
        "do call('SET', P .. 'fence', text(now_us + count - 1))\n"
        "  return now_us, text(now_us + count - 1) end\n"
        "local first, last = now_us, text(now_us + count - 1)",
    ),
    Mutant(
        "R12 unobserved time ages leases",
        "reclaim",
        "if observed < amnesty + lease_ms then return false end",
        "",
    ),
    Mutant(
        "R17 a stale entry stays when its job comes back",
        "promote",
        "if has_tombs then rarely().clear_tombs(groups[group]) end",
        "",
    ),
    Mutant(
        "R18 a cancelled job comes back",
        "release",
        "elseif has_cancelled and safely('HEXISTS', P .. 'cancelled', id) == 1 then",
        "elseif false then",
    ),
    Mutant(
        "R21 a stale plan fires",
        "fire",
        "elseif stored[1] ~= revision or stored[2] ~= expected then",
        "elseif false then",
    ),
    Mutant(
        "R22 what has ended stays open",
        "settle",
        "safely('SREM', P .. 'open:' .. name, id)",
        "",
    ),
)


@contextmanager
def broken(mutant: Mutant) -> Iterator[None]:
    """The mutant's script in place of ours."""
    ours = script(mutant.script)
    source, sha = ours.source, ours.sha
    assert source.count(mutant.text) == 1, f"{mutant.rule}: not found once: {mutant.text}"
    ours.source = source.replace(mutant.text, mutant.broken)
    ours.sha = hashlib.sha1(ours.source.encode(), usedforsecurity=False).hexdigest()
    try:
        yield
    finally:
        ours.source, ours.sha = source, sha
