"""Tasks: registered, called, bound, subclassed, retried."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from beatline import App, JobRequest, Task, current_job
from beatline.errors import InvalidSetting, MaxRetriesExceeded, Retry, WrongUse
from beatline.job import Job
from beatline.request import enter_job
from beatline.units import moment_of
from tests.client.test_sender import fork_and_run

#: 2026-11-22T12:00:00Z in ms.
NOON_MS = 1_795_348_800_000


def request(task: str, *, retries: int = 0, **options: Any) -> JobRequest:
    """What a worker enters around the body of a job."""
    job = Job(b"mine", task, [], {}, "default", 4, options=options)
    return JobRequest(job, retries=retries, fence=NOON_MS * 1000, worker="w1", hostname="here")


class Counting(Task):
    """A task whose state is made once in a process."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return super().__call__(*args, **kwargs)


@pytest.fixture(autouse=True)
def _forget_count() -> None:
    Counting.made = 0


class TestDeclaring:
    def test_task_when_written_without_parentheses_then_is_registered(self, app: App) -> None:
        @app.task
        def pay(amount: int) -> int:
            """Pays."""
            return amount

        assert {pay.name: pay} == app.tasks
        assert pay.name.endswith(".pay")
        assert ("Pays.", "(amount: 'int') -> 'int'") == (
            pay.__doc__,
            str(inspect.signature(pay)),
        )

    def test_task_when_written_with_options_then_has_them(self, app: App) -> None:
        @app.task(name="pay", queue="money", max_retries=None, time_limit="5m")
        def pay() -> None: ...

        assert ("pay", "money", None, 300_000) == (
            pay.name,
            pay.options.queue,
            pay.max_retries,
            pay.options.time_limit_ms,
        )

    def test_task_when_given_what_cannot_be_called_then_is_refused(self, app: App) -> None:
        with pytest.raises(WrongUse):
            app.task("pay")  # type: ignore[call-overload]

    def test_task_when_base_is_no_task_then_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidSetting, match="no subclass"):
            app.task(base=dict)(lambda: None)

    def test_task_when_base_needs_arguments_then_is_refused(self, app: App) -> None:
        class Needy(Task):
            def __init__(self, model: str) -> None: ...

        with pytest.raises(InvalidSetting, match="without arguments"):
            app.task(base=Needy)(lambda: None)

    def test_task_when_base_has_options_then_they_apply_unless_said_otherwise(
        self, app: App
    ) -> None:
        class Money(Task):
            queue = "money"
            max_retries = 9

        @app.task(base=Money)
        def pay() -> None: ...

        @app.task(base=Money, max_retries=1)
        def refund() -> None: ...

        assert ("money", 9) == (pay.options.queue, pay.max_retries)
        assert ("money", 1) == (refund.options.queue, refund.max_retries)


class TestCalling:
    def test_call_when_made_plainly_then_runs_here(self, app: App) -> None:
        @app.task
        def add(left: int, right: int) -> int:
            return left + right

        assert 4 == add(2, 2)
        assert 5 == add(left=2, right=3)
        assert 0 == app.queues.depth()

    def test_call_when_bound_then_passes_the_task(self, app: App) -> None:
        @app.task(bind=True)
        def who(self: Task[..., Any], suffix: str) -> str:
            return self.name + suffix

        assert who.name + "!" == who("!")

    def test_call_when_plain_then_request_says_so(self, app: App) -> None:
        @app.task(bind=True)
        def look(self: Task[..., Any]) -> tuple[bool, str, bool]:
            return self.request.called_directly, self.request.id, current_job() is None

        assert (True, "", True) == look()

    def test_begin_body_when_function_is_a_coroutine_then_gives_the_coroutine(
        self, app: App
    ) -> None:
        @app.task
        async def later(value: int) -> int:
            await asyncio.sleep(0)
            return value + 1

        returned: Any = asyncio.run(later.body()(1))

        assert 2 == returned
        assert later.is_async


class TestSubclasses:
    def test_init_when_task_is_declared_and_sent_then_does_not_run(self, app: App) -> None:
        @app.task(base=Counting)
        def count() -> None: ...

        count.delay()

        assert 0 == Counting.made

    def test_init_when_body_runs_twice_then_has_run_once(self, app: App) -> None:
        @app.task(base=Counting, bind=True)
        def count(self: Counting) -> int:
            return self.calls

        calls = [count(), count.body()(), count()]

        assert ([1, 2, 3], 1) == (calls, Counting.made)

    def test_init_when_many_threads_come_first_then_runs_once(self, app: App) -> None:
        @app.task(base=Counting)
        def count() -> None: ...

        gate = threading.Barrier(8)

        def call() -> None:
            gate.wait()
            count()

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == Counting.made

    @pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
    def test_init_when_process_forks_then_runs_anew_in_the_child(self, app: App) -> None:
        @app.task(base=Counting, bind=True)
        def count(self: Counting) -> int:
            return self.calls

        count()
        count()

        def child() -> None:
            assert 1 == count()
            assert 2 == Counting.made

        code = fork_and_run(child)

        assert 0 == code
        assert 3 == count()

    def test_run_when_overridden_then_is_the_body(self, app: App) -> None:
        class Doubling(Task):
            def run(self, value: int) -> int:
                return 2 * int(self._function(value))

        @app.task(base=Doubling)
        def add_one(value: int) -> int:
            return value + 1

        assert 6 == add_one.body()(2)
        with pytest.raises(TypeError):
            add_one.delay(1, 2)  # type: ignore[call-arg]  # that is the test


