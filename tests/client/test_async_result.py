"""Waiting for the end of jobs in an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from beatline import AlreadyDone, App, Cancelled, JobState, Task
from beatline.errors import NotSent, ResultTimeout, UnknownJob
from tests.client.hands import Hands
from tests.proxy import Proxy
from tests.servers import RedisProcess


@pytest.fixture
def echo(app: App) -> Task[[Any], Any]:
    @app.task(name="echo")
    def echo(value: Any) -> Any:
        return value

    return echo


async def until_listening(app: App, channels: int, redis_server: RedisProcess) -> None:
    """Wait until so many channels are listened to."""

    def listened() -> int:
        with redis_server.client() as client:
            return len(client.pubsub_channels("{sched:0}:done:*"))

    async with asyncio.timeout(5):
        while await asyncio.to_thread(listened) != channels:
            await asyncio.sleep(0.01)


class TestWaiting:
    def test_aget_when_job_has_ended_then_returns_what_the_task_returned(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        hands.succeed(hands.take()[0], {"answer": 42})

        assert {"answer": 42} == asyncio.run(result.aget(timeout=1))

    def test_aget_when_jobs_end_meanwhile_then_all_are_told_over_one_connection(
        self, app: App, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        async def main() -> tuple[list[Any], int]:
            results = await echo.aapply_many([(n,) for n in range(20)])
            calls = [asyncio.ensure_future(one.aget(timeout=10)) for one in [*results, results[0]]]
            await until_listening(app, 20, redis_server)
            with redis_server.client() as client:
                listeners = [one for one in client.client_list() if one["sub"] != "0"]
            for delivery in hands.take(20):
                hands.succeed(delivery, delivery.fence)
            return await asyncio.gather(*calls), len(listeners)

        begun = time.monotonic()
        values, listeners = asyncio.run(main())

        assert 1 == listeners
        assert values[0] == values[20]
        assert 20 == len(set(values))
        assert 4.0 > time.monotonic() - begun

    def test_aget_when_task_raised_then_raises_it_or_returns_it(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        result = echo.delay(1)
        hands.fail(hands.take()[0], ValueError("no"), "Traceback: …")

        with pytest.raises(ValueError, match="no"):
            asyncio.run(result.aget())
        assert isinstance(asyncio.run(result.aget(propagate=False)), ValueError)
        assert isinstance(asyncio.run(result.aresult()), ValueError)

    def test_aget_when_time_is_over_then_raises_and_stops_listening(
        self, app: App, echo: Task[[Any], Any], redis_server: RedisProcess
    ) -> None:
        async def main() -> float:
            result = await echo.adelay(1)
            begun = time.monotonic()
            with pytest.raises(ResultTimeout):
                await result.aget(timeout=0.2)
            took_s = time.monotonic() - begun
            await until_listening(app, 0, redis_server)
            return took_s

        assert 0.2 <= asyncio.run(main()) < 3.0

    def test_aget_when_id_is_unknown_then_says_so_at_once(self, app: App) -> None:
        with pytest.raises(UnknownJob):
            asyncio.run(app.result("nobody").aget())

    def test_aget_when_result_is_ignored_then_returns_none_at_once(self, app: App) -> None:
        async def main() -> Any:
            result = await app.asend_task("silent", ignore_result=True)
            return await result.aget()

        assert asyncio.run(main()) is None

    def test_aget_when_one_of_two_is_cancelled_then_the_other_is_told(
        self, app: App, echo: Task[[Any], Any], hands: Hands, redis_server: RedisProcess
    ) -> None:
        async def main() -> Any:
            result = await echo.adelay(1)
            first, second = (asyncio.ensure_future(result.aget(timeout=10)) for _ in "ab")
            await until_listening(app, 1, redis_server)
            first.cancel()
            await asyncio.wait([first])
            hands.succeed(hands.take()[0], "told")
            return await second

        begun = time.monotonic()

        assert "told" == asyncio.run(main())
        assert 4.0 > time.monotonic() - begun


class TestOutages:
    def test_aget_when_connections_are_reset_then_goes_on_waiting(
        self,
        app: App,
        make_app: Callable[..., App],
        proxy: Proxy,
        hands: Hands,
        redis_server: RedisProcess,
    ) -> None:
        proxied = make_app(redis=proxy.url)

        async def main() -> Any:
            result = await proxied.asend_task("echo", (1,))
            calls = [asyncio.ensure_future(result.aget(timeout=10)) for _ in range(3)]
            await until_listening(app, 1, redis_server)
            proxy.reset()
            await until_listening(app, 0, redis_server)
            await until_listening(app, 1, redis_server)
            hands.succeed(hands.take()[0], "told")
            return await asyncio.gather(*calls)

        begun = time.monotonic()

        assert ["told"] * 3 == asyncio.run(main())
        assert 4.0 > time.monotonic() - begun

    def test_aget_when_server_is_away_for_a_while_then_goes_on_waiting(
        self, make_app: Callable[..., App], proxy: Proxy, hands: Hands
    ) -> None:
        proxied = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="400ms")

        async def main() -> Any:
            result = await proxied.asend_task("echo", (1,))
            call = asyncio.ensure_future(result.aget(timeout=20))
            await asyncio.sleep(0.1)
            proxy.refuse()
            proxy.reset()
            hands.succeed(hands.take()[0], "told")
            await asyncio.sleep(0.8)
            assert not call.done()
            proxy.listen()
            return await call

        assert "told" == asyncio.run(main())

    def test_astate_when_server_falls_silent_then_fails_in_time(
        self, make_app: Callable[..., App], proxy: Proxy
    ) -> None:
        impatient = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="600ms")

        async def main() -> float:
            result = await impatient.asend_task("echo", (1,))
            proxy.black_hole()
            begun = time.monotonic()
            with pytest.raises(NotSent):
                await result.astate()
            return time.monotonic() - begun

        assert 1.2 > asyncio.run(main())


class TestActing:
    def test_acancel_when_job_waits_then_it_is_cancelled(self, echo: Task[[Any], Any]) -> None:
        async def main() -> tuple[Any, Any, JobState]:
            result = await echo.adelay(1)
            return await result.acancel(), await result.acancel(), await result.astate()

        first, second, state = asyncio.run(main())

        assert isinstance(first, Cancelled)
        assert isinstance(second, AlreadyDone)
        assert JobState.CANCELLED == state

    def test_aforget_when_job_has_ended_then_it_is_unknown(
        self, echo: Task[[Any], Any], hands: Hands
    ) -> None:
        async def main() -> tuple[Any, bool, JobState]:
            result = await echo.adelay(1)
            before = await result.aresult()
            hands.succeed(hands.take()[0], 42)
            assert 42 == await result.aresult()
            is_ready = await result.aready()
            await result.aforget()
            return before, is_ready, await result.astate()

        assert (None, True, JobState.UNKNOWN) == asyncio.run(main())
