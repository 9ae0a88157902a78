"""Waiting for the end of a job, and what comes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from beatline import (
    AlreadyDone,
    AlreadyRunning,
    App,
    AsyncResult,
    Cancelled,
    JobState,
    Task,
    Unknown,
)
from beatline.errors import (
    InvalidTaskId,
    JobCancelled,
    JobDead,
    JobExpired,
    JobFailed,
    JobLost,
    NotSent,
    ResultTimeout,
    UndecodableJob,
    UnknownJob,
)
from tests.client.hands import Hands
from tests.client.test_sender import fork_and_run
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually


@pytest.fixture
def echo(app: App) -> Task[[Any], Any]:
    @app.task(name="echo")
    def echo(value: Any) -> Any:
        return value

    return echo


def waiting(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run something in a thread; what it returns or raises is put into the list."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


def listeners(server: RedisProcess) -> int:
    """How many channels of ended jobs are listened to."""
    with server.client() as client:
        return len(client.pubsub_channels())


class TestGet:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            42,
            "text",
            b"\x00bytes",
            [1, [2]],
            (1, (2,)),
            {"a": {1, 2}},
            Decimal("1.10"),
            UUID(int=7),
            date(2026, 11, 22),
            datetime(2026, 11, 22, tzinfo=UTC),
            timedelta(days=1),
        ],
    )
    def test_get_when_job_has_ended_then_returns_what_the_task_returned(
        self, echo: Task[[Any], Any], hands: Hands, value: Any
    ) -> None:
        result = echo.delay(value)
        delivery, job = hands.take_job()
        hands.succeed(delivery, job.args[0])

        found = result.get(timeout=5)

        assert value == found
        assert type(value) is type(found)

    def test_get_when_job_ends_later_then_is_told_at_once(
        self, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        thread, found = waiting(lambda: result.get(timeout=10))
        eventually(lambda: listeners(redis_server) == 1)
        ended = time.monotonic()

        hands.succeed(delivery, "done")
        thread.join(10)

        assert ["done"] == found
        assert 1.0 > time.monotonic() - ended
        eventually(lambda: listeners(redis_server) == 0)

    def test_get_when_many_threads_wait_then_each_hears_of_its_own_job(
        self, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        results = [echo.delay(n) for n in range(8)]
        waits = [waiting(lambda r=result: r.get(timeout=20)) for result in results]  # type: ignore[misc]
        eventually(lambda: listeners(redis_server) == 8)

        for delivery in hands.take(8):
            hands.succeed(delivery, delivery.id)
        for thread, _ in waits:
            thread.join(10)

        assert [[result._raw_id] for result in results] == [found for _, found in waits]

    def test_get_when_one_thread_waits_for_many_then_returns_all(
        self, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        results = [echo.delay(n) for n in range(5)]
        thread, found = waiting(lambda: [result.get(timeout=20) for result in results])

        for number, delivery in enumerate(hands.take(5)):
            eventually(lambda: listeners(redis_server) == 1)
            hands.succeed(delivery, number)
        thread.join(10)

        assert [[0, 1, 2, 3, 4]] == found

    def test_get_when_time_is_over_then_raises_result_timeout(self, echo: Task[[Any], Any]) -> None:
        result = echo.delay(1)
        begun = time.monotonic()

        with pytest.raises(ResultTimeout) as caught:
            result.get(timeout=0.2)

        assert isinstance(caught.value, TimeoutError)
        assert 0.2 <= time.monotonic() - begun < 2

    def test_get_when_timeout_is_zero_then_only_looks(self, echo: Task[[Any], Any]) -> None:
        result = echo.delay(1)

        with pytest.raises(ResultTimeout):
            result.get(timeout=0)

    def test_get_when_timeout_is_text_then_is_a_duration(self, echo: Task[[Any], Any]) -> None:
        result = echo.delay(1)

        with pytest.raises(ResultTimeout):
            result.get(timeout="50ms")

    def test_get_when_id_is_unknown_then_raises_at_once(self, app: App) -> None:
        with pytest.raises(UnknownJob, match="no-such-job"):
            app.result("no-such-job").get()

    def test_get_when_result_is_ignored_then_returns_none_at_once(self, app: App) -> None:
        @app.task(ignore_result=True)
        def quiet() -> None: ...

        assert quiet.delay().get() is None

    def test_get_when_called_twice_then_asks_once(
        self, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.succeed(delivery, "kept")
        first = result.get(timeout=5)
        redis_server.flush()

        second = result.get(timeout=5)

        assert ("kept", "kept") == (first, second)

    def test_get_when_connection_is_cut_then_still_hears(
        self, make_app: Callable[..., App], redis_server: RedisProcess, proxy: Proxy
    ) -> None:
        app = make_app(redis=proxy.url)
        result = app.send_task("t")
        hands = Hands(make_app())
        delivery, _ = hands.take_job()
        thread, found = waiting(lambda: result.get(timeout=20))
        eventually(lambda: listeners(redis_server) == 1)

        proxy.reset()
        hands.succeed(delivery, "after the cut")
        thread.join(15)

        assert ["after the cut"] == found

    def test_get_when_notice_is_lost_then_the_next_look_finds_the_end(
        self,
        echo: Task[[Any], Any],
        hands: Hands,
        redis_server: RedisProcess,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("beatline.notices.LOOK_EVERY_S", 0.1)
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        thread, found = waiting(lambda: result.get(timeout=10))
        eventually(lambda: listeners(redis_server) == 1)
        with redis_server.client() as client:
            client.delete(b"{sched:0}:held:" + hands.worker.encode())
            client.hdel("{sched:0}:jobs", delivery.id)
            client.set(b"{sched:0}:result:" + delivery.id, b"EXPIRED\n")

        thread.join(5)

        assert isinstance(found[0], JobExpired)

    def test_get_when_redis_restarts_empty_then_the_job_is_unknown(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        result = make_app(redis=server.tcp_url).send_task("t")
        thread, found = waiting(lambda: result.get(timeout=30))
        eventually(lambda: listeners(server) == 1)

        server.restart()
        thread.join(15)

        assert isinstance(found[0], UnknownJob)

    def test_get_when_redis_is_away_from_the_start_then_raises_not_sent(
        self, make_app: Callable[..., App], proxy: Proxy
    ) -> None:
        app = make_app(redis=proxy.url, call_timeout="300ms")
        result = app.send_task("t")
        proxy.refuse()
        proxy.reset()

        with pytest.raises(NotSent):
            result.get()

    def test_get_when_redis_goes_while_waiting_then_times_out_in_time(
        self, make_app: Callable[..., App], redis_server: RedisProcess, proxy: Proxy
    ) -> None:
        app = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="300ms")
        result = app.send_task("t")
        begun = time.monotonic()
        thread, found = waiting(lambda: result.get(timeout=1.5))
        eventually(lambda: listeners(redis_server) == 1)

        proxy.black_hole()
        thread.join(10)

        assert isinstance(found[0], ResultTimeout)
        assert 1.5 <= time.monotonic() - begun < 3.5

    def test_get_when_redis_comes_back_while_waiting_then_hears_of_the_end(
        self, make_app: Callable[..., App], redis_server: RedisProcess, proxy: Proxy
    ) -> None:
        app = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="300ms")
        result = app.send_task("t")
        hands = Hands(make_app())
        delivery, _ = hands.take_job()
        thread, found = waiting(lambda: result.get(timeout=20))
        eventually(lambda: listeners(redis_server) == 1)
        proxy.refuse()
        proxy.reset()
        eventually(lambda: listeners(redis_server) == 0)

        proxy.listen()
        eventually(lambda: listeners(redis_server) == 1)
        hands.succeed(delivery, "late")
        thread.join(10)

        assert ["late"] == found

    @pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
    def test_get_when_process_has_forked_then_both_hear(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        first, second = echo.delay(1), echo.delay(2)
        one, other = hands.take(2)
        hands.succeed(one, "first")
        assert "first" == first.get(timeout=5)
        with pytest.raises(ResultTimeout):
            second.get(timeout=0.1)
        hands.succeed(other, "second")

        def child() -> None:
            assert "second" == second.get(timeout=5)

        code = fork_and_run(child)

        assert (0, "second") == (code, second.get(timeout=5))


class TestFailures:
    def test_get_when_task_raised_then_raises_it_with_the_workers_traceback(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.fail(delivery, KeyError("shoe"), "Traceback: line 7")

        with pytest.raises(KeyError, match="shoe") as caught:
            result.get(timeout=5)

        assert ["Traceback of the worker:\nTraceback: line 7"] == caught.value.__notes__
        assert "Traceback: line 7" == result.traceback

    def test_get_when_called_twice_then_the_note_stands_once(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.fail(delivery, KeyError("shoe"), "there")
        with pytest.raises(KeyError):
            result.get(timeout=5)

        with pytest.raises(KeyError) as caught:
            result.get(timeout=5)

        assert 1 == len(caught.value.__notes__)

    def test_get_when_propagate_is_off_then_returns_the_exception(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.fail(delivery, KeyError("shoe"))

        found = result.get(timeout=5, propagate=False)

        assert isinstance(found, KeyError)

    def test_get_when_class_is_not_known_here_then_raises_job_failed(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        class LocalError(Exception): ...

        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.fail(delivery, LocalError("gone"), "far away")

        with pytest.raises(JobFailed, match="gone") as caught:
            result.get(timeout=5)

        assert "far away" == caught.value.traceback

    @pytest.mark.parametrize(
        ("state", "error"),
        [("CANCELLED", JobCancelled), ("EXPIRED", JobExpired), ("LOST", JobLost)],
    )
    def test_get_when_job_ended_otherwise_then_raises_its_error(
        self, echo: Task[[Any], Any], hands: Hands, state: str, error: type[Exception]
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.end(delivery, state)

        with pytest.raises(error, match=result.id):
            result.get(timeout=5)

    def test_get_when_job_is_a_dead_letter_then_tells_why(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.bury(delivery)

        with pytest.raises(JobDead, match="killed too often"):
            result.get(timeout=5)

    def test_get_when_stored_result_is_garbage_then_says_so(
        self, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.succeed(delivery, 1)
        with redis_server.client() as client:
            client.set(b"{sched:0}:result:" + delivery.id, b"SUCCESS\n\xff\xfe")

        with pytest.raises(UndecodableJob):
            result.get(timeout=5)

        assert JobState.SUCCESS == result.state


class TestLooking:
    def test_state_when_job_goes_through_its_life_then_follows(
        self, app: App, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.apply_async((1,), countdown=60)
        states = [result.state]
        app.jobs.run_now(result.id)
        states.append(result.state)
        delivery, _ = hands.take_job()
        states.append(result.state)
        hands.retry(delivery)
        states.append(result.state)
        app.jobs.run_now(result.id)
        delivery, _ = hands.take_job()
        hands.succeed(delivery, 1)
        states.append(result.state)

        assert ["SCHEDULED", "QUEUED", "RUNNING", "RETRYING", "SUCCESS"] == states

    def test_ready_when_job_has_not_ended_then_nothing_is_told(
        self, echo: Task[[Any], Any]
    ) -> None:
        result = echo.delay(1)

        told = (result.ready(), result.successful(), result.failed(), result.result)

        assert (False, False, False, None) == told
        assert result.traceback is None

    def test_ready_when_job_has_returned_then_all_is_told(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.succeed(delivery, "value")

        told = (result.ready(), result.successful(), result.failed(), result.result)

        assert (True, True, False, "value") == told
        assert ("SUCCESS", "value") == (result.status, result.info)

    def test_failed_when_task_raised_then_result_is_the_exception(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.fail(delivery, ValueError("no"))

        assert result.failed()
        assert isinstance(result.result, ValueError)

    def test_forget_when_job_has_ended_then_it_is_unknown(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.succeed(delivery, 1)
        result.get(timeout=5)

        result.forget()

        assert JobState.UNKNOWN == result.state

    def test_results_when_of_the_same_job_then_are_equal(
        self, app: App, echo: Task[[Any], Any]
    ) -> None:
        result = echo.delay(1)

        same = AsyncResult[Any](result.id, app=app)

        assert same == result
        assert 1 == len({same, result})
        assert result.id == str(same)

    @pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "\ud800"])
    def test_result_when_id_cannot_be_one_then_is_refused(self, app: App, text: str) -> None:
        with pytest.raises(InvalidTaskId):
            app.result(text)


class TestCancelling:
    def test_cancel_when_job_waits_then_it_is_cancelled(self, echo: Task[[Any], Any]) -> None:
        result = echo.delay(1)

        answer = result.cancel()

        assert Cancelled(result.id) == answer
        assert answer
        assert JobState.CANCELLED == result.state

    def test_revoke_when_job_runs_then_it_is_flagged(
        self, app: App, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        hands.take_job()

        answer = result.revoke(terminate=True)

        assert AlreadyRunning(result.id, hands.worker) == answer
        assert not answer
        assert "hard" == app.jobs.get(result.id).cancelled

    def test_cancel_when_job_is_over_then_says_how(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        delivery, _ = hands.take_job()
        hands.succeed(delivery)

        answer = result.cancel()

        assert AlreadyDone(result.id, JobState.SUCCESS) == answer
        assert not answer

    def test_cancel_when_id_is_unknown_then_says_so(self, app: App) -> None:
        answer = app.result("nobody").cancel()

        assert Unknown("nobody") == answer
        assert not answer

    def test_cancel_when_its_reply_is_lost_then_still_tells_the_truth(
        self, make_app: Callable[..., App], proxy: Proxy
    ) -> None:
        result = make_app(redis=proxy.url).send_task("t")
        proxy.lose_replies(1, to=b"EVALSHA")

        answer = result.cancel()

        assert Cancelled(result.id) == answer