class TestRetry:
    def declare(self, app: App, **options: Any) -> Task[..., Any]:
        def flaky() -> None: ...

        declared: Any = app.task(name="flaky", **options)
        task: Task[..., Any] = declared(flaky)
        return task

    def retry_in(self, task: Task[..., Any], retries: int = 0, **how: Any) -> int:
        with enter_job(request(task.name, retries=retries)), pytest.raises(Retry) as caught:
            task.retry(**how)
        return caught.value.delay_ms

    def test_retry_when_nothing_is_said_then_waits_the_default_delay(self, app: App) -> None:
        task = self.declare(app, default_retry_delay=7)

        assert 7_000 == self.retry_in(task)

    def test_retry_when_task_backs_off_then_so_does_it(self, app: App) -> None:
        task = self.declare(app, retry_backoff=2, retry_jitter=False)

        assert [2_000, 4_000, 8_000] == [self.retry_in(task, retries) for retries in range(3)]

    def test_retry_when_countdown_is_given_then_waits_so_long(self, app: App) -> None:
        task = self.declare(app)

        assert 90_000 == self.retry_in(task, countdown="1m30s")

    def test_retry_when_eta_is_given_then_waits_by_the_servers_clock(self, app: App) -> None:
        task = self.declare(app)

        delay_ms = self.retry_in(task, eta=moment_of(NOON_MS + 60_000))
        past_ms = self.retry_in(task, eta=datetime(2020, 1, 1, tzinfo=UTC))

        assert 59_000 <= delay_ms <= 60_000
        assert 0 == past_ms

    def test_retry_when_both_are_given_then_is_refused(self, app: App) -> None:
        task = self.declare(app)

        with enter_job(request(task.name)), pytest.raises(InvalidSetting):
            task.retry(countdown=1, eta=datetime.now(UTC))

    def test_retry_when_exc_is_given_then_is_the_cause(self, app: App) -> None:
        task, error = self.declare(app), OSError("down")

        with enter_job(request(task.name)), pytest.raises(Retry) as caught:
            task.retry(exc=error)

        assert error is caught.value.cause

    def test_retry_when_used_up_then_raises_exc(self, app: App) -> None:
        task = self.declare(app, max_retries=2)

        with enter_job(request(task.name, retries=2)), pytest.raises(OSError, match="down"):
            task.retry(exc=OSError("down"))

    def test_retry_when_used_up_without_exc_then_says_so(self, app: App) -> None:
        task = self.declare(app, max_retries=2)

        with enter_job(request(task.name, retries=2)), pytest.raises(MaxRetriesExceeded):
            task.retry()

    @pytest.mark.parametrize(("given", "limit"), [(None, None), (5, 5)])
    def test_retry_when_limit_is_given_then_overrules_the_tasks(
        self, app: App, given: int | None, limit: int | None
    ) -> None:
        task = self.declare(app, max_retries=0, default_retry_delay=1)

        assert 1_000 == self.retry_in(task, retries=4, max_retries=given)

    def test_retry_when_task_has_no_limit_then_never_ends(self, app: App) -> None:
        task = self.declare(app, max_retries=None, default_retry_delay=1)

        assert 1_000 == self.retry_in(task, retries=10**6)

    def test_retry_when_called_directly_then_raises_what_went_wrong(self, app: App) -> None:
        task = self.declare(app)

        with pytest.raises(OSError, match="down"):
            task.retry(exc=OSError("down"))


class TestRequest:
    def test_current_job_when_nothing_runs_then_is_none(self) -> None:
        assert current_job() is None

    def test_current_job_when_a_job_is_entered_then_is_that_until_its_end(self) -> None:
        entered = request("t")

        with enter_job(entered):
            inside = current_job()

        assert (entered, None) == (inside, current_job())

    def test_current_job_when_looked_at_then_tells_all_of_the_job(self) -> None:
        job = Job(
            b"mine",
            "reports.nightly",
            [1],
            {"full": True},
            "reports",
            7,
            schedule="nightly",
            nominal_ms=NOON_MS,
            options={"expires": NOON_MS + 1, "headers": {"trace": "x"}, "caught_up": True},
        )

        found = JobRequest(job, retries=2, delivery=3, fence=4, worker="w", hostname="h")

        assert ("mine", b"mine", "reports.nightly") == (found.id, found.raw_id, found.task)
        assert ([1], {"full": True}) == (found.args, found.kwargs)
        assert ("reports", 7, "nightly", True) == (
            found.queue,
            found.priority,
            found.schedule,
            found.caught_up,
        )
        assert (moment_of(NOON_MS), None) == (found.scheduled_for, found.eta)
        assert (moment_of(NOON_MS + 1), {"trace": "x"}) == (found.expires, found.headers)

    def test_scheduled_for_when_job_is_of_no_schedule_then_is_its_eta(self) -> None:
        found = request("t", eta=NOON_MS)

        assert moment_of(NOON_MS) == found.scheduled_for

    def test_request_when_another_task_is_called_plainly_then_is_not_the_jobs(
        self, app: App
    ) -> None:
        @app.task(name="inner", bind=True)
        def inner(self: Task[..., Any]) -> bool:
            return self.request.called_directly

        with enter_job(request("outer")):
            assert inner()

    def test_current_job_when_threads_run_jobs_then_each_sees_its_own(self) -> None:
        seen: dict[str, Any] = {}
        gate = threading.Barrier(2)

        def run(name: str) -> None:
            with enter_job(request(name)):
                gate.wait(5)
                job = current_job()
                seen[name] = job and job.task

        threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert {"a": "a", "b": "b"} == seen


def test_on_child_start_when_decorated_then_is_listed(make_app: Callable[..., App]) -> None:
    app = make_app()

    @app.on_child_start
    def warm_up() -> None: ...

    assert [warm_up] == app.child_start_hooks
