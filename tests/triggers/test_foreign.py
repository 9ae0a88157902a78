"""`At`, and triggers that users bring along: guarded, adopted, found again."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from beatline.errors import InvalidTrigger
from beatline.triggers import At, Cron, Every, ForeignTrigger, adopt_trigger, build_trigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Answering:
    """A source that gives prepared answers, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> Any:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("moment", "timezone", "expected"),
    [
        ("2026-12-01T09:00:00+01:00", "UTC", "2026-12-01T08:00:00"),
        ("2026-12-01T09:00:00", "Europe/Berlin", "2026-12-01T08:00:00"),
        ("2026-12-01 09:00", "Europe/Berlin", "2026-12-01T08:00:00"),
        ("2026-12-01", "Europe/Berlin", "2026-11-30T23:00:00"),
        ("2026-12-01T09:00:00.0005Z", "UTC", "2026-12-01T09:00:00.001"),
        # Skipped: the gap's end. Repeated: the first pass.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00"),
        (datetime(2026, 12, 1, 8, tzinfo=UTC), "Europe/Berlin", "2026-12-01T08:00:00"),
    ],
)
def test_at_when_asked_before_then_once(
    moment: str | datetime, timezone: str, expected: str
) -> None:
    trigger = At(moment, timezone=timezone)
    due = datetime.fromisoformat(f"{expected}+00:00")

    assert due == trigger.next_after(EPOCH)
    assert due == trigger.next_after(due - timedelta(milliseconds=1))
    assert trigger.next_after(due) is None
    assert trigger == build_trigger(trigger.spec())


@pytest.mark.parametrize(
    ("moment", "timezone"),
    [
        ("tomorrow", "UTC"),
        ("", "UTC"),
        (1_764_000_000, "UTC"),
        ("2011-12-30T12:00", "Pacific/Apia"),
        ("2026-12-01T09:00", "Nowhere"),
    ],
)
def test_at_when_it_names_no_instant_then_refused(moment: Any, timezone: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        At(moment, timezone=timezone)

    assert caught.value.remedy


def test_foreign_when_apscheduler_cron_then_its_fire_times() -> None:
    trigger = ForeignTrigger(CronTrigger(hour=9, timezone=UTC))

    assert 9 * 3_600_000 == trigger.next_ms(0)
    assert 33 * 3_600_000 == trigger.next_ms(9 * 3_600_000)


def test_foreign_when_source_names_the_past_first_then_asked_on() -> None:
    source = OrTrigger([DateTrigger(EPOCH, timezone=UTC), CronTrigger(hour=9, timezone=UTC)])

    assert 9 * 3_600_000 == ForeignTrigger(source).next_ms(1_000)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (Answering(RuntimeError("no database")), "raised RuntimeError: no database"),
        (Answering(datetime(2030, 1, 1)), "no aware datetime"),  # noqa: DTZ001 - the point
        (Answering("2030-01-01"), "no aware datetime"),
        (Answering(EPOCH), "back to"),
        (Answering(EPOCH, EPOCH - timedelta(days=1)), "back to"),
        (Answering(*[EPOCH + timedelta(seconds=n) for n in range(5_000)]), "had passed"),
    ],
)
def test_foreign_when_source_misbehaves_then_ended_with_a_fault(
    source: Answering, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    trigger = ForeignTrigger(source)

    next_ms = trigger.next_ms(4_000_000_000_000)

    assert next_ms is None
    assert fault in (trigger.fault or "")
    assert fault in caplog.text
    assert source.calls <= 1_000


def test_foreign_when_source_ends_then_no_fault() -> None:
    trigger = ForeignTrigger(Answering(None))

    assert trigger.next_ms(0) is None
    assert trigger.fault is None


@pytest.mark.parametrize("after_ms", [-(10**18), 10**18])
def test_foreign_when_asked_far_away_then_answers(after_ms: int) -> None:
    trigger = ForeignTrigger(CronTrigger(hour=9, timezone=UTC))

    next_ms = trigger.next_ms(after_ms)

    assert next_ms is None or next_ms > after_ms


def test_foreign_when_no_trigger_then_refused() -> None:
    with pytest.raises(InvalidTrigger, match="is not a trigger"):
        ForeignTrigger(object())  # type: ignore[arg-type]  # what a user may pass


def test_foreign_when_unnamed_then_cannot_be_stored() -> None:
    with pytest.raises(InvalidTrigger) as caught:
        ForeignTrigger(Answering(None)).spec()

    assert "ForeignTrigger(my_trigger" in caught.value.remedy


def test_foreign_when_named_then_found_in_a_loaded_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("shop_triggers")
    module.nightly = CronTrigger(hour=9, timezone=UTC)
    monkeypatch.setitem(sys.modules, "shop_triggers", module)
    trigger = ForeignTrigger(module.nightly, "shop_triggers:nightly", timezone="Europe/Berlin")

    again = build_trigger(trigger.spec())

    assert trigger == again
    assert hash(trigger) == hash(again)
    assert 9 * 3_600_000 == again.next_ms(0)


@pytest.mark.parametrize(
    "reference", ["shop_of_nobody:nightly", "sys:nothing", "sys:path", "json", "sys:"]
)
def test_foreign_when_not_found_then_refused_without_import(reference: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        build_trigger({"foreign": reference})

    assert caught.value.remedy
    assert "shop_of_nobody" not in sys.modules


def test_adopt_when_apscheduler_interval_then_a_grid_on_its_start() -> None:
    start = EPOCH + timedelta(seconds=3)

    trigger = adopt_trigger(IntervalTrigger(seconds=10, start_date=start, timezone=UTC))

    assert isinstance(trigger, Every)
    assert 13_000 == trigger.next_ms(3_000)


def test_adopt_when_apscheduler_date_then_at() -> None:
    trigger = adopt_trigger(DateTrigger(EPOCH + timedelta(seconds=3), timezone=UTC))

    assert At("1970-01-01T00:00:03Z") == trigger


def test_adopt_when_anything_else_then_foreign_or_itself() -> None:
    own = Cron("* * * * *")

    assert own is adopt_trigger(own)  # type: ignore[arg-type]  # ours pass through
    assert isinstance(adopt_trigger(CronTrigger(hour=9, timezone=UTC)), ForeignTrigger)
    jittered = IntervalTrigger(seconds=10, start_date=EPOCH, timezone=UTC, jitter=3)
    assert isinstance(adopt_trigger(jittered), ForeignTrigger)
