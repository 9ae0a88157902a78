"""Threads that send at once share calls, and each learns what became of its own job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from beatline import App, AsyncResult, JobState, Task
from beatline.errors import NotSent, ServerRefused, Uncertain
from beatline.sender import Call, Refused, Sender
from tests.client.test_sender import enqueued, fork_and_run, make_add
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually


@pytest.fixture(autouse=True)
def _threads_are_a_crowd_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beatline.crowd._CROWD", 1)
    monkeypatch.setattr("beatline.crowd._FAR_S", float("inf"))


@pytest.fixture
def _threads_are_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beatline.crowd._TURN_S", 10.0)


@pytest.fixture
def proxied(make_app: Callable[..., App], proxy: Proxy) -> App:
    """An app that reaches the server through the proxy, and has done so."""
    app = make_app(redis=proxy.url)
    assert 0 == app.queues.depth()
    return app


@pytest.fixture
def impatient(make_app: Callable[..., App], proxy: Proxy) -> App:
    """As ``proxied``, with timeouts that a test can wait for."""
    app = make_app(redis=proxy.url, socket_timeout="200ms", call_timeout="600ms")
    assert 0 == app.queues.depth()
    return app


class Threads:
    """Calls in threads of their own, and what each returned or raised."""

    def __init__(self) -> None:
        self.found: dict[int, Any] = {}
        self.took_s: dict[int, float] = {}
        self._threads: list[threading.Thread] = []

    def start(self, number: int, call: Callable[[], Any]) -> None:
        """Begin a call."""

        def run() -> None:
            begun = time.monotonic()
            try:
                self.found[number] = call()
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                self.found[number] = error
            self.took_s[number] = time.monotonic() - begun

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)

    def join(self) -> list[Any]:
        """What came of all, in order, once they have ended."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        return [self.found[number] for number in sorted(self.found)]


def one_under_way_and_waiting(app: App, proxy: Proxy, add: Task[..., Any], count: int) -> Threads:
    """Threads of which the first waits for Redis, and the others for the next call."""
    threads = Threads()
    proxy.black_hole()
    threads.start(0, lambda: add.delay(0, 0))
    eventually(app.crowd._line.locked, what="a call under way")
    for number in range(1, count + 1):
        threads.start(number, partial(add.delay, number, number))
        eventually(partial(_is_queue_of, app, number))
    proxy.requests.clear()
    return threads


def _is_queue_of(app: App, length: int) -> bool:
    return len(app.crowd._queue) == length


def scripts_sent(proxy: Proxy) -> int:
    """How many scripts clients have asked for."""
    return b"".join(proxy.requests).count(b"EVALSHA")


