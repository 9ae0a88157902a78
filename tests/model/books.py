"""
What anybody could check who only watches: states before and after each call, tokens, ledgers.

Knows nothing of the model beside it. Every change of state must be in
`beatline.states.TRANSITIONS`, a token is accepted once and they only rise, no job outlives more
deaths than allowed, each occurrence is decided once, and whatever was taken in is alive, dead, or
has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from beatline.states import TRANSITIONS
from tests.model.seen import Seen
from tests.store.support import START_US

_EDGES = {
    row.script: {(source, target) for source in row.sources for target in row.targets}
    for row in TRANSITIONS
}
#: When the clock of every example starts.
START_MS = START_US // 1000
#: Where a job is before it is made, and after it was forgotten.
NOWHERE = "UNKNOWN"


class Books:
    """The history of one example."""

    def __init__(self) -> None:
        self.states: dict[bytes, str] = {}
        self.accepted: set[tuple[bytes, int]] = set()
        self.totals: Counter[str] = Counter()
        self._fence = 0
        self._charges: dict[bytes, int] = {}

    def note(self, script: str, after: Mapping[bytes, str], seen: Seen) -> None:
        """Compare what was with what is, after a call of a script."""
        for raw_id, state in after.items():
            before = self.states.get(raw_id, NOWHERE)
            if before != state:
                self._note_edge(script, raw_id, before, state)
        self.states = dict(after)
        self._note_tokens(seen)
        self._note_charges(seen)
        self._note_decisions(seen)

    def note_accepted(self, pairs: Iterable[tuple[bytes, int]]) -> None:
        """Tokens under which a delivery was ended: each once (G5)."""
        for pair in pairs:
            assert pair not in self.accepted, f"token accepted twice: {pair}"
            self.accepted.add(pair)

    def note_expired(self, raw_id: bytes) -> None:
        """A result's time is over: its id is free again."""
        self.totals[f"forgotten {self.states.pop(raw_id)}"] += 1

    def _note_edge(self, script: str, raw_id: bytes, before: str, after: str) -> None:
        edges = _EDGES.get(script, set())
        self.totals[f"{before} -> {after}"] += 1
        if after == NOWHERE:
            # Kept no result; the end itself was one of those that the table allows.
            targets = {target for source, target in edges if source == before}
            ends = targets & {"SUCCESS", "FAILURE", "CANCELLED", "EXPIRED", "LOST"}
            is_dropped = before == "DEAD" and script in ("revive", "withdraw")
            assert ends or is_dropped, f"{script}: {raw_id!r} was lost out of {before}"
            return
        source = "new" if before == NOWHERE else before
        assert (source, after) in edges, f"{script}: {raw_id!r} went from {source} to {after}"

    def _note_tokens(self, seen: Seen) -> None:
        assert seen.fence >= self._fence, f"tokens fell from {self._fence} to {seen.fence}"
        fences = [one.fence for one in seen.held.values()]
        assert len(fences) == len(set(fences)), f"tokens are held twice: {sorted(fences)}"
        assert max(fences, default=0) <= seen.fence
        self._fence = seen.fence

    def _note_charges(self, seen: Seen) -> None:
        charges = {raw_id: int(count) for raw_id, count in seen.hashed("deliveries").items()}
        dead = seen.scores("dead")
        for raw_id, count in charges.items():
            before = self._charges.get(raw_id, 0)
            assert count <= before + 1, f"{raw_id!r} was charged {count - before} times at once"
            assert raw_id in dead or count < 3, f"{raw_id!r} lives after {count} deaths"
        self._charges = charges

    def _note_decisions(self, seen: Seen) -> None:
        """Each (schedule, instant) has at most one line that fires or skips it (G2)."""
        for name, events in seen.named("ledger:").items():
            decided = Counter(
                (event.split(b" ")[0], event.split(b" ")[1])
                for event in events
                if event.startswith((b"fired ", b"skipped ", b"missed "))
            )
            # Instants that a trigger named; those of calls by hand lie before all of them.
            instants = Counter(
                nominal for _, nominal in decided.elements() if int(nominal) >= START_MS
            )
            twice = [nominal for nominal, count in instants.items() if count > 1]
            assert not twice, f"schedule {name}: {twice} decided twice"

    def check_sums(self, seen: Seen) -> None:
        """What was made is alive, or dead, or has ended: nothing is lost, nothing was added."""
        made = sum(count for edge, count in self.totals.items() if edge.startswith(NOWHERE))
        gone = sum(count for edge, count in self.totals.items() if edge.endswith(f"> {NOWHERE}"))
        gone += sum(count for edge, count in self.totals.items() if edge.startswith("forgotten"))
        living = len(seen.hashed("jobs"))
        ended = len(seen.results.keys() - seen.hashed("jobs").keys())
        assert made == gone + living + ended, (dict(self.totals), living, ended)
