"""What calls about schedules, and about single jobs by hand, must answer (R17, R18, R21, R22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beatline.store.firing import MissedStep
from tests.model.seen import Seen
from tests.model.world import TURN_MS, ModelJob, ModelSchedule, World


@dataclass(frozen=True)
class Declared:
    """A schedule as somebody declares it."""

    name: str
    definition: str
    trigger: str
    source: str
    next_ms: int | None
    zones: str = "2026.1"
    rests: bool = False
    takes_over: bool = False
    pause_after: int | None = None
    within_ms: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a beat wants to do, from what it has read some time ago."""

    name: str
    revision: bytes
    expected_ms: int | None
    next_ms: int | None
    overlap: str
    steps: tuple[ModelJob | MissedStep, ...]


# --- schedules ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """
    What a declaration meets.

    Attributes:
        word: The answer.
        next_ms, zones, paused: What is stored afterwards.
        why: Why it is refused.
        is_kept: Whether the next fire time stays.
    """

    word: str
    next_ms: int | None = None
    zones: str = ""
    paused: str = ""
    why: str = ""
    is_kept: bool = False


def judge(world: World, one: Declared) -> Judged:
    """What becomes of a declaration; changes nothing."""
    old = world.schedules.get(one.name)
    if old is not None and old.source != one.source and not one.takes_over:
        return Judged("OWNED", why=old.source)
    paused = old.paused if old is not None else ""
    was_aside = paused.startswith("unreadable")
    if was_aside or paused == "declared":
        paused = ""
    if one.rests and not paused:
        paused = "declared"
    next_ms, zones, is_kept = one.next_ms, one.zones, False
    if (
        old is not None
        and not was_aside
        and (old.trigger, old.next_ms is None) == (one.trigger, False)
        and _version(old.zones) >= _version(one.zones)
    ):
        # The same trigger stays where it is; only newer zones move it.
        next_ms, zones, is_kept = old.next_ms, old.zones, True
    if old is not None:
        before = (old.definition, old.source, old.trigger, old.next_ms, old.paused, old.zones)
        after = (one.definition, one.source, one.trigger, next_ms, paused, zones)
        if before == after:
            return Judged("SAME", next_ms, zones, paused, is_kept=is_kept)
        if old.decided_ms is not None and next_ms is not None and next_ms <= old.decided_ms:
            return Judged("PASSED", why=str(old.decided_ms))
    word = "CREATED" if old is None else "CHANGED"
    return Judged(word, next_ms, zones, paused, is_kept=is_kept)


def carry_out(world: World, one: Declared, judged: Judged, revision: bytes) -> None:
    """
    Declare what was judged.

    Revisions come from the clock of tokens, and never start again (R21).
    """
    if judged.word == "SAME":
        world.expect_success(one.name, begins=False)
    if judged.word not in ("CREATED", "CHANGED"):
        return
    old, next_ms, paused = world.schedules.get(one.name), judged.next_ms, judged.paused
    changed = ModelSchedule(
        *(revision, one.definition, one.trigger, one.source, judged.zones, next_ms, paused)
    )
    changed.pause_after, changed.within_ms = one.pause_after, one.within_ms
    world.draw(int(revision))
    if old is not None:
        changed.decided_ms, changed.failures = old.decided_ms, old.failures
        changed.counters, changed.decisions = old.counters, old.decisions
    world.schedules[one.name] = changed
    world.scheduled.pop(one.name, None)
    if not paused and next_ms is not None:
        world.put_schedule_on_timeline(one.name, next_ms)
    before = old.paused if old is not None else ""
    rested = bool(before) and not before.endswith("failures in a row")
    within_ms = old.within_ms if old is not None else None
    begins = not judged.is_kept or rested or within_ms != one.within_ms
    world.expect_success(one.name, begins=begins)


def expect_apply(
    world: World, mode: str, declared: Sequence[Declared], removed: Sequence[tuple[str, str]]
) -> tuple[list[Judged], list[tuple[int, str, str]]]:
    """What each declaration of a set meets, and the refusals, one of which refuses the whole."""
    judged = [judge(world, one) for one in declared]
    refused = [
        (index, one.word, one.why)
        for index, one in enumerate(judged, 1)
        if one.why and mode != "mend"
    ]
    for index, (name, source) in enumerate(removed, len(declared) + 1):
        schedule = world.schedules.get(name)
        if schedule is not None and schedule.source != source:
            refused.append((index, "OWNED", schedule.source))
    return judged, refused


def _version(zones: str) -> tuple[int, int]:
    year, _, rest = zones.partition(".")
    return int(year), int(rest)


def expect_pause(world: World, name: str, kind: str, reason: str) -> bool:
    """Whether there is such a schedule, which now rests or goes on."""
    schedule = world.schedules.get(name)
    if schedule is None:
        return False
    if kind != "resume":
        schedule.paused = reason or "by hand"
        world.scheduled.pop(name, None)
        if kind == "pause":
            world.expect_success(name, begins=False)
    elif schedule.paused:
        schedule.paused, schedule.failures = "", 0
        world.expect_success(name, begins=True)
        if schedule.next_ms is not None:
            world.put_schedule_on_timeline(name, schedule.next_ms)
    return True


def expect_remove(world: World, name: str, source: str) -> str:
    """Schedule and ledger go; jobs that it made run on."""
    schedule = world.schedules.get(name)
    if schedule is not None and source and schedule.source != source:
        return "OWNED"
    world.scheduled.pop(name, None)
    world.expected.pop(name, None)
    world.alerts.discard(name)
    world.runs = {key: stands for key, stands in world.runs.items() if key[0] != name}
    return "ABSENT" if world.schedules.pop(name, None) is None else "REMOVED"


def expect_alerts(world: World, limit: int) -> tuple[list[str], list[str]]:
    """Schedules whose time is over by W, each told once; and those that succeeded after one."""
    late = [name for name, due in world.expected.items() if due <= world.watched_ms]
    raised = sorted(late, key=lambda name: (world.expected[name], name))[:limit]
    for name in raised:
        del world.expected[name]
    world.alerts |= set(raised)
    recovered, world.recovered = world.recovered, []
    return raised, recovered


def expect_fire(world: World, plan: Plan, seen: Seen) -> tuple[str, int, int]:
    """Word, jobs made, occurrences skipped; of plans from one reading, one is carried out."""
    schedule = world.schedules.get(plan.name)
    if schedule is None or schedule.paused:
        world.scheduled.pop(plan.name, None)
        return "ABSENT" if schedule is None else "PAUSED", 0, 0
    if (schedule.revision, schedule.next_ms) != (plan.revision, plan.expected_ms):
        return "STALE", 0, 0
    if plan.steps and (schedule.next_ms or 0) > world.now_ms:
        world.scheduled[plan.name] = schedule.next_ms or 0
        return "EARLY", 0, 0
    fired, skipped = 0, 0
    schedule.next_ms = plan.next_ms
    for step in plan.steps:
        if isinstance(step, MissedStep):
            schedule.counters["missed"] += step.occurrences
            schedule.decided_ms = step.last_ms
            _decide(schedule, step.first_ms, "missed")
        elif _make(world, plan.name, plan.overlap, step, seen) is None:
            fired += 1
            schedule.counters["fired"] += 1
            schedule.decided_ms = step.nominal_ms
            _decide(schedule, step.nominal_ms, "fired")
        else:
            skipped += 1
            schedule.counters["skipped"] += 1
            schedule.decided_ms = step.nominal_ms
            _decide(schedule, step.nominal_ms, "skipped")
    if schedule.next_ms is None:
        world.scheduled.pop(plan.name, None)
    else:
        world.scheduled[plan.name] = schedule.next_ms
    return "OK", fired, skipped


def _decide(schedule: ModelSchedule, nominal_ms: int, what: str) -> None:
    assert nominal_ms not in schedule.decisions, f"{nominal_ms} was decided twice"
    schedule.decisions[nominal_ms] = what


def _make(world: World, name: str, overlap: str, job: ModelJob, seen: Seen) -> set[bytes] | None:
    """Make a job under the overlap policy (R22): None, or the jobs that are in the way."""
    others, waits = set(world.open[name]), False
    if others and overlap == "skip":
        return others
    if others and overlap == "cancel_running":
        for raw_id in others:
            world.cancel(world.jobs[raw_id], "soft")
    elif others and overlap != "allow":
        world.take_turn(name)
        if overlap == "buffer_one" and world.buffered[name]:
            return others
        waits = True
    if job.id in world.jobs:
        return {job.id}
    world.jobs[job.id] = job
    world.open[name].add(job.id)
    world.clear_tomb(job.id)
    if waits:
        world.buffered[name].append(job.id)
        world.timeline[job.id] = TURN_MS
        world.take_turn(name)
    else:
        world.make_ready(job.place, [job.id], seen, front=False)
    return None


def expect_trigger(
    world: World, name: str, overlap: str, job: ModelJob, seen: Seen
) -> tuple[str, set[bytes]]:
    """Word, and the jobs of which one is named as in the way."""
    schedule = world.schedules.get(name)
    if schedule is None:
        return "ABSENT", set()
    if job.id in world.jobs or job.id in world.results:
        return "REPEATED", set()
    others = _make(world, name, overlap, job, seen)
    schedule.counters["triggered" if others is None else "skipped"] += 1
    return ("OK", set()) if others is None else ("SKIPPED", others)


def expect_backfill(
    world: World, plan: Plan, run: str, stands_ms: int | None, *, is_last: bool, seen: Seen
) -> tuple[str, int | None, int, int]:
    """Word, where the run stands afterwards, and how many jobs it has made and skipped (R21)."""
    schedule = world.schedules.get(plan.name)
    if schedule is None:
        return "ABSENT", None, 0, 0
    stood_ms, made, skipped, is_done = world.runs.get((plan.name, run), (None, 0, 0, False))
    if is_done:
        return "DONE", stood_ms, made, skipped
    if stood_ms != stands_ms:
        return "STALE", stood_ms, made, skipped
    if schedule.revision != plan.revision:
        return "CHANGED", stood_ms, made, skipped
    for job in plan.steps:
        assert isinstance(job, ModelJob)
        if _make(world, plan.name, plan.overlap, job, seen) is None:
            made += 1
            schedule.counters["backfilled"] += 1
        else:
            skipped += 1
    world.runs[plan.name, run] = (plan.next_ms, made, skipped, is_last)
    return "OK", plan.next_ms, made, skipped


# --- single jobs by hand ------------------------------------------------------------------------


def expect_cancel(world: World, raw_id: bytes, how: str) -> tuple[str, str]:
    """The truth at that instant (G8)."""
    ended = _ended(world, raw_id)
    if ended is not None:
        return ended
    worker = world.cancel(world.jobs[raw_id], how)
    return ("CANCELLED", "") if worker is None else ("RUNNING", worker)


def expect_reschedule(world: World, raw_id: bytes, due_ms: int, seen: Seen) -> tuple[str, str]:
    """Whether a waiting job was moved; a queued one leaves a stale entry behind (R17)."""
    ended = _ended(world, raw_id)
    if ended is not None:
        return ended
    if raw_id in world.held:
        return "RUNNING", world.held[raw_id].worker
    job = world.jobs[raw_id]
    if job.schedule is not None and raw_id in world.buffered[job.schedule]:
        world.buffered[job.schedule].remove(raw_id)
    waits = world.timeline.pop(raw_id, None) is not None
    if due_ms > world.now_ms:
        if not waits:
            world.tombs[raw_id] = job.place
        world.put_on_timeline(raw_id, due_ms)
    elif waits:
        world.clear_tomb(raw_id)
        world.make_ready(job.place, [raw_id], seen, front=False)
    return "OK", ""


def _ended(world: World, raw_id: bytes) -> tuple[str, str] | None:
    if raw_id in world.dead:
        return "DONE", "DEAD"
    if raw_id in world.jobs:
        return None
    if raw_id in world.results:
        return "DONE", world.results[raw_id][0]
    return "UNKNOWN", ""


def expect_revive(world: World, kind: str, ids: Sequence[bytes], seen: Seen) -> list[bytes]:
    """The ids that were dead letters: ready again without charges (R4), or removed."""
    done = []
    for raw_id in ids:
        if world.dead.pop(raw_id, None) is None:
            continue
        done.append(raw_id)
        job = world.jobs[raw_id]
        if kind == "drop":
            del world.jobs[raw_id]
            continue
        job.charges = job.attempts = 0
        job.notes.clear()
        world.results.pop(raw_id, None)
        if job.schedule is not None:
            world.open[job.schedule].add(raw_id)
        world.clear_tomb(raw_id)
        world.make_ready(job.place, [raw_id], seen, front=False)
    return done


def expect_report(
    world: World, who: tuple[str, str], raw_id: bytes, fence: int, kind: str, value: bytes
) -> bool:
    """Whether a running job's word about itself is taken: only under its token (G5)."""
    if world.held.get(raw_id) != (*who, fence):
        return False
    world.jobs[raw_id].notes[kind] = value
    return True


def expect_elect(world: World, beat: str, length_ms: int) -> tuple[bool, int, str]:
    """Whether a beat leads, the term, and who leads."""
    leader, term, until_ms = world.leader
    if leader != beat and world.now_ms < until_ms <= world.now_ms + length_ms:
        return False, term, leader
    term += leader != beat
    world.leader = (beat, term, world.now_ms + length_ms)
    return True, term, beat


def expect_resign(world: World, beat: str) -> None:
    """A beat that stops lets another lead at once."""
    leader, term, _ = world.leader
    if leader == beat:
        world.leader = (leader, term, 0)
