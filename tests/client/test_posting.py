"""Round trips: what is sent is what a worker gets, with every option."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import redis

from beatline import App, JobState, Task
from beatline.errors import (
    InvalidSetting,
    InvalidTaskId,
    NotSent,
    UnserializableArgument,
    WrongUse,
)
from beatline.job import Job
from beatline.store.views import JobView
from tests.client.hands import Hands, finish

#: 2030-01-01T00:00:00Z in ms.
NEW_YEAR_MS = 1_893_456_000_000


@dataclass(frozen=True)
class Order:
    """An argument of the user's own kind."""

    number: int
    total: Decimal


@pytest.fixture
def task(app: App) -> Task[..., Any]:
    @app.task(name="any")
    def take_any(*args: Any, **kwargs: Any) -> None: ...

    return take_any


def job_of(app: App, job_id: str) -> Job:
    job = app.jobs.get(job_id).job
    assert job is not None
    return job


def server_now_ms(app: App) -> int:
    return app.sender().server_now_ms()


class TestArguments:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            -1,
            1 << 80,
            1.5,
            "grüße",
            b"\x00\xff",
            [1, [2, [3]]],
            (1, (2,)),
            {"a": {"b": 1}},
            {1: "one"},
            {1, 2},
            Decimal("0.10"),
            UUID(int=5),
            date(2026, 1, 2),
            datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            timedelta(days=-1, microseconds=1),
            Order(7, Decimal("19.90")),
        ],
    )
    def test_delay_when_argument_can_travel_then_arrives_as_it_was(
        self, task: Task[..., Any], hands: Hands, value: Any
    ) -> None:
        task.delay(value, named=value)

        _, job = hands.take_job()

        assert (value, value) == (job.args[0], job.kwargs["named"])
        assert (type(value), type(value)) == (type(job.args[0]), type(job.kwargs["named"]))

    @pytest.mark.parametrize(
        ("args", "kwargs", "path"),
        [
            ((object(),), {}, "args[0]"),
            ((1, {"user": [object()]}), {}, 'args[1]["user"][0]'),
            ((), {"photo": {"raw": lambda: None}}, 'kwargs["photo"]["raw"]'),
        ],
    )
    def test_delay_when_argument_cannot_travel_then_error_has_its_path(
        self, app: App, task: Task[..., Any], args: Any, kwargs: Any, path: str
    ) -> None:
        with pytest.raises(UnserializableArgument) as caught:
            task.delay(*args, **kwargs)

        assert path == caught.value.path
        assert caught.value.remedy
        assert 0 == app.queues.depth()

    def test_delay_when_arguments_are_huge_then_are_refused(
        self, app: App, task: Task[..., Any]
    ) -> None:
        with pytest.raises(UnserializableArgument, match="store them"):
            task.delay(b"x" * (17 << 20))

        assert 0 == app.queues.depth()

    @pytest.mark.parametrize("args", ["text", b"bytes", {"a": 1}, 7])
    def test_apply_async_when_args_are_no_sequence_then_are_refused(
        self, task: Task[..., Any], args: Any
    ) -> None:
        with pytest.raises(WrongUse, match="tuple or list"):
            task.apply_async(args)

    def test_apply_async_when_kwargs_are_no_mapping_then_are_refused(
        self, task: Task[..., Any]
    ) -> None:
        wrong: Any = [("a", 1)]

        with pytest.raises(WrongUse, match="kwargs"):
            task.apply_async((), wrong)

    def test_apply_async_when_args_are_an_iterator_then_are_taken(
        self, task: Task[..., Any], hands: Hands
    ) -> None:
        task.apply_async(iter([1, 2]))

        assert [1, 2] == hands.take_job()[1].args


