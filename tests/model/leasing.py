"""What calls of supervisors and beats must answer: leases, deaths, offers, and the watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beatline.store.leasing import Reclaimed, Renewal
from tests.model.delivering import SettleCall, end_delivery
from tests.model.seen import Holding, Seen
from tests.model.world import (
    LONGEST_STEP_MS,
    MAX_DELIVERIES,
    ModelConsumer,
    ModelWorker,
    World,
)

#: An offer that nobody opens for so long goes back, ms (R10).
OFFER_AGE_MS = 1_000


# --- supervisors --------------------------------------------------------------------------------


def expect_register(
    world: World, name: str, lease_ms: int, about: Mapping[str, str], consumers: Sequence[str]
) -> bool:
    """Whether a worker gets on the books; not while it is being emptied (R15)."""
    worker = world.workers.get(name)
    if worker is not None and worker.gone_ms is not None:
        return False
    if worker is None:
        worker = world.workers[name] = ModelWorker(name, lease_ms, 0)
    worker.lease_ms, worker.deadline_ms = lease_ms, world.watched_ms + lease_ms
    worker.about.update(about)
    for consumer in consumers:
        worker.consumers.setdefault(consumer, ModelConsumer())
    return True


def expect_renew(
    world: World,
    name: str,
    lease_ms: int,
    listed: Sequence[tuple[bytes, int]] | None,
    renewal: Renewal,
) -> None:
    """Compare the answer to a heartbeat: the flags of what is held, and what differs (R13)."""
    worker = world.workers.get(name)
    if worker is None or worker.gone_ms is not None:
        assert renewal.word == ("UNKNOWN" if worker is None else "GONE")
        return
    worker.lease_ms, worker.deadline_ms = lease_ms, world.watched_ms + lease_ms
    worker.over_since_ms = None
    mine = dict(world.holdings(name))
    flagged = {raw_id for raw_id in mine if world.jobs[raw_id].cancelled}
    assert renewal.word == "OK"
    assert {raw_id: world.jobs[raw_id].cancelled for raw_id in flagged} == renewal.cancelled
    assert {raw_id: mine[raw_id][1:] for raw_id in flagged} == renewal.holders
    if listed is None:
        assert (renewal.lost, renewal.unlisted) == ([], {})
        return
    lost = [
        raw_id
        for raw_id, fence in listed
        if raw_id in world.jobs and (raw_id not in mine or mine[raw_id].fence != fence)
    ]
    ids = {raw_id for raw_id, _ in listed}
    assert lost == renewal.lost
    unlisted = {raw_id: one[1:] for raw_id, one in mine.items() if raw_id not in ids}
    assert unlisted == renewal.unlisted


def expect_release(
    world: World,
    call: SettleCall,
    charged_fences: Sequence[int],
    max_deliveries: int,
    seen: Seen,
) -> int:
    """How many jobs of a dead child go back; what it had finished is settled first."""
    worker = world.workers.get(call.worker)
    if worker is not None and worker.gone_ms is not None:
        return 0
    unopened = {world.held[raw_id].fence for raw_id in world.unopened}
    if worker is not None:
        worker.consumers.pop(call.consumer, None)
    for one in call.settlements:
        end_delivery(world, call, one, seen)
    entries = world.holdings(call.worker, call.consumer)
    charged = set(charged_fences) - unopened
    world.return_to_front(entries, charged, max_deliveries, seen)
    return len(entries)


def expect_give_back(
    world: World, who: tuple[str, str], after: int, up_to: int | None, seen: Seen
) -> int:
    """How many jobs go back uncounted: those beyond a token, and with them what lies unopened."""
    worker, consumer = who
    mine = world.holdings(worker, consumer)
    entries = [
        (raw_id, one)
        for raw_id, one in mine
        if one.fence > after and (up_to is None or one.fence <= up_to)
    ]
    if entries:
        entries += [pair for pair in mine if pair[0] in world.unopened and pair not in entries]
        known = world.workers[worker].consumers.get(consumer) if worker in world.workers else None
        if known is not None:
            known.waits = False
    world.return_to_front(entries, set(), MAX_DELIVERIES, seen)
    return len(entries)


def expect_leave(world: World, name: str) -> int:
    """How many jobs keep a worker on the books; 0: it has left."""
    count = len(world.holdings(name))
    if not count:
        world.workers.pop(name, None)
    return count


# --- beats --------------------------------------------------------------------------------------


def expect_withdraw(
    world: World, most_dead: int, oldest_ms: int, seen: Seen
) -> tuple[int, list[bytes]]:
    """Offers put back (R10), and dead letters dropped (R28)."""
    offers = [
        (raw_id, holding, world.workers[holding.worker].consumers[holding.consumer].offered_ms)
        for raw_id, holding in world.held.items()
        if raw_id in world.unopened
    ]
    # One from the future was made before the clock was turned back.
    old = [one for one in offers if not -OFFER_AGE_MS <= world.now_ms - one[2] < OFFER_AGE_MS]
    for raw_id, holding, _ in sorted(old, key=lambda offer: _withdrawal(world, offer)):
        world.return_to_front([(raw_id, holding)], set(), MAX_DELIVERIES, seen)
    letters = sorted(world.dead, key=lambda raw_id: (world.dead[raw_id], raw_id))
    dropped = [one for one in letters if world.dead[one] <= world.now_ms - oldest_ms]
    dropped = dropped or letters[: max(0, len(letters) - most_dead)]
    for raw_id in dropped:
        del world.dead[raw_id], world.jobs[raw_id]
    return len(old), dropped


def _withdrawal(world: World, offer: tuple[bytes, Holding, int]) -> tuple[bool, int, str]:
    """Oldest first; those from before the clock was turned back come last."""
    _, one, since_ms = offer
    connection = world.workers[one.worker].consumers[one.consumer].connection
    return since_ms > world.now_ms, since_ms, f"{one.worker}|{one.consumer}:{connection}"


def expect_reclaim(
    world: World, limit: int, max_deliveries: int, found: Reclaimed, seen: Seen
) -> None:
    """Compare a tick: W by R12, only leases that W has passed, and not many jobs a call (R15)."""
    last, watched, amnesty = world.watch or (None, 0, 0)
    gap = LONGEST_STEP_MS + 1 if last is None else world.now_ms - last
    step = min(max(gap, 0), LONGEST_STEP_MS)
    watched += step
    if gap != step:
        amnesty = watched
    world.watch = (world.now_ms, watched, amnesty)
    assert watched == found.watched_ms
    for worker in world.workers.values():
        if worker.gone_ms is None:
            _look_after(world, worker, amnesty, worker.name in found.gone)
    returned = 0
    gone = [one for one in world.workers.values() if one.gone_ms is not None]
    for worker in sorted(gone, key=lambda one: (one.gone_ms or 0, one.name)):
        if returned < limit:
            returned += _empty(world, worker, limit - returned, max_deliveries, seen)
    assert returned == found.returned
    assert sum(one.gone_ms is not None for one in world.workers.values()) == found.pending


def _look_after(world: World, worker: ModelWorker, amnesty_ms: int, is_struck: bool) -> None:
    """A worker is struck when W has passed its lease, and a lease after any gap; not much later."""
    may_be = worker.deadline_ms < world.watched_ms >= amnesty_ms + worker.lease_ms
    if not may_be:
        worker.over_since_ms = None
    elif worker.over_since_ms is None:
        worker.over_since_ms = world.now_ms
    assert may_be or not is_struck, f"{worker.name} was robbed"
    if is_struck:
        worker.gone_ms = world.now_ms
    elif worker.over_since_ms is not None:
        overdue_ms = world.now_ms - worker.over_since_ms
        assert overdue_ms <= worker.lease_ms / 4, f"{worker.name} is overdue by {overdue_ms} ms"


def _empty(world: World, worker: ModelWorker, room: int, max_deliveries: int, seen: Seen) -> int:
    """A vanished worker's hands are emptied, the last token first, so that their order stays."""
    entries = world.holdings(worker.name)
    left = {raw_id for raw_id, one in entries if seen.held.get(raw_id) == one}
    unopened = [pair for pair in entries if pair[0] in world.unopened]
    opened = [pair for pair in entries if pair[0] not in world.unopened]
    kept = [pair for pair in opened if pair[0] in left]
    assert not left & {raw_id for raw_id, _ in unopened}
    assert opened[: len(kept)] == kept
    assert len(entries) - len(kept) <= max(room, len(unopened))
    assert not kept or len(entries) - len(kept) >= room
    said = worker.about.get("max_deliveries", "")
    charged = {one.fence for _, one in opened}
    most = int(said) if said else max_deliveries
    world.return_to_front([*unopened, *opened[len(kept) :]], charged, most, seen)
    worker.consumers.clear()
    if not kept:
        del world.workers[worker.name]
    return len(entries) - len(kept)
