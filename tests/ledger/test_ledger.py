"""The ledger: events of scripts become entries that people read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatline.ids import id_text, occurrence_id
from beatline.ledger import Backfill, Fate, Occurrence, Rest, read_history, read_rests
from beatline.states import JobState

FIRE_MS = 1_767_571_200_000
ID = occurrence_id("tick", FIRE_MS, 0)


def _event(word: str, nominal_ms: int, at_ms: int, tail: bytes = b"") -> bytes:
    return f"{word} {nominal_ms} {at_ms} ".encode() + tail


def test_history_when_a_job_has_ended_then_tells_its_whole_life() -> None:
    events = [
        _event("fired", FIRE_MS, FIRE_MS + 3, ID + b" "),
        _event("ended", FIRE_MS, FIRE_MS + 900, b"SUCCESS worker:1 %d" % (FIRE_MS + 10)),
    ]

    history = read_history(events)

    assert [
        Occurrence(
            nominal_ms=FIRE_MS,
            planned_ms=FIRE_MS,
            fate=Fate.ENDED,
            enqueued_ms=FIRE_MS + 3,
            started_ms=FIRE_MS + 10,
            finished_ms=FIRE_MS + 900,
            outcome=JobState.SUCCESS,
            job_id=id_text(ID),
            worker="worker:1",
        )
    ] == history
    assert (10, 890) == (history[0].lateness_ms, history[0].run_ms)


def test_history_when_a_job_waits_then_its_lateness_is_that_of_the_enqueue() -> None:
    events = [_event("fired", FIRE_MS, FIRE_MS + 3, ID + b" caught_up")]

    (entry,) = read_history(events)

    assert (Fate.FIRED, 3, True) == (entry.fate, entry.lateness_ms, entry.is_caught_up)
    assert entry.run_ms is None


def test_history_when_an_id_holds_blanks_then_reads_it_whole() -> None:
    raw = bytes.fromhex("20202020202070202020202020202020")
    events = [
        _event("fired", FIRE_MS, FIRE_MS, raw + b" caught_up"),
        _event("skipped", FIRE_MS + 1, FIRE_MS + 1, raw),
    ]

    fired, skipped = read_history(events)

    assert id_text(raw) == fired.job_id
    assert id_text(raw) == skipped.in_the_way
    assert fired.is_caught_up


def test_history_when_occurrences_were_missed_then_tells_span_count_and_reason() -> None:
    events = [_event("missed", FIRE_MS, FIRE_MS + 99, b"%d 7 no_beat at all" % (FIRE_MS + 60))]

    (entry,) = read_history(events)

    assert (Fate.MISSED, FIRE_MS + 60, 7, "no_beat at all") == (
        entry.fate,
        entry.last_ms,
        entry.count,
        entry.reason,
    )
    assert entry.lateness_ms is None


def test_history_when_a_dead_letter_was_revived_then_its_last_end_counts() -> None:
    events = [
        _event("fired", FIRE_MS, FIRE_MS, ID + b" "),
        _event("ended", FIRE_MS, FIRE_MS + 5, b"DEAD "),
        _event("ended", FIRE_MS, FIRE_MS + 9, b"SUCCESS w 1"),
    ]

    (entry,) = read_history(events)

    assert (JobState.SUCCESS, FIRE_MS + 9) == (entry.outcome, entry.finished_ms)


def test_history_when_the_beginning_was_dropped_then_keeps_what_is_left() -> None:
    events = [_event("ended", FIRE_MS, FIRE_MS + 5, b"FAILURE w 12")]

    (entry,) = read_history(events)

    assert (Fate.ENDED, JobState.FAILURE) == (entry.fate, entry.outcome)
    assert entry.job_id is None


def test_history_when_there_is_jitter_then_lateness_counts_from_the_planned_instant() -> None:
    events = [_event("fired", FIRE_MS, FIRE_MS + 503, ID + b" ")]

    (entry,) = read_history(events, planned_of=lambda nominal_ms: nominal_ms + 500)

    assert (FIRE_MS + 500, 3) == (entry.planned_ms, entry.lateness_ms)


def test_history_when_long_then_gives_the_latest_by_fire_time() -> None:
    events = [
        _event("missed", FIRE_MS + number, FIRE_MS, b"%d 1 late" % (FIRE_MS + number))
        for number in (3, 1, 2)
    ]

    history = read_history(events, latest=2)

    assert [FIRE_MS + 2, FIRE_MS + 3] == [entry.nominal_ms for entry in history]
    assert [] == read_history(events, latest=0)


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"fired",
        b"fired x y z",
        b"fired 1 2 short",
        b"ended 1 2 SHRUGGED w 3",
        b"danced 1 2 3",
        b"\xff\xfe \x00",
        b"fired 99999999999999999999 1 " + ID,
    ],
)
def test_history_when_an_event_cannot_be_read_then_leaves_it_out(event: bytes) -> None:
    good = _event("fired", FIRE_MS, FIRE_MS, ID + b" ")

    history = read_history([event, good])

    assert [FIRE_MS] == [entry.nominal_ms for entry in history]


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_history_when_given_any_bytes_then_never_fails(events: list[bytes]) -> None:
    history = read_history(events)

    assert len(history) <= len(events)


@given(
    st.lists(
        st.sampled_from([b"fired", b"skipped", b"missed", b"ended", b"backfilled", b"filled"]),
        max_size=8,
    )
)
def test_history_when_given_any_words_then_has_one_entry_per_fire_time(words: list[bytes]) -> None:
    events = [word + b" 5 6 " + ID + b" 1 2" for word in words]

    history = read_history(events)

    assert len(history) <= 1


def test_history_when_a_missed_span_begins_with_a_fired_one_then_both_are_told() -> None:
    events = [
        _event("missed", FIRE_MS, FIRE_MS + 99, b"%d 7 no_beat" % (FIRE_MS + 60)),
        _event("fired", FIRE_MS, FIRE_MS + 200, ID + b" "),
        _event("ended", FIRE_MS, FIRE_MS + 300, b"SUCCESS w 250"),
    ]

    span, fired = read_history(events)

    assert (Fate.MISSED, 7, FIRE_MS + 60, None) == (
        span.fate,
        span.count,
        span.last_ms,
        span.job_id,
    )
    assert (Fate.ENDED, 1, None, "") == (fired.fate, fired.count, fired.last_ms, fired.reason)


def test_history_when_a_missed_one_was_backfilled_then_one_entry_tells_both() -> None:
    events = [
        _event("missed", FIRE_MS, FIRE_MS + 99, b"%d 1 late" % FIRE_MS),
        _event("backfilled", FIRE_MS, FIRE_MS + 200, ID + b" by hand"),
        _event("filled", FIRE_MS, FIRE_MS + 900, ID + b"SUCCESS w %d" % (FIRE_MS + 300)),
    ]

    (entry,) = read_history(events)

    expected = Backfill(
        id_text(ID), "by hand", FIRE_MS + 200, FIRE_MS + 300, FIRE_MS + 900, JobState.SUCCESS, "w"
    )
    assert (Fate.MISSED, "late", expected) == (entry.fate, entry.reason, entry.backfill)
    assert (600, None, None) == (expected.run_ms, entry.run_ms, entry.lateness_ms)


def test_history_when_a_span_was_backfilled_then_it_knows_how_often() -> None:
    events = [
        _event("backfilled", FIRE_MS, FIRE_MS + 50, ID + b" early"),
        _event("missed", FIRE_MS, FIRE_MS + 99, b"%d 7 paused" % (FIRE_MS + 60)),
        _event("backfilled", FIRE_MS + 60, FIRE_MS + 200, ID + b" late"),
        _event("backfilled", FIRE_MS + 70, FIRE_MS + 200, ID + b" late"),
    ]

    history = read_history(events)

    assert [Fate.MISSED, *[Fate.BACKFILLED] * 3] == [entry.fate for entry in history]
    assert [2, 0, 0, 0] == [entry.backfilled for entry in history]


def test_history_when_backfilled_twice_then_the_later_one_counts() -> None:
    other = occurrence_id("tick", FIRE_MS, 0, "again")
    events = [
        _event("backfilled", FIRE_MS, FIRE_MS + 50, ID + b" first"),
        _event("backfilled", FIRE_MS, FIRE_MS + 60, other + b" again"),
        _event("filled", FIRE_MS, FIRE_MS + 70, ID + b"FAILURE w 1"),
    ]

    (entry,) = read_history(events)

    assert Backfill(id_text(other), "again", FIRE_MS + 60) == entry.backfill


def test_history_when_a_backfill_skipped_some_then_one_entry_tells_the_span() -> None:
    events = [
        _event("missed", FIRE_MS, FIRE_MS + 9, b"%d 5 no_beat" % (FIRE_MS + 4)),
        _event("unfilled", FIRE_MS, FIRE_MS + 20, b"%d 3 %b r1" % (FIRE_MS + 2, ID)),
    ]

    missed, skipped = read_history(events)

    assert (Fate.MISSED, 5, 0, None) == (
        *(missed.fate, missed.count, missed.backfilled, missed.backfill),
    )
    assert (Fate.SKIPPED, 3, FIRE_MS + 2, None, None) == (
        *(skipped.fate, skipped.count, skipped.last_ms, skipped.job_id, skipped.in_the_way),
    )
    assert Backfill("", "r1", in_the_way=id_text(ID), skipped_ms=FIRE_MS + 20) == skipped.backfill


@pytest.mark.parametrize(
    ("words", "fate", "job_id"),
    [
        (("unfilled",), Fate.SKIPPED, ""),
        (("unfilled", "backfilled"), Fate.BACKFILLED, id_text(ID)),
        (("backfilled", "unfilled"), Fate.BACKFILLED, id_text(ID)),
        (("missed", "unfilled"), Fate.MISSED, ""),
        (("missed", "unfilled", "backfilled"), Fate.MISSED, id_text(ID)),
        (("fired", "unfilled"), Fate.FIRED, ""),
        (("skipped", "unfilled"), Fate.SKIPPED, ""),
        (("unfilled", "filled"), Fate.BACKFILLED, id_text(ID)),
    ],
)
def test_history_when_a_backfill_skipped_one_then_what_else_is_known_stays(
    words: tuple[str, ...], fate: Fate, job_id: str
) -> None:
    tails = {
        "missed": b"%d 1 late" % FIRE_MS,
        "fired": ID + b" ",
        "skipped": ID,
        "backfilled": ID + b" r2",
        "filled": ID + b" SUCCESS w 1",
        "unfilled": b"%d 1 %b r1" % (FIRE_MS, ID),
    }

    (entry,) = read_history([_event(word, FIRE_MS, FIRE_MS + 9, tails[word]) for word in words])

    assert entry.backfill is not None
    assert (fate, 1, job_id) == (entry.fate, entry.count, entry.backfill.job_id)


def test_history_when_it_fired_and_was_backfilled_then_its_own_end_stays() -> None:
    events = [
        _event("fired", FIRE_MS, FIRE_MS, ID + b" "),
        _event("ended", FIRE_MS, FIRE_MS + 5, b"FAILURE w 1"),
        _event("filled", FIRE_MS, FIRE_MS + 70, ID + b"SUCCESS w 1"),
        _event("filled", FIRE_MS, FIRE_MS + 70, b"short"),
        _event("filled", FIRE_MS, FIRE_MS + 70, ID + b"SHRUGGED"),
    ]

    (entry,) = read_history(events)

    assert (Fate.ENDED, JobState.FAILURE) == (entry.fate, entry.outcome)
    assert entry.backfill is not None
    assert (JobState.SUCCESS, "") == (entry.backfill.outcome, entry.backfill.run)


def test_rests_when_a_pause_has_ended_then_told_with_its_reason() -> None:
    events = [
        _event("fired", FIRE_MS, FIRE_MS, ID + b" "),
        _event("rested", FIRE_MS + 1, FIRE_MS + 9, "the wärehouse moves".encode()),
        b"rested 1",
        b"rested x y z",
        b"",
    ]

    rests = read_rests(events)

    assert [Rest(FIRE_MS + 1, FIRE_MS + 9, "the wärehouse moves")] == rests
    assert 1 == len(read_history(events))


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_rests_when_given_any_bytes_then_never_fails(events: list[bytes]) -> None:
    rests = read_rests(events)

    assert len(rests) <= len(events)
