"""What enqueue, promote and settle must answer: jobs come, wait, are taken, and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from beatline.store.delivering import Settlement, Taken
from tests.model.seen import Holding, Seen
from tests.model.world import (
    ModelJob,
    World,
)


@dataclass(frozen=True)
class SettleCall:
    """One call of a consumer, as it was sent."""

    worker: str
    consumer: str
    number: int
    connection: int
    queues: str
    settlements: tuple[Settlement, ...] = ()
    limit: int = 1
    holding: int = 0
    tells_all: bool = False
    goes_idle: bool = True
    runs_several: bool = False


# --- enqueue, promote ---------------------------------------------------------------------------


def expect_enqueue(
    world: World,
    sender: tuple[str, int],
    jobs: Sequence[tuple[ModelJob, int]],
    is_checked: bool,
    seen: Seen,
) -> tuple[str, tuple[int, ...]]:
    """The answer to a call with jobs and their instants; 0 is now."""
    name, number = sender
    known = world.senders.get(name)
    if known is not None and known[0] >= number:
        return "REPEATED", known[1] if known[0] == number else ()
    refused, groups = [], dict[tuple[str, int], list[bytes]]()
    for position, (job, due_ms) in enumerate(jobs):
        if is_checked and (job.id in world.jobs or job.id in world.results):
            refused.append(position)
            continue
        world.jobs[job.id] = job
        if due_ms > world.now_ms:
            world.put_on_timeline(job.id, due_ms)
        else:
            groups.setdefault(job.place, []).append(job.id)
    for place, ids in groups.items():
        for raw_id in ids:
            world.clear_tomb(raw_id)
        world.make_ready(place, ids, seen, front=False)
    world.senders[name] = (number, tuple(refused))
    return "OK", tuple(refused)


def expect_promote(
    world: World, limit: int, seen: Seen
) -> tuple[int, int | None, list[tuple[str, int]]]:
    """How many moved, when the next is due, and the schedules that are due."""
    entries: list[tuple[int, bytes, bytes | str]] = [
        *((due, world.jobs[raw_id].member, raw_id) for raw_id, due in world.timeline.items()),
        *((due, b"s" + name.encode(), name) for name, due in world.scheduled.items()),
    ]
    due = [entry for entry in sorted(entries) if entry[0] <= world.now_ms][:limit]
    groups: dict[tuple[str, int], list[bytes]] = {}
    schedules = [(what, when) for when, _, what in due if isinstance(what, str)]
    ids = [what for _, _, what in due if isinstance(what, bytes)]
    for raw_id in ids:
        del world.timeline[raw_id]
        groups.setdefault(world.jobs[raw_id].place, []).append(raw_id)
    for place, group in groups.items():
        for raw_id in group:
            world.clear_tomb(raw_id)
        world.make_ready(place, group, seen, front=False)
    instants = [*world.timeline.values(), *world.scheduled.values()]
    return len(ids), min(instants, default=None), schedules


# --- settle -------------------------------------------------------------------------------------


def refusal_of(world: World, call: SettleCall) -> str | None:
    """Why a call is refused: LEASELOST (R1, R14), SKIPPED (R6); None where it is not."""
    worker = world.workers.get(call.worker)
    if worker is None or not world.is_alive(call.worker):
        return "LEASELOST"
    consumer = worker.consumers.get(call.consumer)
    if consumer is None:
        return "LEASELOST"
    if call.connection < consumer.connection:
        return "SKIPPED"
    if consumer.last is not None and call.number not in (consumer.last, consumer.last + 1):
        return "SKIPPED"
    return None


def expect_settle(world: World, call: SettleCall, taken: Taken, seen: Seen) -> None:
    """Compare an answer that was no refusal, and move what it moved."""
    consumer = world.workers[call.worker].consumers[call.consumer]
    is_repeated = consumer.last == call.number
    stale: list[bytes] = []
    if not is_repeated:
        # Plain successes are ended first, acks before what keeps its result.
        order = {"ack": 0, "keep": 1}
        for one in sorted(call.settlements, key=lambda one: order.get(one.outcome, 2)):
            if not end_delivery(world, call, one, seen):
                stale.append(one.id)
    told, holding = _told(world, call, is_repeated), call.holding
    if is_repeated or call.tells_all:
        holding = len(told)
    consumer.waits = False
    world.unopened -= {raw_id for raw_id, _ in told}
    mine = world.holdings(call.worker, call.consumer)
    is_busy_alone = any(world.jobs[raw_id].charges for raw_id, _ in mine)
    new: list[bytes] = []
    all_seen = False
    if not is_busy_alone and len(told) < call.limit:
        room, is_free = call.limit - len(told), not told and holding == 0
        wanted = [one.id for one in taken.deliveries[len(told) :]]
        new, all_seen = _take(world, call.queues, room, wanted, seen, is_free=is_free)
    fences = [one.fence for one in taken.deliveries[len(told) :]]
    assert len(new) == len(fences), f"taken: {taken.deliveries[len(told) :]}, expected {new}"
    for raw_id, fence in zip(new, fences, strict=True):
        world.draw(fence)
        world.held[raw_id] = Holding(call.worker, call.consumer, fence)
    may_wait = holding == 0 or call.runs_several
    is_idle = not told and not new and may_wait and all_seen and call.goes_idle
    consumer.waits = is_idle and bool(call.queues)
    consumer.queues = call.queues if is_idle else ""
    consumer.last, consumer.connection = call.number, call.connection

    assert is_repeated == taken.repeated
    assert sorted(stale) == sorted(taken.stale)
    assert [raw_id for raw_id, _ in told] + new == [one.id for one in taken.deliveries]
    assert [one.fence for _, one in told] == [one.fence for one in taken.deliveries[: len(told)]]
    assert is_idle == taken.is_idle
    for delivery in taken.deliveries:
        job = world.jobs[delivery.id]
        assert (job.charges, job.attempts) == (delivery.deliveries, delivery.attempts)
        assert job.record == delivery.record


def _told(world: World, call: SettleCall, is_repeated: bool) -> list[tuple[bytes, Holding]]:
    """What the consumer holds and is told again: all, or what it has not opened (R6)."""
    mine = world.holdings(call.worker, call.consumer)
    if is_repeated or call.tells_all:
        return mine
    return [pair for pair in mine if pair[0] in world.unopened]


def _take(
    world: World, queues: str, room: int, wanted: Sequence[bytes], seen: Seen, *, is_free: bool
) -> tuple[list[bytes], bool]:
    """
    The next jobs: highest priority first, but some takes begin with another and end above.

    Two takes may bring the same jobs and differ in which stale entries they met.
    """
    ready, tombs = world.ready, world.tombs
    for turn in range(10):
        world.ready = defaultdict(list, {place: list(row) for place, row in ready.items()})
        world.tombs = dict(tombs)
        taken, all_seen = _take_from(world, queues, room, turn, is_free=is_free)
        if taken == wanted and world.tombs.keys() == seen.hashed("tombs").keys():
            break
    return taken, all_seen


def _take_from(
    world: World, queues: str, room: int, turn: int, *, is_free: bool
) -> tuple[list[bytes], bool]:
    """The next jobs, from a priority on; one that was charged comes alone (R4)."""
    taken: list[bytes] = []
    for queue in queues.split(","):
        if queue in world.resting_queues:
            continue
        places = sorted((one for one in world.ready if one[0] == queue), reverse=True)
        first = turn % len(places) if places else 0
        for place in places[first:] + places[:first]:
            row = world.ready[place]
            while row:
                if len(taken) >= room:
                    return taken, False
                raw_id = row[0]
                if world.tombs.get(raw_id) == place:
                    del world.tombs[raw_id], row[0]
                elif not world.jobs[raw_id].charges:
                    taken.append(row.pop(0))
                elif taken or not is_free:
                    return taken, False
                else:
                    return [row.pop(0)], False
    return taken, len(taken) < room


def end_delivery(world: World, call: SettleCall, one: Settlement, seen: Seen) -> bool:
    """End one delivery, if it is the caller's under this token (R7)."""
    if world.held.get(one.id) != Holding(call.worker, call.consumer, one.fence):
        return False
    del world.held[one.id]
    world.unopened.discard(one.id)
    job = world.jobs[one.id]
    if one.outcome in ("ack", "keep", "end"):
        world.finish(job, one.state, one.body)
    elif one.outcome == "bury":
        world.bury(job, one.body)
    elif job.cancelled:
        world.finish(job, "CANCELLED")
    elif one.outcome == "return":
        world.make_ready(job.place, [job.id], seen, front=True)
    elif one.outcome == "retry":
        job.attempts += 1
        world.put_on_timeline(job.id, world.now_ms + one.delay_ms)
    else:
        _set_aside(world, job, one)
    return True


def _set_aside(world: World, job: ModelJob, one: Settlement) -> None:
    """No such task here: it waits for a worker that has it, and not for ever (R20)."""
    if job.unknown_since_ms is None:
        job.unknown_since_ms = world.now_ms
    is_known = any(
        worker.gone_ms is None
        and '"app.noop"' in worker.about.get("tasks", "")
        and job.queue in worker.about.get("queues", "").split(",")
        for worker in world.workers.values()
    )
    if world.now_ms - job.unknown_since_ms > one.ttl_ms and not is_known:
        world.bury(job, one.body)
    else:
        world.put_on_timeline(job.id, world.now_ms + one.delay_ms)
