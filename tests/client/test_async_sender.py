"""Sending from event loops: shared calls, lost replies, outages, cancelled callers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from beatline import App, AsyncResult, JobState, Task
from beatline.errors import (
    InvalidSetting,
    NotDurable,
    NotSent,
    RedisUnavailable,
    ServerRefused,
    Uncertain,
    UnserializableArgument,
)
from beatline.ids import partition_of
from beatline.store.views import JobView
from tests.client.test_sender import LONGEST_CALL_S, enqueued, fork_and_run, make_add
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually


@pytest.fixture
def proxied(make_app: Callable[..., App], proxy: Proxy) -> App:
    """An app that reaches the server through the proxy."""
    return make_app(redis=proxy.url)


@pytest.fixture
def impatient(make_app: Callable[..., App], proxy: Proxy) -> App:
    """As ``proxied``, with timeouts that a test can wait for."""
    return make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="600ms")


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    """What each of several calls at once returned or raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


def repeat_of(error: object) -> Awaitable[Any]:
    """The repeat of an error that must be `Uncertain`."""
    assert isinstance(error, Uncertain)
    assert error.repeat is not None
    repeated: Awaitable[Any] = error.repeat()
    return repeated


def args_of(job: AsyncResult[Any] | JobView) -> list[Any]:
    """The arguments of a job that has not ended."""
    view = job.view() if isinstance(job, AsyncResult) else job
    assert view.job is not None
    return view.job.args


def scripts_sent(proxy: Proxy) -> int:
    """How many scripts clients have asked for."""
    return b"".join(proxy.requests).count(b"EVALSHA")


