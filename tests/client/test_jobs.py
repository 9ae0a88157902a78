"""Looking at jobs, cancelling and moving them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from beatline import (
    AlreadyDone,
    AlreadyRunning,
    App,
    JobState,
    Rescheduled,
    Unknown,
)
from beatline.errors import InvalidSetting
from tests.client.hands import Hands
from tests.servers import RedisProcess

#: 2030-01-01T00:00:00Z in ms.
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NEW_YEAR_MS = 1_893_456_000_000


class TestGet:
    def test_get_when_job_waits_then_tells_when_it_is_due(self, app: App) -> None:
        result = app.send_task("t", eta=NEW_YEAR)

        view = app.jobs.get(result.id)

        assert (result.id, "SCHEDULED", NEW_YEAR_MS) == (view.id, view.state, view.due_ms)

    def test_get_when_job_runs_then_tells_who_holds_it(self, app: App, hands: Hands) -> None:
        result = app.send_task("t")
        delivery, _ = hands.take_job()

        view = app.jobs.get(result.id)

        assert ("RUNNING", hands.worker, delivery.fence) == (view.state, view.worker, view.fence)

    def test_get_when_job_is_unknown_then_says_so(self, app: App) -> None:
        view = app.jobs.get("nobody")

        assert (JobState.UNKNOWN, None, None) == (view.state, view.job, view.outcome)

    def test_get_when_record_is_garbage_then_tells_the_problem(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        result = app.send_task("t")
        raw_id = app.jobs.get(result.id).raw_id
        with redis_server.client() as client:
            record: Any = client.hget("{sched:0}:jobs", raw_id)
            client.hset("{sched:0}:jobs", raw_id, record[:-3])

        view = app.jobs.get(result.id)

        assert view.job is None
        assert result.id in view.problem


class TestMoving:
    def test_reschedule_when_job_waits_then_moves_it(self, app: App) -> None:
        result = app.send_task("t", countdown=60)

        answer = app.jobs.reschedule(result.id, eta=NEW_YEAR)

        assert Rescheduled(result.id, NEW_YEAR_MS) == answer
        assert answer
        assert NEW_YEAR_MS == app.jobs.get(result.id).due_ms

    def test_reschedule_when_countdown_is_given_then_counts_from_the_servers_now(
        self, app: App
    ) -> None:
        result = app.send_task("t", eta=NEW_YEAR)

        app.jobs.reschedule(result.id, countdown="1h")

        due_ms = app.jobs.get(result.id).due_ms or 0
        assert abs(app.sender().server_now_ms() + 3_600_000 - due_ms) < 2_000

    def test_reschedule_when_job_is_queued_then_puts_it_off(self, app: App, hands: Hands) -> None:
        result = app.send_task("t")

        app.jobs.reschedule(result.id, eta=NEW_YEAR)

        assert [] == hands.take()
        assert JobState.SCHEDULED == result.state

    def test_run_now_when_job_waits_then_is_ready(self, app: App, hands: Hands) -> None:
        result = app.send_task("t", eta=NEW_YEAR)

        answer = app.jobs.run_now(result.id)

        assert answer
        assert result.id == hands.take_job()[1].text

    def test_run_now_when_job_runs_or_is_over_or_unknown_then_says_so(
        self, app: App, hands: Hands
    ) -> None:
        running = app.send_task("t")
        hands.take_job()
        over = app.send_task("t")
        delivery, _ = hands.take_job()
        hands.succeed(delivery)

        answers = [app.jobs.run_now(job_id) for job_id in (running.id, over.id, "nobody")]

        assert not any(answers)
        assert [AlreadyRunning, AlreadyDone, Unknown] == [type(answer) for answer in answers]

    @pytest.mark.parametrize("wrong", [{}, {"eta": NEW_YEAR, "countdown": 1}])
    def test_reschedule_when_told_nothing_or_twice_then_is_refused(
        self, app: App, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidSetting):
            app.jobs.reschedule("x", **wrong)


class TestListing:
    @pytest.fixture
    def zoo(self, app: App, hands: Hands) -> dict[str, str]:
        """One job of every state that has one -> its id."""
        ids: dict[str, str] = {}
        for state in ("RUNNING", "SUCCESS", "FAILURE", "RETRYING", "DEAD", "CANCELLED", "LOST"):
            ids[state] = app.send_task(f"zoo.{state.lower()}", queue="default").id
            delivery, _ = hands.take_job()
            if state == "SUCCESS":
                hands.succeed(delivery)
            elif state == "FAILURE":
                hands.fail(delivery, ValueError("x"))
            elif state == "RETRYING":
                hands.retry(delivery)
            elif state == "DEAD":
                hands.bury(delivery)
            elif state != "RUNNING":
                hands.end(delivery, state)
        ids["SCHEDULED"] = app.send_task("zoo.scheduled", eta=NEW_YEAR, queue="later").id
        ids["QUEUED"] = app.send_task("zoo.queued", priority=9).id
        cancelled = app.send_task("zoo.gone")
        cancelled.cancel()
        ids["CANCELLED"] = cancelled.id
        return ids

    @pytest.mark.parametrize(
        "state",
        ["RUNNING", "SUCCESS", "FAILURE", "RETRYING", "DEAD", "LOST", "SCHEDULED", "QUEUED"],
    )
    def test_list_when_state_is_given_then_has_those(
        self, app: App, zoo: dict[str, str], state: str
    ) -> None:
        assert [zoo[state]] == [view.id for view in app.jobs.list(state=state.lower())]

    def test_list_when_nothing_is_given_then_has_all_that_is_not_over(
        self, app: App, zoo: dict[str, str]
    ) -> None:
        views = app.jobs.list()

        order = ["RUNNING", "QUEUED", "RETRYING", "SCHEDULED", "DEAD"]
        assert [zoo[state] for state in order] == [view.id for view in views]

    def test_list_when_queue_or_task_is_given_then_has_those(
        self, app: App, zoo: dict[str, str]
    ) -> None:
        by_queue = app.jobs.list(queue="later")
        by_task = app.jobs.list(task="zoo.running")

        assert ([zoo["SCHEDULED"]], [zoo["RUNNING"]]) == (
            [view.id for view in by_queue],
            [view.id for view in by_task],
        )

    def test_list_when_a_tag_is_given_then_has_those_that_were_sent_with_it(
        self, app: App, hands: Hands
    ) -> None:
        running = app.send_task("t", tags=["eu"])
        hands.take_job()
        waiting = app.send_task("t", countdown=60, tags=["eu", "night"])
        app.send_task("t", countdown=60, tags=["us"])
        app.send_task("t", countdown=60)

        found = app.jobs.list(tag="eu")

        assert [running.id, waiting.id] == [view.id for view in found]
        assert ("eu", "night") == found[1].tags
        assert [waiting.id] == [view.id for view in app.jobs.list(tag="night", task="t")]
        assert [] == app.jobs.list(tag="night", task="other")

    def test_list_when_a_span_is_given_then_has_what_waits_for_it_ends_included(
        self, app: App
    ) -> None:
        task = app.task(name="t")(lambda n: None)
        task.apply_many([(n,) for n in range(600)], eta=NEW_YEAR - timedelta(days=1))
        at, after = (app.send_task("t", eta=NEW_YEAR + timedelta(hours=h)).id for h in (0, 2))
        app.send_task("t", eta=NEW_YEAR + timedelta(hours=3))
        app.send_task("t")

        both = app.jobs.list(due_from=NEW_YEAR, due_until=NEW_YEAR + timedelta(hours=2))
        before = app.jobs.list(due_until=NEW_YEAR - timedelta(hours=1), limit=1_000)

        assert [at, after] == [view.id for view in both]
        assert 600 == len(before)
        assert 2 == len(app.jobs.list(due_from=NEW_YEAR + timedelta(hours=1)))
        assert [] == app.jobs.list(state="queued", due_from=NEW_YEAR)

    @pytest.mark.parametrize("tags", ["eu", [""], [5], ["x" * 101], [str(n) for n in range(21)], 7])
    def test_send_when_tags_are_none_then_is_refused(self, app: App, tags: Any) -> None:
        with pytest.raises(InvalidSetting):
            app.send_task("t", tags=tags)

    def test_list_when_limited_then_has_so_many(self, app: App) -> None:
        app.task(name="t")(lambda n: None).apply_many([(n,) for n in range(700)], countdown=60)

        lengths = [len(app.jobs.list(limit=limit)) for limit in (0, 1, 250, 1_000)]

        assert [0, 1, 250, 700] == lengths

    def test_list_when_state_does_not_exist_then_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidSetting, match="QUEUED"):
            app.jobs.list(state="READY")

    def test_list_when_it_is_unknown_then_is_empty(self, app: App) -> None:
        assert [] == app.jobs.list(state="UNKNOWN")

    def test_dead_when_jobs_were_buried_then_lists_newest_first_with_forensics(
        self, app: App, hands: Hands
    ) -> None:
        results = [app.send_task("t") for _ in range(3)]
        for delivery in hands.take(3):
            hands.bury(delivery, '{"reason": "OOM killer"}')

        dead = app.jobs.dead()

        assert {result.id for result in results} == {view.id for view in dead}
        assert {'{"reason": "OOM killer"}'} == {view.forensics for view in dead}


class TestQueues:
    def test_depth_when_jobs_wait_run_and_are_due_then_counts_them_all(
        self, app: App, hands: Hands
    ) -> None:
        for countdown in (None, None, 60, 60, 60):
            app.send_task("t", countdown=countdown)
        app.send_task("t", queue="other", countdown=60)
        hands.take_job()
        ended = app.send_task("t", queue="other")
        ended.cancel()

        depths = [app.queues.depth(name) for name in (None, "default", "other", "nothing")]

        assert [6, 5, 1, 0] == depths

    def test_depths_when_asked_then_tell_ready_scheduled_and_held(
        self, app: App, hands: Hands
    ) -> None:
        app.send_task("t")
        app.send_task("t", priority=9)
        app.send_task("t", countdown=60)
        hands.take_job()

        (depth,) = app.queues.depths()

        assert ("default", (9, 4), 1, 1, 1, 3) == (
            depth.name,
            depth.priorities,
            depth.ready,
            depth.scheduled,
            depth.held,
            depth.depth,
        )

    def test_depth_when_jobs_are_dead_letters_then_does_not_count_them(
        self, app: App, hands: Hands
    ) -> None:
        app.send_task("t")
        hands.bury(hands.take_job()[0])

        assert (0, 0) == (app.queues.depth(), app.queues.depth("default"))

    def test_depth_when_name_is_none_of_a_queue_then_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidSetting):
            app.queues.depth("two words")

    def test_names_when_queues_were_used_then_lists_them(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(partitions=2)
        for queue in ("b", "a", "b"):
            app.send_task("t", queue=queue)

        assert ["a", "b"] == app.queues.names()
