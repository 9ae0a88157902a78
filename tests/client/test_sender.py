"""Calls whose replies are lost, refused, or never come."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from beatline import App, AsyncResult, JobState, Task
from beatline.errors import (
    NotDurable,
    NotSent,
    RedisUnavailable,
    ServerRefused,
    SoftTimeLimitExceeded,
    Uncertain,
    UnfitServer,
)
from beatline.ids import new_id
from beatline.packing import ReadyJobCall
from beatline.store.enqueuing import pack_enqueue
from beatline.store.reading import live_count
from beatline.wire.connection import HeldConnection, pack
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually

#: Longest that a call may take, seconds (R8).
LONGEST_CALL_S = 5.0


def make_add(app: App) -> Task[[int, int], int]:
    @app.task(name="add")
    def add(left: int, right: int) -> int:
        return left + right

    return add


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


def enqueued(app: App) -> int:
    """How many jobs there are, asked past every proxy."""
    return app.sender().ask(lambda line: live_count(line, app.sender().prefixes[0]))


class TestLostReplies:
    def test_delay_when_reply_is_lost_then_repeats_and_makes_one_job(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        proxy.lose_replies(1, to=b"EVALSHA")

        result = add.delay(1, 2)

        assert JobState.QUEUED == result.state
        assert 1 == enqueued(app)

    def test_delay_when_three_replies_are_lost_then_makes_one_job(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        add.delay(0, 0)
        proxy.lose_replies(3, to=b"EVALSHA")

        add.delay(1, 2)

        assert 2 == enqueued(app)

    def test_delay_when_no_reply_ever_comes_then_is_uncertain_in_time(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        add.delay(0, 0)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        begun = time.monotonic()

        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)

        assert LONGEST_CALL_S > time.monotonic() - begun
        assert caught.value.task_id is not None
        assert 2 == enqueued(app)

    def test_repeat_when_job_was_made_then_makes_no_second_one(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)
        proxy.lose_replies(0)
        assert caught.value.repeat is not None

        result = caught.value.repeat()

        assert isinstance(result, AsyncResult)
        assert caught.value.task_id == result.id
        assert not result.is_duplicate
        assert 1 == enqueued(app)

    def test_repeat_when_other_calls_came_between_then_makes_no_second_job(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)
        proxy.lose_replies(0)
        add.apply_many([(n, n) for n in range(10)])
        assert caught.value.repeat is not None

        caught.value.repeat()

        assert 11 == enqueued(app)

    def test_repeat_when_made_in_another_thread_then_makes_no_second_job(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)
        proxy.lose_replies(0)
        repeat = caught.value.repeat
        assert repeat is not None
        found: list[Any] = []

        thread = threading.Thread(target=lambda: found.append(repeat()))
        thread.start()
        thread.join(10)

        assert [caught.value.task_id] == [result.id for result in found]
        assert 1 == enqueued(app)

    def test_repeat_when_job_was_not_made_then_makes_it(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        add.delay(0, 0)
        proxy.black_hole()
        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)
        before = enqueued(app)
        proxy.reset()
        proxy.flow()
        assert caught.value.repeat is not None

        caught.value.repeat()

        assert 1 == before
        assert 2 == enqueued(app)

    def test_repeat_when_lost_again_then_can_be_repeated_again(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain) as first:
            add.delay(1, 2)
        assert first.value.repeat is not None
        with pytest.raises(Uncertain) as second:
            first.value.repeat()
        proxy.lose_replies(0)
        assert second.value.repeat is not None

        result = second.value.repeat()

        assert first.value.task_id == result.id
        assert 1 == enqueued(app)

    def test_repeat_when_made_too_late_then_is_refused(
        self, impatient: App, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain) as caught:
            add.delay(1, 2)
        monkeypatch.setattr("beatline.sender._REPEATABLE_S", 0.0)
        assert caught.value.repeat is not None

        with pytest.raises(RedisUnavailable, match="too late"):
            caught.value.repeat()

    def test_own_task_id_when_sent_again_after_uncertain_then_makes_one_job(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)
        with pytest.raises(Uncertain):
            add.apply_async((1, 2), task_id="order-7")
        proxy.lose_replies(0)

        result = add.apply_async((1, 2), task_id="order-7")

        assert result.is_duplicate
        assert 1 == enqueued(app)

    def test_apply_many_when_a_reply_is_lost_for_good_then_says_what_was_accepted(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        @impatient.task(name="note")
        def note(text: str) -> None: ...

        proxy.lose_replies(99, to=b"number-1001", silently=True)

        with pytest.raises(Uncertain) as caught:
            note.apply_many([(f"number-{n}",) for n in range(2500)])
        before = enqueued(app)
        proxy.lose_replies(0)
        assert caught.value.repeat is not None
        results = caught.value.repeat()

        accepted, in_doubt = caught.value.accepted_ids, caught.value.task_ids
        assert (1000, 1500) == (len(accepted), len(in_doubt))
        assert 2000 == before
        assert accepted + in_doubt == [result.id for result in results]
        assert 2500 == enqueued(app)

    def test_apply_many_when_the_first_reply_is_lost_then_all_are_in_doubt(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        add.delay(0, 0)
        proxy.lose_replies(99, to=b"EVALSHA", silently=True)

        with pytest.raises(Uncertain) as caught:
            add.apply_many([(n, n) for n in range(1500)])
        proxy.lose_replies(0)
        assert caught.value.repeat is not None
        results = caught.value.repeat()

        assert ([], 1500) == (caught.value.accepted_ids, len(caught.value.task_ids))
        assert 1500 == len(results)
        assert 1501 == enqueued(app)


class TestOutages:
    def test_delay_when_connection_was_reset_then_sends_on_another(
        self, app: App, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        add.delay(1, 2)
        proxy.reset()

        add.delay(3, 4)

        assert 2 == enqueued(app)

    def test_delay_when_nothing_accepts_then_is_not_sent_in_time(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        impatient.close()
        proxy.refuse()
        begun = time.monotonic()

        with pytest.raises(NotSent) as caught:
            add.delay(1, 2)

        assert 1.0 > time.monotonic() - begun
        assert "BEATLINE_REDIS_URL" in caught.value.remedy
        assert 0 == enqueued(app)

    def test_delay_when_server_falls_silent_then_fails_in_time_and_works_afterwards(
        self, app: App, impatient: App, proxy: Proxy
    ) -> None:
        add = make_add(impatient)
        add.delay(0, 0)
        proxy.black_hole()
        begun = time.monotonic()

        with pytest.raises(Uncertain):
            add.delay(1, 2)
        took_s = time.monotonic() - begun
        proxy.reset()
        proxy.flow()
        add.delay(3, 4)

        assert 1.0 > took_s
        assert 2 <= enqueued(app)

    def test_delay_when_new_connections_are_black_holed_then_is_not_sent_in_time(
        self, proxied: App, proxy: Proxy
    ) -> None:
        add = make_add(proxied)
        proxied.close()
        proxy.black_hole()
        begun = time.monotonic()

        with pytest.raises(NotSent):
            add.delay(1, 2)

        assert LONGEST_CALL_S > time.monotonic() - begun

    def test_first_use_when_nothing_listens_then_fails_at_once(
        self, make_app: Callable[..., App], proxy: Proxy
    ) -> None:
        proxy.refuse()
        add = make_add(make_app(redis=proxy.url))
        begun = time.monotonic()

        with pytest.raises(NotSent, match="cannot connect"):
            add.delay(1, 2)

        assert 1.0 > time.monotonic() - begun

    def test_delay_when_server_restarts_meanwhile_then_rides_through(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        app = make_app(redis=server.tcp_url)
        add = make_add(app)
        add.delay(1, 2)
        server.stop()
        threading.Timer(0.5, server.start).start()

        add.delay(3, 4)

        assert 1 == enqueued(app)

    def test_delay_when_server_was_paused_then_goes_on(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        app = make_app(redis=server.tcp_url, socket_timeout="300ms")
        add = make_add(app)
        add.delay(1, 2)
        server.pause()
        threading.Timer(1.0, server.resume).start()

        add.delay(3, 4)

        assert 2 == enqueued(app)

    def test_delay_when_scripts_are_flushed_then_loads_them(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        add = make_add(app)
        add.delay(1, 2)
        with redis_server.client() as client:
            client.script_flush()

        add.delay(3, 4)

        assert 2 == enqueued(app)

    def test_delay_when_interrupted_between_sending_and_receiving_then_next_call_is_right(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(app)
        first = add.delay(1, 2)
        line = app.sender()._connection

        def interrupted(packed: bytes) -> Any:
            line.send(packed)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(line, "exchange", interrupted)
            with pytest.raises(KeyboardInterrupt):
                add.delay(3, 4)
        third = add.delay(5, 6)

        assert JobState.QUEUED == first.state
        assert JobState.QUEUED == third.state
        assert 3 == enqueued(app)

    def test_delay_when_a_signals_handler_sends_meanwhile_then_both_jobs_are_made(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(app)
        add.delay(0, 0)
        line = app.sender()._connection
        exchange, nested = line.exchange, []

        def interrupted(packed: bytes) -> Any:
            # Nothing of the outer call reaches the server: it is only repeated afterwards.
            monkeypatch.setattr(line, "exchange", exchange)
            nested.append(add.delay(1, 1))
            raise ConnectionResetError

        monkeypatch.setattr(line, "exchange", interrupted)
        outer = add.delay(2, 2)

        assert ["QUEUED", "QUEUED"] == [nested[0].state, outer.state]
        assert 3 == enqueued(app)

    def test_ask_when_a_time_limit_strikes_then_next_call_is_right(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = make_add(app)
        result = add.delay(1, 2)

        def struck(line: HeldConnection) -> None:
            line.send(pack("PING"))
            raise SoftTimeLimitExceeded("over")

        with pytest.raises(SoftTimeLimitExceeded):
            app.sender().ask(struck)

        assert JobState.QUEUED == result.state


class TestRefusals:
    def test_delay_when_memory_is_full_then_is_refused_at_once_with_remedy(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server()
        app = make_app(redis=server.url)
        add = make_add(app)
        add.delay(0, 0)
        with server.client() as client:
            client.config_set("maxmemory", 1)
        begun = time.monotonic()

        with pytest.raises(ServerRefused) as caught:
            add.delay(1, 2)

        assert "OOM" == caught.value.code
        assert "maxmemory" in caught.value.remedy
        assert 1.0 > time.monotonic() - begun

    def test_delay_when_password_is_wrong_then_says_so_at_once(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all")
        add = make_add(make_app(redis=f"redis://bob:wrong@127.0.0.1:{server.port}/0"))

        with pytest.raises(ServerRefused) as caught:
            add.delay(1, 2)

        assert "password" in caught.value.remedy
        assert "wrong" not in str(caught.value)

    def test_delay_when_user_may_not_run_scripts_then_is_refused_with_remedy(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        with server.client() as client:
            client.execute_command(
                *("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all", "-evalsha")
            )
        add = make_add(make_app(redis=f"redis://bob:secret@127.0.0.1:{server.port}/0"))

        with pytest.raises(ServerRefused) as caught:
            add.delay(1, 2)

        assert "NOPERM" == caught.value.code

    def test_delay_when_server_is_a_replica_then_is_refused_as_such(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        primary, replica = new_server(tcp=True), new_server(tcp=True)
        app = make_app(redis=replica.tcp_url, call_timeout="500ms")
        add = make_add(app)
        add.delay(0, 0)
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(primary.port))

        with pytest.raises(ServerRefused) as caught:
            add.delay(1, 2)

        assert caught.value.code in ("READONLY", "MASTERDOWN", "LOADING")
        assert caught.value.remedy

    def test_delay_when_server_serves_no_more_clients_then_is_refused_as_such(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(tcp=True)
        app = make_app(redis=server.tcp_url, call_timeout="500ms")
        add = make_add(app)
        add.delay(0, 0)
        app.close()
        with server.client() as client:
            client.config_set("maxclients", 1)

            with pytest.raises(ServerRefused) as caught:
                add.delay(1, 2)

        assert "MAXCLIENTS" == caught.value.code


class TestDurability:
    def test_apply_async_when_no_replica_is_there_then_is_not_durable_but_enqueued(
        self, make_app: Callable[..., App]
    ) -> None:
        app = make_app(socket_timeout="600ms")
        add = make_add(app)

        with pytest.raises(NotDurable, match="no replica"):
            add.apply_async((1, 2), durability="replica")

        assert 1 == enqueued(app)

    def test_apply_async_when_a_replica_is_there_then_returns(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        primary = new_server(tcp=True, options=["--repl-diskless-sync-delay", "0"])
        replica = new_server(tcp=True)
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(primary.port))
            eventually(lambda: client.info("replication")["master_link_status"] == "up")
        app = make_app(redis=primary.url)
        add = make_add(app)

        add.apply_async((1, 2), durability="replica")

        assert 1 == enqueued(app)

    def test_apply_async_when_duplicate_is_durable_then_returns(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        app = make_app(redis=new_server("embedded", aof=True).url)
        add = make_add(app)
        add.apply_async((1, 2), task_id="once", durability="fsync")

        again = add.apply_async((1, 2), task_id="once", durability="fsync")

        assert again.is_duplicate

    def test_apply_many_when_durable_then_waits_once_for_all(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server("embedded", aof=True)
        app = make_app(redis=server.url)
        add = make_add(app)

        add.apply_many([(n, n) for n in range(2100)], durability="fsync")

        with server.client() as client:
            assert 1 == client.info("commandstats")["cmdstat_waitaof"]["calls"]
        assert 2100 == enqueued(app)

    def test_apply_async_when_server_has_no_append_only_file_then_is_not_durable(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        app = make_app(redis=new_server("embedded").url)
        add = make_add(app)

        with pytest.raises(NotDurable, match="append-only"):
            add.apply_async((1, 2), durability="fsync")

    def test_apply_async_when_server_lacks_waitaof_then_sends_nothing_and_says_so(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        app = make_app(redis=new_server("redis62", aof=True).url)
        add = make_add(app)

        with pytest.raises(UnfitServer, match="WAITAOF"):
            add.apply_async((1, 2), durability="fsync")

        assert 0 == enqueued(app)


def fork_and_run(work: Callable[[], Any]) -> int:
    """Run something in a forked child; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