class TestSending:
    def test_adelay_when_awaited_then_job_is_queued(self, app: App) -> None:
        add = make_add(app)

        async def main() -> tuple[AsyncResult[int], JobState]:
            result = await add.adelay(1, 2)
            return result, await result.astate()

        result, state = asyncio.run(main())

        assert JobState.QUEUED == state
        assert [1, 2] == args_of(result)

    def test_adelay_when_fifty_call_in_one_turn_then_one_script_carries_them(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)

        async def main() -> list[AsyncResult[int]]:
            await add.adelay(0, 0)
            proxy.requests.clear()
            return await asyncio.gather(*(add.adelay(n, n) for n in range(50)))

        results = asyncio.run(main())

        assert 1 == scripts_sent(proxy)
        assert 50 == len({result.id for result in results})
        assert 51 == enqueued(app)

    def test_adelay_when_called_while_another_is_under_way_then_all_jobs_are_in_order(
        self, app: App
    ) -> None:
        add = make_add(app)

        async def send(first: int) -> None:
            for n in range(20):
                await add.adelay(first, n)

        async def main() -> None:
            await asyncio.gather(*(send(first) for first in range(20)))

        asyncio.run(main())

        sent = [args_of(view) for view in app.jobs.list(limit=1000)]
        assert 400 == len(sent)
        for first in range(20):
            assert list(range(20)) == [n for sender, n in sent if sender == first]

    def test_aapply_async_when_one_id_is_taken_then_only_its_caller_is_told(self, app: App) -> None:
        add = make_add(app)
        add.apply_async((0, 0), task_id="taken")

        async def main() -> list[AsyncResult[int]]:
            ids = ["new", "taken", "newer", "newer"]
            calls = [add.aapply_async((1, 1), task_id=one) for one in ids]
            return await asyncio.gather(add.adelay(1, 1), *calls, add.adelay(2, 2))

        results = asyncio.run(main())

        assert [False, False, True, False, True, False] == [one.is_duplicate for one in results]
        assert 5 == enqueued(app)

    def test_adelay_when_one_argument_cannot_travel_then_only_its_caller_is_told(
        self, app: App
    ) -> None:
        add: Task[..., Any] = make_add(app)

        found = asyncio.run(
            outcomes_of(lambda: [add.adelay(1, 1), add.adelay(object(), 1), add.adelay(2, 2)])
        )

        assert [False, True, False] == [isinstance(one, UnserializableArgument) for one in found]
        assert 2 == enqueued(app)

    def test_aapply_async_when_given_a_countdown_then_counts_on_the_servers_clock(
        self, app: App
    ) -> None:
        add = make_add(app)

        async def main() -> tuple[AsyncResult[int], JobState]:
            result = await add.aapply_async((1, 2), countdown=3600, expires=7200)
            return result, await result.astate()

        result, state = asyncio.run(main())

        assert JobState.SCHEDULED == state
        due_ms = result.view().due_ms
        assert due_ms is not None
        due = datetime.fromtimestamp(due_ms / 1000, UTC)
        assert timedelta(seconds=5) > abs(due - datetime.now(UTC) - timedelta(hours=1))

    def test_aapply_many_when_given_many_then_returns_results_in_order(self, app: App) -> None:
        add = make_add(app)

        results = asyncio.run(add.aapply_many([(n, n) for n in range(2500)]))

        assert 2500 == len({result.id for result in results})
        assert [1234, 1234] == args_of(results[1234])
        assert 2500 == enqueued(app)

    def test_aapply_many_when_given_a_task_id_then_is_refused(self, app: App) -> None:
        add = make_add(app)

        with pytest.raises(InvalidSetting):
            asyncio.run(add.aapply_many([(1, 2)], task_id="mine"))

    def test_asend_task_when_task_is_unknown_here_then_job_is_made(self, app: App) -> None:
        result = asyncio.run(app.asend_task("elsewhere", (1,), {"b": 2}))

        job = result.view().job
        assert job is not None
        assert "elsewhere" == job.task

    def test_adelay_when_there_are_partitions_then_each_gets_jobs(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(namespace="parts", partitions=4)
        add = make_add(app)

        async def main() -> None:
            for _ in range(8):
                await asyncio.gather(*(add.adelay(n, n) for n in range(5)))
            await add.aapply_async((1, 2), task_id="mine")

        asyncio.run(main())

        assert 41 == app.queues.depth()
        views = app.jobs.list(limit=100)
        assert {0, 1, 2, 3} == {partition_of(view.raw_id, 4) for view in views}
        assert all(asyncio.run(view_of(app, view.id)) for view in views[:8])

    def test_aapply_async_when_no_replica_is_there_then_is_not_durable(
        self, impatient: App
    ) -> None:
        add = make_add(impatient)

        with pytest.raises(NotDurable):
            asyncio.run(add.aapply_async((1, 2), durability="replica"))


async def view_of(app: App, job_id: str) -> bool:
    """Whether a job is known, asked from a loop."""
    return await app.result(job_id).astate() is not JobState.UNKNOWN


async def outcomes_of(calls: Callable[[], list[Coroutine[Any, Any, Any]]]) -> list[Any]:
    """As `outcomes`, of calls that are made in the loop."""
    return await outcomes(*calls())


class TestLostReplies:
    def test_adelay_when_reply_is_lost_then_repeats_and_makes_each_job_once(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)

        async def main() -> list[AsyncResult[int]]:
            await add.adelay(0, 0)
            proxy.lose_replies(3, to=b"EVALSHA")
            return await asyncio.gather(*(add.adelay(n, n) for n in range(10)))

        results = asyncio.run(main())

        assert all(result.state is JobState.QUEUED for result in results)
        assert 11 == enqueued(app)

    def test_aapply_async_when_reply_of_a_refusal_is_lost_then_its_caller_is_told(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        app.send_task("add", (0, 0), task_id="taken")

        async def main() -> list[AsyncResult[int]]:
            await add.adelay(0, 0)
            proxy.lose_replies(1, to=b"EVALSHA")
            calls = [add.aapply_async((1, 1), task_id=one) for one in ("new", "taken")]
            return await asyncio.gather(*calls)

        results = asyncio.run(main())

        assert [False, True] == [result.is_duplicate for result in results]
        assert 3 == enqueued(app)

    def test_adelay_when_no_reply_ever_comes_then_each_caller_is_uncertain_of_its_own(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)

        async def main() -> tuple[list[Any], float]:
            await add.adelay(0, 0)
            proxy.lose_replies(99, to=b"EVALSHA", silently=True)
            begun = time.monotonic()
            return await outcomes(*(add.adelay(n, n) for n in range(3))), time.monotonic() - begun

        found, took_s = asyncio.run(main())

        assert LONGEST_CALL_S > took_s
        assert [Uncertain] * 3 == [type(one) for one in found]
        assert 3 == len({one.task_id for one in found})
        assert all(app.result(one.task_id).state is JobState.QUEUED for one in found)
        assert 4 == enqueued(app)

    def test_repeat_when_jobs_were_made_then_makes_no_second_ones(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)

        async def main() -> tuple[list[Any], list[Any]]:
            await add.adelay(0, 0)
            proxy.lose_replies(99, to=b"EVALSHA", silently=True)
            errors = await outcomes(*(add.adelay(n, n) for n in range(3)))
            proxy.lose_replies(0)
            await asyncio.gather(*(add.adelay(n, n) for n in range(3)))
            return errors, await asyncio.gather(*map(repeat_of, errors))

        errors, results = asyncio.run(main())

        assert [one.task_id for one in errors] == [result.id for result in results]
        assert not any(result.is_duplicate for result in results)
        assert 7 == enqueued(app)

    def test_repeat_when_job_was_not_made_then_makes_it_also_in_another_loop(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)

        async def send() -> Any:
            await add.adelay(0, 0)
            proxy.black_hole()
            (error,) = await outcomes(add.adelay(1, 2))
            return error

        async def repeat() -> Any:
            return await repeat_of(error)

        error = asyncio.run(send())
        proxy.reset()
        proxy.flow()
        before = enqueued(app)
        results = [asyncio.run(repeat()) for _ in range(2)]

        assert 1 == before
        assert [error.task_id] * 2 == [result.id for result in results]
        assert 2 == enqueued(app)

    def test_repeat_when_lost_again_then_can_be_repeated_again(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)

        async def main() -> tuple[Any, Any]:
            await add.adelay(0, 0)
            proxy.lose_replies(99, to=b"EVALSHA", silently=True)
            (first,) = await outcomes(add.adelay(1, 2))
            (second,) = await outcomes(repeat_of(first))
            proxy.lose_replies(0)
            return first, await repeat_of(second)

        error, result = asyncio.run(main())

        assert error.task_id == result.id
        assert 2 == enqueued(app)

    def test_repeat_when_made_too_late_then_is_refused(
        self, impatient: App, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(impatient)
        monkeypatch.setattr("beatline.async_sender._REPEATABLE_S", 0.0)

        async def main() -> Any:
            await add.adelay(0, 0)
            proxy.lose_replies(99, to=b"EVALSHA", silently=True)
            (error,) = await outcomes(add.adelay(1, 2))
            await repeat_of(error)

        with pytest.raises(RedisUnavailable, match="too late"):
            asyncio.run(main())

    def test_aapply_many_when_a_reply_is_lost_for_good_then_says_what_was_accepted(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        @impatient.task(name="note")
        def note(text: str) -> None: ...

        async def main() -> tuple[Any, list[AsyncResult[None]]]:
            proxy.lose_replies(99, to=b"number-1001", silently=True)
            (error,) = await outcomes(note.aapply_many([(f"number-{n}",) for n in range(2500)]))
            proxy.lose_replies(0)
            return error, await repeat_of(error)

        error, results = asyncio.run(main())

        assert (1000, 1500) == (len(error.accepted_ids), len(error.task_ids))
        assert error.accepted_ids + error.task_ids == [result.id for result in results]
        assert 2500 == enqueued(app)


class TestOutages:
    def test_adelay_when_connection_was_reset_then_sends_on_another(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)

        async def main() -> None:
            await add.adelay(1, 2)
            proxy.reset()
            await add.adelay(3, 4)

        asyncio.run(main())

        assert 2 == enqueued(app)

    def test_adelay_when_nothing_listens_at_first_then_fails_at_once(
        self, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        proxy.refuse()
        begun = time.monotonic()

        with pytest.raises(NotSent):
            asyncio.run(add.adelay(1, 2))

        assert 1.0 > time.monotonic() - begun

    def test_adelay_when_nothing_accepts_any_more_then_is_not_sent_in_time(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)

        async def main() -> tuple[list[Any], float]:
            await add.adelay(0, 0)
            proxy.refuse()
            proxy.reset()
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            return await outcomes(*(add.adelay(n, n) for n in range(3))), time.monotonic() - begun

        found, took_s = asyncio.run(main())

        assert [NotSent] * 3 == [type(one) for one in found]
        assert 1.0 > took_s
        assert 1 == enqueued(app)

    def test_adelay_when_calls_wait_behind_a_silent_server_then_each_fails_in_its_time(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        took_s: list[float] = []

        async def send_late(number: int) -> None:
            await asyncio.sleep(0.05 * number)
            begun = time.monotonic()
            try:
                await add.adelay(number, number)
            finally:
                took_s.append(time.monotonic() - begun)

        async def main() -> list[Any]:
            await add.adelay(0, 0)
            proxy.black_hole()
            found = await outcomes(*(send_late(n) for n in range(20)))
            proxy.reset()
            proxy.flow()
            await add.adelay(1, 2)
            return found

        found = asyncio.run(main())

        assert all(isinstance(one, NotSent | Uncertain) for one in found)
        assert isinstance(found[0], Uncertain)
        assert isinstance(found[1], NotSent)
        assert 1.2 > max(took_s)
        unsure = sum(isinstance(one, Uncertain) for one in found)
        assert 2 <= enqueued(app) <= 2 + unsure

    def test_adelay_when_scripts_are_flushed_then_loads_them(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        add = make_add(app)

        async def main() -> None:
            await add.adelay(0, 0)
            with redis_server.client() as client:
                client.script_flush()
            await asyncio.gather(*(add.adelay(n, n) for n in range(10)))

        asyncio.run(main())

        assert 11 == enqueued(app)

    def test_adelay_when_server_restarts_meanwhile_then_rides_through(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server()
        app = make_app(redis=server.url)
        add = make_add(app)

        async def main() -> AsyncResult[int]:
            await add.adelay(0, 0)
            await asyncio.to_thread(server.restart)
            return await add.adelay(1, 2)

        result = asyncio.run(main())

        assert JobState.QUEUED == result.state

    def test_adelay_when_memory_is_full_then_every_caller_is_refused(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server()
        add = make_add(make_app(redis=server.url))

        async def main() -> list[Any]:
            await add.adelay(0, 0)
            with server.client() as client:
                client.config_set("maxmemory", 1)
            found = await outcomes(*(add.adelay(n, n) for n in range(3)))
            with server.client() as client:
                client.config_set("maxmemory", 0)
            await add.adelay(1, 2)
            return found

        found = asyncio.run(main())

        assert ["OOM"] * 3 == [one.code for one in found if isinstance(one, ServerRefused)]
        assert 3 == len({id(one) for one in found})


class TestCancelling:
    def test_adelay_when_cancelled_before_it_went_then_its_job_is_left_out(self, app: App) -> None:
        add = make_add(app)

        async def main() -> list[Any]:
            await add.adelay(0, 0)
            calls = [asyncio.ensure_future(add.adelay(n, n)) for n in range(5)]
            await asyncio.sleep(0)
            calls[2].cancel()
            return await outcomes(*calls)

        found = asyncio.run(main())

        assert isinstance(found[2], asyncio.CancelledError)
        sent = [args_of(view)[0] for view in app.jobs.list(limit=100)]
        assert [0, 0, 1, 3, 4] == sent
        assert [0, 1, 3, 4] == [args_of(one)[0] for one in found if one is not found[2]]

    def test_adelay_when_cancelled_under_way_then_others_get_their_own_replies(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        app.send_task("add", (0, 0), task_id="taken")

        async def main() -> list[Any]:
            await add.adelay(0, 0)
            proxy.black_hole()
            calls = [asyncio.ensure_future(add.adelay(n, n)) for n in range(3)]
            await asyncio.sleep(0.05)
            calls[0].cancel()
            calls.append(asyncio.ensure_future(add.aapply_async((7, 7), task_id="taken")))
            calls.append(asyncio.ensure_future(add.adelay(8, 8)))
            await asyncio.sleep(0.05)
            proxy.flow()
            return await outcomes(*calls)

        found = asyncio.run(main())

        assert isinstance(found[0], asyncio.CancelledError)
        assert [False, False, True, False] == [one.is_duplicate for one in found[1:]]
        assert [1, 2, 0, 8] == [args_of(one)[0] for one in found[1:]]
        assert 6 == enqueued(app)

    def test_astate_when_cancelled_under_way_then_the_next_answer_is_right(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)

        async def main() -> tuple[JobState, JobState]:
            queued, timed = await add.adelay(0, 0), await add.aapply_async((1, 1), countdown=60)
            proxy.black_hole()
            look = asyncio.ensure_future(queued.astate())
            await asyncio.sleep(0.05)
            look.cancel()
            await outcomes(look)
            proxy.flow()
            return await timed.astate(), await queued.astate()

        assert (JobState.SCHEDULED, JobState.QUEUED) == asyncio.run(main())

    def test_adelay_when_all_tasks_are_cancelled_in_an_outage_then_the_next_call_works(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)

        async def main() -> None:
            await add.adelay(0, 0)
            proxy.black_hole()
            call = asyncio.ensure_future(add.adelay(1, 1))
            await asyncio.sleep(0.25)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert len(others) > 1
            for task in others:
                task.cancel()
            await outcomes(call)
            proxy.reset()
            proxy.flow()
            await add.adelay(2, 2)

        asyncio.run(main())

        assert 2 <= enqueued(app) <= 3


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
class TestLoopsThreadsProcesses:
    def test_connections_when_loop_ends_then_are_closed(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        add = make_add(app)
        add.delay(0, 0)

        async def main() -> None:
            result = await add.adelay(1, 2)
            with pytest.raises(TimeoutError):
                await result.aget(timeout=0.05)
            assert before + 2 <= len(client.client_list())

        with redis_server.client() as client:
            before = len(client.client_list())
            asyncio.run(main())

            eventually(lambda: before == len(client.client_list()))

    def test_adelay_when_loop_ends_in_the_middle_then_nothing_is_left_behind(
        self, app: App, proxied: App, proxy: Proxy, caplog: pytest.LogCaptureFixture
    ) -> None:
        add = make_add(proxied)

        async def main() -> None:
            await add.adelay(0, 0)
            proxy.black_hole()
            left = asyncio.ensure_future(add.adelay(1, 1))
            await asyncio.sleep(0.05)
            assert not left.done()

        asyncio.run(main())
        proxy.flow()
        asyncio.run(add.adelay(2, 2))

        assert [] == [one for one in caplog.records if one.name == "asyncio"]
        assert 2 <= enqueued(app) <= 3

    def test_aclose_when_called_then_the_next_call_opens_another_connection(self, app: App) -> None:
        add = make_add(app)

        async def main() -> None:
            await add.adelay(0, 0)
            await app.aclose()
            await add.adelay(1, 1)

        asyncio.run(main())

        assert 2 == enqueued(app)

    def test_adelay_when_two_loops_run_in_two_threads_then_all_jobs_arrive(self, app: App) -> None:
        add = make_add(app)
        results: list[AsyncResult[int]] = []

        async def main() -> None:
            for _ in range(10):
                results.extend(await asyncio.gather(*(add.adelay(n, n) for n in range(20))))

        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert 400 == len({result.id for result in results})
        assert 400 == enqueued(app)

    def test_adelay_when_loops_take_turns_in_one_thread_then_each_has_its_connection(
        self, app: App
    ) -> None:
        add = make_add(app)
        loops = [asyncio.new_event_loop() for _ in range(2)]

        for _ in range(3):
            for loop in loops:
                loop.run_until_complete(add.adelay(1, 2))
        for loop in loops:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        assert 6 == enqueued(app)

    def test_adelay_when_process_forks_then_child_sends_in_a_loop_of_its_own(
        self, app: App
    ) -> None:
        add = make_add(app)

        async def main() -> int:
            await add.adelay(0, 0)
            code = fork_and_run(lambda: asyncio.run(send()))
            await send()
            return code

        async def send() -> None:
            results = await asyncio.gather(*(add.adelay(n, n) for n in range(20)))
            assert all([await one.astate() is JobState.QUEUED for one in results])

        code = asyncio.run(main())

        assert 0 == code
        assert 41 == enqueued(app)

    def test_adelay_when_settings_change_then_goes_to_the_new_place(
        self, app: App, make_app: Callable[..., App]
    ) -> None:
        add = make_add(app)

        async def main() -> None:
            await add.adelay(0, 0)
            app.configure(namespace="other")
            await add.adelay(1, 1)
            await add.adelay(2, 2)

        asyncio.run(main())

        assert 2 == make_app(namespace="other").queues.depth()

    def test_adelay_when_loop_is_uvloops_then_works_as_well(self, app: App) -> None:
        uvloop = pytest.importorskip("uvloop")
        add = make_add(app)

        async def main() -> int:
            await asyncio.gather(*(add.adelay(n, n) for n in range(10)))
            (result,) = await add.aapply_many([(1, 2)])
            return 1 if await result.aready() else 0

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert 0 == runner.run(main())

        assert 11 == enqueued(app)
