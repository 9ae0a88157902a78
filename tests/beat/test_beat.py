"""Beat as a whole, in threads: on time, through outages, and to a clean end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from beatline.beat.beat import Beat
from beatline.errors import InvalidSetting, UnfitServer
from beatline.ids import new_id
from beatline.job import record_body, record_head
from beatline.keys import prefix
from beatline.settings import Settings
from beatline.store import scheduling
from beatline.store.enqueuing import enqueue
from beatline.wire.connection import Endpoint, HeldConnection
from tests.beat.running import PREFIX, Books, RunningBeat
from tests.beat.stage import every
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually

Beats = Callable[..., RunningBeat]
NewServer = Callable[..., RedisProcess]


def _schedule_job(connection: HeldConnection, due: str) -> bytes:
    raw = new_id()
    record = record_head("default", 4, 0) + record_body("noop", (), {})
    enqueue(connection, PREFIX, raw, 1, [(raw, due, record)], check=False)
    return raw


def _is_ready(connection: HeldConnection, raw: bytes) -> bool:
    return raw in connection.call("LRANGE", PREFIX + b"ready:default:4", 0, -1)


def test_beat_when_schedules_are_due_then_fires_each_instant_once(
    beats: Beats, redis_url: str
) -> None:
    books = Books(redis_url)

    running = beats(redis_url, every("fast", "200ms"), every("slow", "400ms"))
    eventually(lambda: len(books.fired()) >= 9)
    running.stop()

    fired = books.fired()
    assert {1} == set(fired.values())
    instants = sorted(nominal for name, nominal in fired if name == "fast")
    assert list(range(instants[0], instants[-1] + 1, 200)) == instants
    assert all((entry.lateness_ms or 0) >= 0 for entry in books.history("fast"))


def test_beat_when_told_to_stop_then_resigns_and_ends_at_once(beats: Beats, redis_url: str) -> None:
    running = beats(redis_url).wait_until_leading()
    began = time.monotonic()

    exit_code = running.stop()

    assert 0 == exit_code
    assert time.monotonic() - began < 0.5
    until = Books(redis_url).connection.call("HGET", PREFIX + b"leader", "until")
    assert b"0" == until


def test_beat_when_it_sleeps_and_something_sooner_arrives_then_wakes_at_once(
    beats: Beats, redis_url: str
) -> None:
    running = beats(redis_url).wait_until_leading()
    connection = HeldConnection(Endpoint(redis_url))
    latenesses = []

    for _ in range(20):
        begun = time.monotonic()
        raw = _schedule_job(connection, "+20")
        eventually(lambda: _is_ready(connection, raw), every=0.001)  # noqa: B023
        latenesses.append(time.monotonic() - begun - 0.020)

    # The script adds to its millisecond, which has begun before the call.
    assert min(latenesses) >= -0.001
    # A beat that was not woken would come after half a second on average.
    assert sorted(latenesses)[10] < 0.05
    running.stop()


def test_beat_when_standing_by_then_takes_no_nudge_away(beats: Beats, redis_url: str) -> None:
    beats(redis_url).wait_until_leading()
    standby = beats(redis_url)
    eventually(lambda: standby.beat.health.has_run)
    books = Books(redis_url)
    eventually(lambda: books.blocked_clients() == 1)

    most = max(books.blocked_clients() for _ in range(50))

    assert 1 == most
    assert () == standby.beat.health.leads


def test_beat_when_the_leader_leaves_then_another_goes_on_without_a_gap(
    beats: Beats, redis_url: str
) -> None:
    schedule = every("tick", "100ms")
    first, second = beats(redis_url, schedule), beats(redis_url, schedule)
    books = Books(redis_url)
    eventually(lambda: len(books.fired()) >= 5)

    leader = first if first.beat.health.leads else second
    count = len(books.fired())
    leader.stop()
    eventually(lambda: len(books.fired()) >= count + 10)

    fired = books.fired()
    instants = sorted(nominal for _, nominal in fired)
    assert {1} == set(fired.values())
    assert list(range(instants[0], instants[-1] + 1, 100)) == instants


def test_beat_when_redis_is_flushed_then_declarations_are_back_soon(
    beats: Beats, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    beats(redis_url, *(every(f"tick-{number}", "200ms") for number in range(20)))
    books = Books(redis_url)
    eventually(lambda: len(books.fired()) >= 20)

    books.connection.call("FLUSHALL")
    eventually(lambda: books.schedules() == 20 and len(books.fired()) >= 20, 5.0)

    assert {1} == set(books.fired().values())
    assert b"1" == books.connection.call("HGET", b"{sched}:meta", "partitions")


def test_beat_when_redis_restarts_empty_then_goes_on(
    beats: Beats, new_server: NewServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = new_server(tcp=True)
    running = beats(server.tcp_url, every("tick", "200ms"))
    eventually(lambda: len(Books(server.tcp_url).fired()) >= 3)

    with caplog.at_level(logging.INFO, "beatline.beat"):
        server.kill()
        eventually(lambda: running.beat.health.outage)
        server.start()
        eventually(lambda: len(Books(server.tcp_url).fired()) >= 3)

    assert "beat.outage" in caplog.text
    assert "beat.recovered" in caplog.text
    assert "" == running.beat.health.outage


def test_beat_when_redis_stands_still_then_nothing_fires_twice(
    beats: Beats, new_server: NewServer
) -> None:
    server = new_server(tcp=True)
    schedule = every("tick", "200ms")
    for _ in range(2):
        beats(server.tcp_url, schedule, reply_timeout_ms=500)
    books = Books(server.tcp_url)
    eventually(lambda: len(books.fired()) >= 3)

    server.pause()
    time.sleep(2.5)
    server.resume()
    resumed_ms = int(time.time() * 1_000)
    eventually(lambda: max(at for _, at in books.fired()) > resumed_ms + 1_000)

    fired = books.fired()
    assert {1} == set(fired.values())
    instants = {nominal for _, nominal in fired}
    assert set(range(min(instants), max(instants) + 1, 200)) == instants


def test_beat_when_connections_fall_silent_then_notices_and_goes_on(
    beats: Beats, new_server: NewServer
) -> None:
    server = new_server(tcp=True)
    with Proxy(server) as proxy:
        running = beats(proxy.url, every("tick", "200ms"), reply_timeout_ms=300)
        books = Books(server.tcp_url)
        eventually(lambda: len(books.fired()) >= 3)

        proxy.black_hole()
        eventually(lambda: running.beat.health.outage)
        proxy.reset()
        proxy.flow()
        count = len(books.fired())
        eventually(lambda: len(books.fired()) >= count + 3)
        running.stop()


def test_beat_when_replies_to_fires_are_lost_then_each_fires_once(
    beats: Beats, new_server: NewServer
) -> None:
    server = new_server(tcp=True)
    with Proxy(server) as proxy:
        running = beats(proxy.url, *(every(f"tick-{n}", "500ms") for n in range(10)))
        books = Books(server.tcp_url)
        eventually(lambda: len(books.fired()) >= 10)

        for _ in range(5):
            proxy.lose_replies(1, to=b"fire")
            count = len(books.fired())
            eventually(lambda: len(books.fired()) >= count + 10)  # noqa: B023
        running.stop()

    fired = books.fired()
    assert {1} == set(fired.values())
    for number in range(10):
        instants = {at for name, at in fired if name == f"tick-{number}"}
        assert set(range(min(instants), max(instants) + 1, 500)) == instants


def test_beat_when_the_server_becomes_a_replica_then_reports_and_recovers(
    beats: Beats, new_server: NewServer
) -> None:
    server = new_server(tcp=True)
    running = beats(server.tcp_url, every("tick", "200ms"))
    books = Books(server.tcp_url)
    eventually(lambda: len(books.fired()) >= 3)

    books.connection.call("REPLICAOF", "127.0.0.1", "1")
    eventually(lambda: "read only" in running.beat.health.outage)
    has_aged = eventually(lambda: running.beat.health.age_ms > 500)
    books.connection.call("REPLICAOF", "NO", "ONE")
    eventually(lambda: not running.beat.health.outage)

    assert has_aged


def test_beat_when_redis_stays_away_then_gives_up_with_exit_code_3(
    beats: Beats, new_server: NewServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = new_server()
    running = beats(server.url, patience_ms=300).wait_until_leading()

    server.kill()

    assert 3 == running.wait()
    assert "beat.gives_up" in caplog.text


def test_beat_when_the_server_may_evict_jobs_then_refuses(new_server: NewServer) -> None:
    server = new_server(options=["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"])
    running = RunningBeat(server.url)

    with pytest.raises(UnfitServer), running:
        running.wait()


def test_beat_when_the_namespace_has_other_partitions_then_refuses(
    beats: Beats, redis_url: str
) -> None:
    beats(redis_url).wait_until_leading()
    running = RunningBeat(redis_url, settings=Settings(partitions=3))

    with pytest.raises(InvalidSetting), running:
        running.wait()


def test_beat_when_there_are_partitions_then_leads_and_fires_in_all(
    beats: Beats, redis_url: str
) -> None:
    schedules = [every(f"tick-{number}", "300ms") for number in range(12)]

    beats(redis_url, *schedules, settings=Settings(partitions=3)).wait_until_leading()

    connection = HeldConnection(Endpoint(redis_url))

    def ready() -> list[int]:
        return [
            connection.call("LLEN", prefix("sched", partition) + b"ready:default:4")
            for partition in range(3)
        ]

    eventually(lambda: min(ready()) >= 3)


def test_beat_when_another_set_is_declared_then_applies_it_at_once(
    beats: Beats, redis_url: str
) -> None:
    running = beats(redis_url, every("old", "1h")).wait_until_leading()
    books = Books(redis_url)

    running.beat.declare([every("new", "200ms")])

    eventually(lambda: len(books.fired()) >= 2, 3.0)
    assert [b"new"] == books.connection.call("HKEYS", PREFIX + b"schedules")


def test_beat_when_a_schedule_is_paused_by_hand_then_rests(beats: Beats, redis_url: str) -> None:
    beats(redis_url, every("tick", "100ms"))
    books = Books(redis_url)
    eventually(lambda: len(books.fired()) >= 3)

    assert scheduling.pause(books.connection, PREFIX, "tick")
    count = len(books.fired())
    time.sleep(0.5)

    assert count == len(books.fired())


def test_health_when_rounds_go_through_then_is_young(beats: Beats, redis_url: str) -> None:
    running = beats(redis_url).wait_until_leading()
    eventually(lambda: running.beat.health.has_run, what="a round")

    health = running.beat.health

    assert (True, (0,), "") == (health.has_run, health.leads, health.outage)
    assert health.age_ms < 1_500


def test_health_when_nothing_went_through_yet_then_counts_from_the_start() -> None:
    beat = Beat(Settings(), Endpoint("unix:///nowhere/at/all.sock"))

    health = beat.health

    assert (False, ()) == (health.has_run, health.leads)
    beat._close()


def test_beat_when_on_each_kind_of_server_then_fires_promotes_and_puts_back(
    beats: Beats, any_server: RedisProcess
) -> None:
    running = beats(any_server.url, every("tick", "200ms")).wait_until_leading()
    books = Books(any_server.url)
    raw = _schedule_job(books.connection, "+100")
    eventually(lambda: _is_ready(books.connection, raw) and len(books.fired()) >= 4)

    any_server.flush()
    eventually(lambda: len(books.fired()) >= 2, 5.0)

    assert 0 == running.stop()
    assert {1} == set(books.fired().values())