class TestOptions:
    def send(self, app: App, task: Task[..., Any], **options: Any) -> JobView:
        return app.jobs.get(task.apply_async((1,), **options).id)

    def test_apply_async_when_nothing_is_said_then_job_is_plain(
        self, app: App, task: Task[..., Any]
    ) -> None:
        view = self.send(app, task)

        assert JobState.QUEUED == view.state
        assert Job(view.raw_id, "any", [1], {}, "default", 4) == view.job

    def test_countdown_when_given_then_job_is_due_by_the_servers_clock(
        self, app: App, task: Task[..., Any]
    ) -> None:
        view = self.send(app, task, countdown=60)

        due_ms = view.due_ms or 0
        assert JobState.SCHEDULED == view.state
        assert abs(server_now_ms(app) + 60_000 - due_ms) < 2_000
        assert view.job is not None
        assert abs(view.job.options["eta"] - due_ms) < 1_000

    @pytest.mark.parametrize("countdown", [0, -5, -0.1])
    def test_countdown_when_it_is_over_then_job_is_ready(
        self, app: App, task: Task[..., Any], countdown: float
    ) -> None:
        assert JobState.QUEUED == self.send(app, task, countdown=countdown).state

    def test_eta_when_aware_then_job_is_due_then(self, app: App, task: Task[..., Any]) -> None:
        eta = datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

        view = self.send(app, task, eta=eta)

        assert NEW_YEAR_MS == view.due_ms
        assert view.job is not None
        assert {"eta": NEW_YEAR_MS} == view.job.options

    def test_eta_when_between_milliseconds_then_job_is_due_to_the_microsecond(
        self, app: App, task: Task[..., Any], redis_url: str
    ) -> None:
        eta = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(microseconds=501)

        view = self.send(app, task, eta=eta)

        with redis.Redis.from_url(redis_url) as client:
            found: Any = client.zrange("{sched:0}:timeline", 0, -1, withscores=True)
        ((_, score),) = found
        assert NEW_YEAR_MS + 0.501 == pytest.approx(score, abs=0.0005)
        assert NEW_YEAR_MS + 1 == view.due_ms
        assert view.job is not None
        assert {"eta": NEW_YEAR_MS + 1} == view.job.options

    def test_eta_when_naive_then_is_in_the_apps_zone(self, make_app: Callable[..., App]) -> None:
        app = make_app(timezone="Europe/Berlin")

        result = app.send_task("t", eta=datetime(2030, 1, 1, 1))  # noqa: DTZ001 - on purpose

        assert NEW_YEAR_MS == app.jobs.get(result.id).due_ms

    def test_eta_when_past_then_job_is_ready(self, app: App, task: Task[..., Any]) -> None:
        view = self.send(app, task, eta=datetime(1969, 1, 1, tzinfo=UTC))

        assert JobState.QUEUED == view.state

    def test_expires_when_seconds_then_counts_from_the_servers_now(
        self, app: App, task: Task[..., Any]
    ) -> None:
        view = self.send(app, task, expires=30)

        assert view.job is not None
        assert abs(server_now_ms(app) + 30_000 - view.job.options["expires"]) < 2_000

    def test_expires_when_datetime_then_is_that_instant(
        self, app: App, task: Task[..., Any]
    ) -> None:
        view = self.send(app, task, expires=datetime(2030, 1, 1, tzinfo=UTC))

        assert view.job is not None
        assert {"expires": NEW_YEAR_MS} == view.job.options

    def test_expires_when_declared_by_the_task_then_counts_from_each_call(self, app: App) -> None:
        task = app.task(name="t", expires="10s")(lambda: None)

        options = job_of(app, task.delay().id).options

        assert abs(server_now_ms(app) + 10_000 - options["expires"]) < 2_000

    def test_options_when_given_then_overrule_the_tasks(self, app: App) -> None:
        task = app.task(name="t", queue="slow", priority=1, ignore_result=True)(lambda: None)

        mine = job_of(app, task.delay().id)
        other = job_of(app, task.apply_async(queue="fast", priority=9, ignore_result=False).id)

        assert ("slow", 1, True) == (mine.queue, mine.priority, mine.ignore_result)
        assert ("fast", 9, False) == (other.queue, other.priority, other.ignore_result)

    def test_options_when_none_then_are_as_good_as_left_out(
        self, app: App, task: Task[..., Any]
    ) -> None:
        view = self.send(app, task, countdown=None, queue=None, task_id=None, durability=None)

        assert JobState.QUEUED == view.state

    def test_headers_when_given_then_travel(self, app: App, task: Task[..., Any]) -> None:
        view = self.send(app, task, headers={"trace": "abc", "at": date(2026, 1, 1)})

        assert view.job is not None
        assert {"trace": "abc", "at": date(2026, 1, 1)} == view.job.options["headers"]

    def test_limits_when_given_then_travel_in_ms(self, app: App, task: Task[..., Any]) -> None:
        view = self.send(app, task, time_limit="1m", soft_time_limit=30)

        assert view.job is not None
        assert {"time_limit": 60_000, "soft_time_limit": 30_000} == view.job.options

    def test_on_unsure_when_task_skips_then_record_says_so(self, app: App) -> None:
        task = app.task(name="t", on_unsure="skip")(lambda: None)

        assert job_of(app, task.delay().id).skip_unsure

    def test_default_queue_when_environment_says_so_then_is_used(
        self, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BEATLINE_DEFAULT_QUEUE", "other")
        app = make_app()
        task = app.task(name="t")(lambda: None)

        assert "other" == job_of(app, task.delay().id).queue

    def test_default_queue_when_configured_later_then_is_used(self, app: App) -> None:
        task = app.task(name="t")(lambda: None)
        first = job_of(app, task.delay().id).queue

        app.configure(default_queue="other")

        assert ("default", "other") == (first, job_of(app, task.delay().id).queue)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"countdwon": 1},
            {"countdown": 1, "eta": datetime(2030, 1, 1, tzinfo=UTC)},
            {"countdown": "soon"},
            {"countdown": 10**13},
            {"countdown": True},
            {"eta": 1_893_456_000},
            {"expires": -1},
            {"expires": "later"},
            {"queue": "two words"},
            {"priority": 10},
            {"headers": ["a"]},
            {"headers": {1: 2}},
            {"ignore_result": 1},
            {"time_limit": 0},
            {"time_limit": 5, "soft_time_limit": 6},
            {"durability": "forever"},
        ],
    )
    def test_apply_async_when_option_does_not_fit_then_is_refused(
        self, app: App, task: Task[..., Any], wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidSetting) as caught:
            task.apply_async((1,), **wrong)

        assert caught.value.remedy
        assert 0 == app.queues.depth()

    def test_apply_async_when_option_is_misspelt_then_error_names_the_nearest(
        self, task: Task[..., Any]
    ) -> None:
        wrong: Any = {"count_down": 1}

        with pytest.raises(InvalidSetting, match=r"did you mean 'countdown'\?"):
            task.apply_async((1,), **wrong)

    def test_apply_async_when_header_cannot_travel_then_error_has_its_path(
        self, task: Task[..., Any]
    ) -> None:
        with pytest.raises(UnserializableArgument) as caught:
            task.apply_async((1,), headers={"x": object()})

        assert 'headers["x"]' == caught.value.path

    def test_eta_when_the_apps_zone_does_not_exist_then_is_refused(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(timezone="Europe/Berlim")

        with pytest.raises(InvalidSetting, match="Europe/Berlim"):
            app.send_task("t", eta=datetime(2030, 1, 1))  # noqa: DTZ001 - on purpose


class TestTaskIds:
    def test_task_id_when_new_then_job_has_it(self, app: App, task: Task[..., Any]) -> None:
        result = task.apply_async((1,), task_id="order-7")

        assert ("order-7", False) == (result.id, result.is_duplicate)
        assert JobState.QUEUED == result.state

    def test_task_id_when_taken_then_makes_no_second_job(
        self, app: App, task: Task[..., Any]
    ) -> None:
        task.apply_async((1,), task_id="order-7")

        again = task.apply_async((2,), task_id="order-7")

        assert again.is_duplicate
        assert ([1], 1) == (job_of(app, "order-7").args, app.queues.depth())

    @pytest.mark.parametrize("ignore_result", [True, False])
    def test_task_id_when_its_job_has_ended_then_makes_no_second_job(
        self, app: App, task: Task[..., Any], ignore_result: bool
    ) -> None:
        first = task.apply_async((1,), task_id="order-7", ignore_result=ignore_result)
        finish(app, first, "done")

        again = task.apply_async((2,), task_id="order-7", ignore_result=ignore_result)

        assert again.is_duplicate
        assert 0 == app.queues.depth()

    def test_task_id_when_forgotten_then_is_free_again(
        self, app: App, task: Task[..., Any]
    ) -> None:
        first = task.apply_async((1,), task_id="order-7")
        finish(app, first)
        first.forget()

        assert not task.apply_async((2,), task_id="order-7").is_duplicate

    @pytest.mark.parametrize("task_id", ["x", "ü" * 100, "a:b|c {d}", "x" * 200])
    def test_task_id_when_scheduled_then_comes_back_whole(
        self, app: App, task: Task[..., Any], hands: Hands, task_id: str
    ) -> None:
        result = task.apply_async((1,), task_id=task_id, countdown=60)
        before = result.state
        app.jobs.run_now(task_id)

        delivery, job = hands.take_job()

        assert ("SCHEDULED", task_id) == (before, job.text)
        assert delivery.id == task_id.encode()

    def test_task_id_when_a_version_4_uuid_then_is_text_like_any_other(
        self, app: App, task: Task[..., Any]
    ) -> None:
        task_id = str(uuid.uuid4())

        result = task.apply_async((1,), task_id=task_id, countdown=60)

        assert (task_id, "SCHEDULED") == (result.id, result.state)

    def test_task_id_when_an_id_of_ours_then_is_checked_too(
        self, app: App, task: Task[..., Any]
    ) -> None:
        first = task.delay(1)

        assert task.apply_async((1,), task_id=first.id).is_duplicate

    @pytest.mark.parametrize("task_id", ["", "x" * 201, "a\nb", "\x00", "\ud800", 7, b"x"])
    def test_task_id_when_it_cannot_be_one_then_is_refused(
        self, app: App, task: Task[..., Any], task_id: Any
    ) -> None:
        with pytest.raises(InvalidTaskId):
            task.apply_async((1,), task_id=task_id)

        assert 0 == app.queues.depth()


class TestMany:
    def test_apply_many_when_sent_then_all_arrive_in_order(
        self, app: App, task: Task[..., Any], hands: Hands
    ) -> None:
        results = task.apply_many([(n,) for n in range(2_500)], {"named": True})

        deliveries = hands.take(2_500)

        assert [result._raw_id for result in results] == [one.id for one in deliveries]
        assert [0, 1, 2_499] == [job_of(app, results[at].id).args[0] for at in (0, 1, 2_499)]

    def test_apply_many_when_given_a_generator_then_takes_it(
        self, app: App, task: Task[..., Any]
    ) -> None:
        results = task.apply_many(([n] for n in range(3)), countdown=60)

        assert ["SCHEDULED"] * 3 == [result.state for result in results]

    def test_apply_many_when_there_is_nothing_then_sends_nothing(
        self, task: Task[..., Any]
    ) -> None:
        assert [] == task.apply_many([])

    def test_apply_many_when_one_argument_cannot_travel_then_sends_none(
        self, app: App, task: Task[..., Any]
    ) -> None:
        calls: list[Any] = [(n,) for n in range(1_500)]
        calls.append((object(),))

        with pytest.raises(UnserializableArgument):
            task.apply_many(calls)

        assert 0 == app.queues.depth()

    def test_apply_many_when_jobs_are_large_then_goes_in_smaller_portions(
        self, app: App, task: Task[..., Any]
    ) -> None:
        task.apply_many([(b"x" * 300_000,) for _ in range(10)])

        assert 10 == app.queues.depth()

    def test_apply_many_when_results_are_ignored_then_get_returns_at_once(
        self, task: Task[..., Any]
    ) -> None:
        results = task.apply_many([(1,), (2,)], ignore_result=True)

        assert [None, None] == [result.get() for result in results]

    @pytest.mark.parametrize("wrong", [["text"], [7], [{"a": 1}]])
    def test_apply_many_when_a_call_is_no_tuple_then_is_refused(
        self, app: App, task: Task[..., Any], wrong: Any
    ) -> None:
        with pytest.raises(WrongUse):
            task.apply_many(wrong)

    def test_apply_many_when_given_a_task_id_then_is_refused(self, task: Task[..., Any]) -> None:
        with pytest.raises(InvalidSetting, match="several jobs"):
            task.apply_many([(1,)], task_id="x")

    def test_apply_many_when_nothing_listens_then_none_is_sent(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(redis="redis://127.0.0.1:1/0")

        with pytest.raises(NotSent):
            app.task(name="t")(lambda n: None).apply_many([(1,)])


class TestPartitions:
    @pytest.fixture
    def app(self, make_app: Callable[..., App]) -> App:
        return make_app(namespace="four", partitions=4)

    def test_delay_when_there_are_partitions_then_all_are_used_evenly(
        self, app: App, task: Task[..., Any]
    ) -> None:
        results = [task.delay(n) for n in range(40)]

        shares = [len(Hands(app, partition).take(100)) for partition in range(4)]

        assert [10, 10, 10, 10] == shares
        assert {"RUNNING"} == {result.state for result in results}

    def test_apply_many_when_there_are_partitions_then_all_are_used(
        self, app: App, task: Task[..., Any]
    ) -> None:
        results = task.apply_many([(n,) for n in range(100)])

        shares = [len(Hands(app, partition).take(100)) for partition in range(4)]

        assert [25, 25, 25, 25] == shares
        assert 100 == len({result.id for result in results})

    def test_task_id_when_there_are_partitions_then_is_found_in_its_own(
        self, app: App, task: Task[..., Any]
    ) -> None:
        results = [task.apply_async((n,), task_id=f"order-{n}") for n in range(40)]
        again = [task.apply_async((n,), task_id=f"order-{n}") for n in range(40)]

        shares = [len(Hands(app, partition).take(100)) for partition in range(4)]

        assert all(result.is_duplicate for result in again)
        assert ({"RUNNING"}, 40) == ({result.state for result in results}, sum(shares))
        assert min(shares) > 0

    def test_queues_and_jobs_when_there_are_partitions_then_cover_all(
        self, app: App, task: Task[..., Any]
    ) -> None:
        task.apply_many([(n,) for n in range(40)])
        task.apply_many([(n,) for n in range(40)], countdown=60, queue="later")

        depths = (app.queues.depth(), app.queues.depth("later"), app.queues.names())

        assert (80, 40, ["default"]) == depths
        assert 40 == len(app.jobs.list(state="SCHEDULED"))
        assert 40 == len(app.jobs.list(queue="default"))

    def test_get_when_there_are_partitions_then_hears_of_the_end(
        self, app: App, task: Task[..., Any]
    ) -> None:
        results = [task.delay(n) for n in range(4)]

        for partition in range(4):
            hands = Hands(app, partition)
            hands.succeed(hands.take()[0], "done")

        assert ["done"] * 4 == [result.get(timeout=5) for result in results]
