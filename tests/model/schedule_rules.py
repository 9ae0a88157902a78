"""What declarers, beats and people do: schedules and their jobs, and single jobs by hand."""

from __future__ import annotations

from typing import Any

from beatline.ids import occurrence_id
from beatline.job import (
    FLAG_BACKFILL,
    FLAG_IGNORE_RESULT,
    FLAG_SCHEDULE,
    FLAG_SKIP_UNSURE,
    record_head,
)
from beatline.store.backfilling import Batch, Run, backfill
from beatline.store.burying import drop, revive
from beatline.store.cancelling import cancel, reschedule
from beatline.store.firing import Advance, Fired, JobStep, MissedStep, fire, trigger
from beatline.store.scheduling import pause, remove, resume, set_aside
from beatline.wire.connection import Argument
from tests.model.scheduling import (
    Declared,
    Plan,
    carry_out,
    expect_alerts,
    expect_apply,
    expect_backfill,
    expect_cancel,
    expect_fire,
    expect_pause,
    expect_remove,
    expect_reschedule,
    expect_revive,
    expect_trigger,
    judge,
)
from tests.model.seen import Seen
from tests.model.stage import BODY, QUEUES, Luck, action
from tests.model.supervisor_rules import SupervisorRules
from tests.model.world import ModelJob
from tests.store.support import START_US, TTL_MS

NAMES = ("s", "t")
#: The grid of all schedules, ms.
PERIOD_MS = 10_000
OVERLAPS = ("skip", "buffer_one", "buffer_all", "cancel_running", "allow")