class TestProcessesAndThreads:
    def test_delay_when_process_forks_then_both_send_on_their_own_connections(
        self, app: App
    ) -> None:
        add = make_add(app)
        mine = [add.delay(0, 0)]

        def child() -> None:
            theirs = [add.delay(n, n) for n in range(50)]
            assert 50 == len({result.id for result in theirs})
            assert all(result.state is JobState.QUEUED for result in theirs)

        code = fork_and_run(child)
        mine += [add.delay(n, n) for n in range(50)]

        assert 0 == code
        assert all(result.state is JobState.QUEUED for result in mine)
        assert 101 == enqueued(app)

    def test_new_ids_when_processes_fork_then_never_repeat(self, app: App) -> None:
        add = make_add(app)
        add.delay(0, 0)
        codes = [fork_and_run(lambda: add.apply_many([(n, n) for n in range(200)])) for _ in "abc"]

        add.apply_many([(n, n) for n in range(200)])

        assert [0, 0, 0] == codes
        assert 801 == enqueued(app)

    def test_delay_when_many_threads_send_then_all_jobs_arrive(self, app: App) -> None:
        add = make_add(app)
        results: list[AsyncResult[int]] = []

        def send() -> None:
            for n in range(50):
                results.append(add.delay(n, n))
            app.close()

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert 400 == len({result.id for result in results})
        assert 400 == enqueued(app)

    def test_connection_when_its_thread_ends_then_is_closed(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        add = make_add(app)
        add.delay(0, 0)
        with redis_server.client() as client:
            before = len(client.client_list())
            thread = threading.Thread(target=lambda: add.delay(1, 1))
            thread.start()
            thread.join(10)

            eventually(lambda: before == len(client.client_list()))


@pytest.mark.parametrize("number", [1, 10, 123_456_789_012])
def test_ready_job_call_when_packed_then_has_the_bytes_of_the_general_one(number: int) -> None:
    raw_id, record = new_id(), b"\x01\x34\x00\x01q" + b"\r\n" * 50
    prefix, name = b"{a-b.c:4095}:", os.urandom(8)

    packed = ReadyJobCall(prefix, name).pack(number, raw_id, record)

    assert pack_enqueue(prefix, name, number, ((raw_id, "0", record),), False) == packed


def test_delay_when_a_test_drives_the_clock_then_the_server_is_told(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = make_add(app)
    add.delay(0, 0)
    monkeypatch.setattr("beatline.wire.scripts.Script.injected_now_us", 1_000_000)

    add.delay(1, 2)

    assert abs(app.sender().server_now_ms() - 1_000) < 1_000