@pytest.mark.usefixtures("_threads_are_patient")
class TestSharedCalls:
    def test_delay_when_threads_wait_for_one_call_then_the_next_carries_all_their_jobs(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        add.delay(0, 0)  # The server has the script from here on.
        threads = one_under_way_and_waiting(proxied, proxy, add, 9)

        proxy.flow()
        results = threads.join()

        assert 2 == scripts_sent(proxy)
        assert [[n, n] for n in range(10)] == [args_of(result) for result in results]
        assert 11 == enqueued(app)

    def test_delay_when_reply_of_a_shared_call_is_lost_then_makes_each_job_once(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        threads = one_under_way_and_waiting(proxied, proxy, add, 5)

        proxy.lose_replies(2, to=b"EVALSHA")
        proxy.flow()
        results = threads.join()

        assert [[n, n] for n in range(6)] == [args_of(result) for result in results]
        assert 6 == enqueued(app)

    def test_delay_when_a_shared_call_remains_uncertain_then_each_repeats_its_own(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        threads = one_under_way_and_waiting(impatient, proxy, add, 3)

        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        proxy.flow()
        errors = threads.join()
        proxy.lose_replies(0)
        assert all(isinstance(one, Uncertain) and one.repeat is not None for one in errors)
        results = [one.repeat() for one in errors]

        assert 4 == len({one.task_id for one in errors})
        assert [one.task_id for one in errors] == [result.id for result in results]
        assert 4 == enqueued(app)

    def test_delay_when_a_shared_call_is_refused_then_every_thread_is_told(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        with Proxy(server) as proxy, server.client() as client:
            app = make_app(redis=proxy.url)
            add = make_add(app)
            app.queues.depth()
            threads = one_under_way_and_waiting(app, proxy, add, 3)

            client.config_set("maxmemory", 1)
            proxy.flow()
            errors = threads.join()
            client.config_set("maxmemory", 0)

        assert ["OOM"] * 4 == [one.code for one in errors if isinstance(one, ServerRefused)]
        assert 4 == len({id(one) for one in errors})

    def test_delay_when_who_sent_was_interrupted_then_the_others_repeat_and_double_nothing(
        self, app: App, proxied: App, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(proxied)
        threads = one_under_way_and_waiting(proxied, proxy, add, 5)
        interrupted: list[Call] = []
        carry_out = Sender.carry_out

        def interrupt(sender: Sender, call: Call, *failure: Any) -> Refused:
            refused = carry_out(sender, call, *failure)
            if len(call.ids) > 1 and not interrupted:
                interrupted.append(call)
                raise KeyboardInterrupt
            return refused

        monkeypatch.setattr(Sender, "carry_out", interrupt)
        proxy.flow()
        found = threads.join()
        add.delay(7, 7)

        assert isinstance(found[0], KeyboardInterrupt)
        assert [[n, n] for n in range(1, 6)] == [args_of(result) for result in found[1:]]
        assert 7 == enqueued(app)

    def test_delay_when_who_sends_was_interrupted_before_then_the_others_send_alone(
        self, app: App, proxied: App, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(proxied)
        threads = one_under_way_and_waiting(proxied, proxy, add, 5)

        def interrupt(*_: Any) -> Call:
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(Sender, "numbered", interrupt)
        proxy.flow()
        found = threads.join()

        assert isinstance(found[0], KeyboardInterrupt)
        assert all(isinstance(one, AsyncResult) for one in found[1:])
        assert 6 == enqueued(app)


class TestCrowds:
    def test_delay_when_redis_falls_silent_then_every_thread_fails_in_its_time(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        threads = one_under_way_and_waiting(impatient, proxy, add, 8)

        errors = threads.join()
        proxy.reset()
        proxy.flow()
        result = add.delay(1, 2)

        assert all(isinstance(one, NotSent | Uncertain) for one in errors)
        assert 1.5 > max(threads.took_s.values())
        assert JobState.QUEUED == result.state
        unsure = sum(isinstance(one, Uncertain) for one in errors)
        assert 1 <= enqueued(app) <= 1 + unsure

    def test_delay_when_threads_send_all_the_time_then_all_jobs_arrive_once(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(namespace="crowd", partitions=3)
        add = make_add(app)
        threads = Threads()

        for number in range(24):
            threads.start(number, lambda: [add.delay(n, n).id for n in range(60)])
        ids = [one for found in threads.join() for one in found]

        assert 1440 == len(set(ids))
        assert 1440 == app.queues.depth()
        assert not app.crowd._line.locked()
        assert 0 == len(app.crowd._queue) + len(app.crowd._inside)

    @pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
    def test_delay_when_process_forks_under_a_call_then_the_child_has_a_crowd_of_its_own(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        threads = one_under_way_and_waiting(proxied, proxy, add, 2)

        def child() -> None:
            proxied.configure(redis=app.settings.redis)
            assert add.delay(9, 9).state is JobState.QUEUED

        code = fork_and_run(child)
        proxy.flow()
        results = threads.join()

        assert 0 == code
        assert all(isinstance(one, AsyncResult) for one in results)
        assert 4 == enqueued(app)

    def test_delay_when_server_is_far_then_nobody_waits_for_others(
        self, app: App, proxied: App, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("beatline.crowd._FAR_S", 0.0)
        add = make_add(proxied)
        add.delay(0, 0)
        threads = Threads()
        proxy.black_hole()
        before = len(proxy.requests)

        for number in range(4):
            threads.start(number, lambda: add.delay(1, 1))
        eventually(lambda: not app.crowd._line.locked() and len(proxied.crowd._inside) == 4)
        proxy.flow()
        threads.join()

        assert 4 == b"".join(proxy.requests[before:]).count(b"EVALSHA")
        assert 5 == enqueued(app)


def args_of(result: AsyncResult[Any]) -> list[Any]:
    """The arguments of a job that has not ended."""
    job = result.view().job
    assert job is not None
    return job.args