class ScheduleRules(SupervisorRules):
    """Schedules are declared, edited, fired by several beats, and removed."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[Plan] = []
        self.batches: list[tuple[str, str, int | None, Plan, bool]] = []
        #: The latest instant that a schedule of each name was ever planned for.
        self.furthest = dict.fromkeys(NAMES, START_US // 1000)

    # --- schedules ------------------------------------------------------------------------------

    @action(3, "schedules", name=NAMES, trigger=("a", "a", "b"), ends=(False, False, False, True))
    def put_schedule(self, luck: Luck, name: str, trigger: str, ends: bool) -> None:
        """A declaration: new, changed, the same, somebody else's, or from an old computation."""
        one = self._declared(luck, name, trigger, ends=ends)

        def expect(answer: list[bytes], _: Seen) -> None:
            judged = judge(self.world, one)
            assert judged.word == answer[0].decode()
            if judged.why:
                assert judged.why == answer[1].decode()
                return
            assert judged.next_ms == (int(answer[2]) if answer[2] else None)
            carry_out(self.world, one, judged, answer[1])

        self.step("put_schedule", self.run("put_schedule", *_arguments(one)), expect)

    @action(
        *(3, "schedules", lambda _: True),
        mode=("apply", "apply", "check", "mend"),
        removes=(False, True),
    )
    def apply_schedules(self, luck: Luck, mode: str, removes: bool) -> None:
        """A set is declared as a whole, or refused as a whole."""
        names = luck.some(NAMES)
        declared = [
            self._declared(luck, name, luck.choice(("a", "b")), ends=False) for name in names
        ]
        rest = [name for name in NAMES if name not in names]
        removed = [(name, luck.choice(("code", "file"))) for name in rest if removes]
        if mode == "mend":
            removed = []
        arguments = [word for one in declared for word in _arguments(one)]
        arguments += [word for pair in removed for word in pair]

        def expect(answer: list[Any], seen: Seen) -> None:
            judged, refused = expect_apply(self.world, mode, declared, removed)
            if mode == "mend":
                differ = [i for i, one in enumerate(judged, 1) if one.word != "SAME"]
                assert [b"DONE", *(b"%d" % index for index in differ)] == answer
            elif refused:
                told = [[b"%d" % at, word.encode(), why.encode()] for at, word, why in refused]
                assert [b"REFUSED", *told] == answer
            else:
                assert [b"DONE"] == answer
            if mode == "apply" and not refused:
                for one, met in zip(declared, judged, strict=True):
                    carry_out(self.world, one, met, seen.hashed(f"sched:{one.name}")[b"rev"])
                for name, source in removed:
                    expect_remove(self.world, name, source)

        send = self.run("apply_schedules", mode, len(declared), len(removed), *arguments)
        self.step("apply_schedules", send, expect)

    def _declared(self, luck: Luck, name: str, trigger: str, *, ends: bool) -> Declared:
        definition = luck.choice(("d", "d", "e"))
        return Declared(
            *(name, definition, trigger, luck.choice(("code", "code", "file"))),
            None if ends else self._next_instant(name, luck.choice((0, 0, 0, -1))),
            zones=luck.choice(("2026.1", "2026.1", "2026.2")),
            rests=luck.choice((False, False, True)),
            takes_over=luck.choice((False, True)),
            pause_after=2 if definition == "e" else None,
            within_ms=4_000 if definition == "e" else None,
        )

    def _next_instant(self, name: str, offset: int) -> int:
        """The next instant of the grid, after all that a schedule of this name ever had."""
        latest = max(self.clock.now_ms, self.furthest[name])
        instant = (latest // PERIOD_MS + 1 + offset) * PERIOD_MS
        if offset == 0:
            self.furthest[name] = instant
        return instant

    @action(2, "schedules", name=NAMES, kind=("pause", "resume", "set_aside"))
    def pause_schedule(self, luck: Luck, name: str, kind: str) -> None:
        place = self.partition
        calls: dict[str, Any] = {"pause": pause, "resume": resume}

        def send() -> bool:
            if kind == "set_aside":
                return set_aside(place.connection, place.prefix, name, "no such zone")
            return bool(calls[kind](place.connection, place.prefix, name))

        def expect(answer: bool, _: Seen) -> None:
            why = "unreadable: no such zone" if kind == "set_aside" else ""
            assert expect_pause(self.world, name, kind, why) == answer

        self.step("pause_schedule", send, expect)

    @action(1, "schedules", name=NAMES, source=("", "code", "file"))
    def remove_schedule(self, luck: Luck, name: str, source: str) -> None:
        place = self.partition

        def expect(answer: str, _: Seen) -> None:
            assert expect_remove(self.world, name, source) == answer

        self.step(
            "remove_schedule",
            lambda: remove(place.connection, place.prefix, name, source).word,
            expect,
        )

    # --- firing ---------------------------------------------------------------------------------

    @action(2, "schedules", lambda self: self.world.schedules, name=NAMES, overlap=OVERLAPS)
    def plan(self, luck: Luck, name: str, overlap: str) -> None:
        """A beat reads a schedule and plans; it may be slow to act on it."""
        schedule = self.world.schedules.get(name)
        if schedule is None or schedule.next_ms is None:
            return
        self.plans = [*self.plans[-3:], self._planned(luck, name, overlap)]

    @action(
        6,
        "schedules",
        lambda self: any(one.next_ms for one in self.world.schedules.values()),
        overlap=OVERLAPS,
        late_ms=(0, 0, 9_000, 65_000, -1),
    )
    def fire_when_due(self, luck: Luck, overlap: str, late_ms: int) -> None:
        """A beat fires a schedule when its instant has come, or a moment early."""
        names = [name for name, one in self.world.schedules.items() if one.next_ms is not None]
        name = luck.choice(sorted(names))
        wait_ms = (self.world.schedules[name].next_ms or 0) + late_ms - self.clock.now_ms
        self.clock.advance(max(wait_ms, 0))
        plan = self._planned(luck, name, overlap)
        self._fire(plan)
        self.plans = [*self.plans[-3:], plan]

    @action(2, "schedules", lambda self: self.plans)
    def fire_late(self, luck: Luck) -> None:
        """A plan from some time ago is carried out, perhaps for the second time."""
        self._fire(luck.choice(self.plans))

    def _planned(self, luck: Luck, name: str, overlap: str) -> Plan:
        """Every instant that has come: some missed, the newest two fired."""
        schedule = self.world.schedules[name]
        first_ms = schedule.next_ms or 0
        latest_ms = max(first_ms, self.clock.now_ms // PERIOD_MS * PERIOD_MS)
        instants = range(first_ms, latest_ms + 1, PERIOD_MS)
        missed, fired = instants[:-2], instants[-2:]
        steps: list[ModelJob | MissedStep] = []
        if missed:
            steps.append(MissedStep(missed[0], missed[-1], "no beat", len(missed)))
        queue = luck.choice(QUEUES)
        flags = luck.choice((FLAG_IGNORE_RESULT, FLAG_IGNORE_RESULT, 0, FLAG_SKIP_UNSURE))
        for nominal_ms in fired:
            raw_id = occurrence_id(name, nominal_ms, 0)
            steps.append(self._schedule_job(raw_id, name, nominal_ms, queue, flags))
        is_last = luck.choice((False, False, False, False, True))
        next_ms = None if is_last else latest_ms + PERIOD_MS
        return Plan(name, schedule.revision, schedule.next_ms, next_ms, overlap, tuple(steps))

    def _schedule_job(
        self, raw_id: bytes, name: str, nominal_ms: int, queue: str, flags: int
    ) -> ModelJob:
        flags |= FLAG_SCHEDULE
        record = record_head(queue, 4, flags, name, nominal_ms) + BODY
        return ModelJob(raw_id, queue, 4, flags, record, name, nominal_ms)

    def _fire(self, plan: Plan) -> None:
        if plan.next_ms is not None:
            self.furthest[plan.name] = max(self.furthest[plan.name], plan.next_ms)
        place = self.partition
        steps = [
            step if isinstance(step, MissedStep) else JobStep(step.nominal_ms, step.id, step.record)
            for step in plan.steps
        ]
        expected = b"" if plan.expected_ms is None else b"%d" % plan.expected_ms
        advance = Advance(
            *(plan.name, plan.revision, expected, plan.next_ms, plan.next_ms, plan.overlap),
            steps,
        )

        def expect(answer: Fired, seen: Seen) -> None:
            assert Fired(*expect_fire(self.world, plan, seen)) == answer

        self.step("fire", lambda: fire(place.connection, place.prefix, advance), expect)

    @action(2, "schedules", name=NAMES, overlap=OVERLAPS)
    def trigger(self, luck: Luck, name: str, overlap: str) -> None:
        """Somebody runs a schedule's task by hand; the call may be repeated."""
        self.made += luck.choice((1, 1, 0))
        nominal_ms = 1_000_000_000_000 + self.made
        raw_id = occurrence_id(name, nominal_ms, 0, "by hand")
        job = self._schedule_job(raw_id, name, nominal_ms, "q", FLAG_IGNORE_RESULT)
        step = JobStep(nominal_ms, raw_id, job.record)
        place = self.partition

        def expect(answer: tuple[str, bytes], seen: Seen) -> None:
            word, others = expect_trigger(self.world, name, overlap, job, seen)
            assert word == answer[0]
            assert answer[1] in (others or {b""})

        self.step(
            "trigger",
            lambda: trigger(place.connection, place.prefix, name, overlap, step),
            expect,
        )

    @action(2, "schedules", limit=(1, 100))
    def raise_alerts(self, luck: Luck, limit: int) -> None:
        """A beat looks for schedules that have not succeeded within their time."""
        place = self.partition

        def expect(answer: list[list[bytes]], _: Seen) -> None:
            wanted = expect_alerts(self.world, limit)
            assert wanted == tuple([name.decode() for name in names] for names in answer)

        self.step("raise_alerts", lambda: place.run("raise_alerts", limit), expect)

    @action(
        *(3, "schedules", lambda self: self.world.schedules),
        overlap=OVERLAPS,
        back=(0, 0, 1),
    )
    def backfill(self, luck: Luck, overlap: str, back: int) -> None:
        """One batch of a run: the next, or one that was carried out before."""
        name = luck.choice(sorted(self.world.schedules))
        run = luck.choice(("r1", "r2"))
        key = (name, run)
        stands_ms = self.world.runs[key][0] if key in self.world.runs else None
        if back and self.batches:
            name, run, stands_ms, plan, is_last = luck.choice(self.batches)
        else:
            plan, is_last = self._batch(luck, name, run, stands_ms, overlap), luck.random() < 0.2
            self.batches = [*self.batches[-3:], (name, run, stands_ms, plan, is_last)]
        steps = [JobStep(one.nominal_ms, one.id, one.record) for one in plan.steps]  # type: ignore[union-attr]
        stands = b"" if stands_ms is None else b"%d" % stands_ms
        batch = Batch(
            *(name, plan.revision, run, stands, plan.overlap, plan.next_ms or 0, is_last),
            *("", steps),
        )
        place = self.partition

        def expect(answer: tuple[str, Run], seen: Seen) -> None:
            wanted = expect_backfill(self.world, plan, run, stands_ms, is_last=is_last, seen=seen)
            word, found = answer
            assert wanted == (word, found.stands_ms, found.made, found.skipped)

        self.step("backfill", lambda: backfill(place.connection, place.prefix, batch), expect)

    def _batch(self, luck: Luck, name: str, run: str, stands_ms: int | None, overlap: str) -> Plan:
        first_ms = (stands_ms or START_US // 1000 - 10 * PERIOD_MS) + PERIOD_MS
        instants = [first_ms, first_ms + PERIOD_MS][: luck.choice((1, 2))]
        flags = FLAG_BACKFILL | FLAG_IGNORE_RESULT
        steps = tuple(
            self._schedule_job(occurrence_id(name, at, 0, run), name, at, "q", flags)
            for at in instants
        )
        revision = self.world.schedules[name].revision
        return Plan(name, revision, None, instants[-1], overlap, steps)

    # --- single jobs by hand --------------------------------------------------------------------

    @action(8, "deaths", is_hard=(False, True))
    def cancel(self, luck: Luck, is_hard: bool) -> None:
        running = sorted(self.world.held)
        raw_id = luck.choice(running if running and luck.random() < 0.5 else self.some_ids())
        place = self.partition

        def expect(answer: tuple[str, str], _: Seen) -> None:
            assert expect_cancel(self.world, raw_id, "hard" if is_hard else "soft") == answer

        self.step(
            "cancel",
            lambda: cancel(place.connection, place.prefix, raw_id, TTL_MS, hard=is_hard),
            expect,
        )

    @action(5, "own ids", wait_ms=(None, None, 1, 5_000, -1))
    def reschedule(self, luck: Luck, wait_ms: int | None) -> None:
        raw_id = luck.choice(self.some_ids())
        due_ms = 0 if wait_ms is None else self.clock.now_ms + wait_ms
        place = self.partition

        def expect(answer: tuple[str, str], seen: Seen) -> None:
            assert expect_reschedule(self.world, raw_id, due_ms, seen) == answer

        self.step(
            "reschedule",
            lambda: reschedule(place.connection, place.prefix, raw_id, due_ms),
            expect,
        )

    @action(8, "deaths", lambda self: self.world.dead, drops=(False, False, True))
    def revive(self, luck: Luck, drops: bool) -> None:
        ids = luck.choices(self.some_ids(), k=3)
        place = self.partition

        def expect(answer: list[bytes], seen: Seen) -> None:
            assert expect_revive(self.world, "drop" if drops else "revive", ids, seen) == answer

        call = drop if drops else revive
        self.step("revive", lambda: call(place.connection, place.prefix, ids), expect)


def _arguments(one: Declared) -> tuple[Argument, ...]:
    next_ms = "" if one.next_ms is None else one.next_ms
    return (
        *(one.name, one.definition, one.trigger, one.source, next_ms, next_ms),
        *("1" if one.rests else "", "take" if one.takes_over else "", one.zones),
        one.pause_after or "",
        one.within_ms or "",
    )
