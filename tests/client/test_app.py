"""Apps: settings, the way to Redis, and whether the server is fit."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from beatline import App
from beatline.embedded import EmbeddedServer
from beatline.errors import InvalidSetting, NotSent, UnfitServer
from tests.proxy import Proxy
from tests.servers import RedisProcess, server_path

#: Modules that must not be loaded by ``import beatline``: they cost more than all of the rest.
HEAVY = ("redis", "msgspec", "hiredis", "asyncio", "click", "croniter", "apscheduler")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working directory, and no setting in the environment."""
    for name in [name for name in os.environ if name.startswith("BEATLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestImporting:
    def test_package_when_imported_then_loads_nothing_heavy(self) -> None:
        code = f"import sys, beatline; print([n for n in {HEAVY} if n in sys.modules])"

        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert "[]" == done.stdout.strip()

    def test_package_when_asked_for_its_names_then_has_all_of_them(self) -> None:
        import beatline

        found = [getattr(beatline, name) for name in beatline.__all__]

        assert len(beatline.__all__) == len(found)
        assert {*beatline.__all__} <= {*dir(beatline)}

    def test_package_when_asked_for_something_else_then_raises_as_modules_do(self) -> None:
        import beatline

        with pytest.raises(AttributeError, match="no attribute 'Celery'"):
            beatline.Celery  # noqa: B018


class TestSettings:
    def test_app_when_all_is_said_then_has_it_checked(self, bare: Path) -> None:
        app = App(
            "shop",
            redis="redis://somewhere:1/0",
            namespace="s",
            lease=timedelta(seconds=5),
            max_deliveries=2,
            partitions=4,
            result_ttl="2h",
            timezone="Europe/Berlin",
            default_queue="main",
            unknown_task_ttl=30,
            socket_timeout="1s",
            call_timeout=2.5,
        )

        settings = app.settings

        assert ("redis://somewhere:1/0", "s", 5_000, 2, 4) == (
            settings.redis,
            settings.namespace,
            settings.lease_ms,
            settings.max_deliveries,
            settings.partitions,
        )
        assert (7_200_000, "Europe/Berlin", "main", 30_000, 1_000, 2_500) == (
            settings.result_ttl_ms,
            settings.timezone,
            settings.default_queue,
            settings.unknown_task_ttl_ms,
            settings.socket_timeout_ms,
            settings.call_timeout_ms,
        )

    def test_app_when_environment_says_otherwise_then_it_wins(
        self, bare: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BEATLINE_REDIS_URL", "redis://env:1/0")
        monkeypatch.setenv("BEATLINE_LEASE", "9s")

        app = App("shop", redis="redis://code:1/0", lease="5s")

        assert ("redis://env:1/0", 9_000) == (app.endpoint().url, app.settings.lease_ms)

    def test_configure_when_command_line_says_otherwise_then_it_wins_over_all(
        self, bare: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BEATLINE_REDIS_URL", "redis://env:1/0")
        app = App("shop", lease="5s", namespace="s")

        app.configure(redis="redis://line:1/0", lease="7s", partitions=None)

        assert ("redis://line:1/0", 7_000, "s") == (
            app.endpoint().url,
            app.settings.lease_ms,
            app.settings.namespace,
        )

    def test_configure_when_setting_is_unknown_then_is_refused(self, bare: Path) -> None:
        with pytest.raises(InvalidSetting, match="colour"):
            App("shop").configure(colour="red")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"namespace": "a b"},
            {"lease": "soon"},
            {"lease": 0.1},
            {"partitions": 0},
            {"max_deliveries": 0},
            {"default_queue": "{x}"},
        ],
    )
    def test_app_when_setting_does_not_fit_then_is_refused(
        self, bare: Path, wrong: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidSetting):
            App("shop", **wrong)

    @pytest.mark.parametrize("name", ["", "redis://localhost:6379/0", None])
    def test_app_when_name_is_none_then_is_refused(self, bare: Path, name: Any) -> None:
        with pytest.raises(InvalidSetting, match="App name"):
            App(name)


class TestEndpoint:
    def test_endpoint_when_there_is_no_redis_then_says_what_to_start(self, bare: Path) -> None:
        with pytest.raises(NotSent) as caught:
            App("shop").endpoint()

        assert all(
            hint in caught.value.remedy
            for hint in ("sched up", "sched up --only server", "BEATLINE_REDIS_URL")
        )

    def test_delay_when_there_is_no_redis_then_says_what_to_start(self, bare: Path) -> None:
        app = App("shop")
        task = app.task(lambda: None)

        with pytest.raises(NotSent, match="sched up"):
            task.delay()

    def test_endpoint_when_url_is_none_then_is_refused(self, bare: Path) -> None:
        with pytest.raises(InvalidSetting, match="redis://"):
            App("shop", redis="localhost:6379").queues.depth()

    def test_delay_when_embedded_server_runs_then_finds_it(
        self, bare: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        binary = server_path("embedded") or server_path("debian")
        if binary is None:
            pytest.skip("no server to embed")
        monkeypatch.setenv("BEATLINE_SERVER", str(binary))
        monkeypatch.chdir(short_folder)
        app = App("shop")
        with EmbeddedServer(short_folder / ".beatline"):
            app.send_task("t")

            depth = app.queues.depth()
            app.close()

        assert 1 == depth


class TestFitness:
    def test_first_use_when_server_may_evict_any_key_then_is_refused(
        self, make_app: Callable[..., App], new_server: Callable[..., RedisProcess]
    ) -> None:
        server = new_server(options=["--maxmemory-policy", "allkeys-lru"])
        app = make_app(redis=server.url)

        with pytest.raises(UnfitServer, match="allkeys-lru"):
            app.send_task("t")

        with server.client() as client:
            assert 0 == client.dbsize()

    def test_first_use_when_server_may_evict_results_then_warns_once(
        self,
        make_app: Callable[..., App],
        new_server: Callable[..., RedisProcess],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        server = new_server(options=["--maxmemory-policy", "volatile-lru"])
        app = make_app(redis=server.url)

        with caplog.at_level(logging.WARNING):
            app.send_task("t")
            app.send_task("t")

        assert 1 == sum("volatile-lru" in record.getMessage() for record in caplog.records)

    def test_first_use_when_server_is_too_old_then_is_refused(
        self, make_app: Callable[..., App], redis_server: RedisProcess, proxy: Proxy
    ) -> None:
        version = b"redis_version:" + ".".join(map(str, redis_server.version())).encode()
        proxy.replace_in_replies(version, version[:14] + b"5" + version[15:])
        app = make_app(redis=proxy.url)

        with pytest.raises(UnfitServer, match="too old"):
            app.send_task("t")

    def test_first_use_when_namespace_has_other_partitions_then_is_refused(
        self, make_app: Callable[..., App]
    ) -> None:
        make_app(partitions=4).send_task("t")
        other = make_app(partitions=2)

        with pytest.raises(InvalidSetting, match="partitions=4"):
            other.send_task("t")

    def test_uses_when_many_then_server_is_looked_at_once(
        self, app: App, redis_server: RedisProcess
    ) -> None:
        app.send_task("t")
        with redis_server.client() as client:
            client.config_resetstat()
            app.send_task("t")
            app.queues.depth()

            commands = client.info("commandstats")

        assert "cmdstat_info" not in {name: 1 for name in commands if name != "cmdstat_info"}
        assert 1 == commands["cmdstat_evalsha"]["calls"]
        assert "cmdstat_hsetnx" not in commands

    def test_uses_when_server_is_of_any_kind_then_work(self, any_server: RedisProcess) -> None:
        app = App("shop", redis=any_server.url)
        result = app.send_task("t", (1,), countdown=60)

        told = (result.state, app.queues.depth("default"), bool(result.cancel()))
        app.close()

        assert ("SCHEDULED", 1, True) == told


class TestSendTask:
    def test_send_task_when_task_is_not_registered_then_sends(self, app: App) -> None:
        result = app.send_task("elsewhere.pay", (1,), {"b": 2}, queue="money", priority=7)

        job = app.jobs.get(result.id).job

        assert job is not None
        assert ("elsewhere.pay", [1], {"b": 2}, "money", 7) == (
            job.task,
            job.args,
            job.kwargs,
            job.queue,
            job.priority,
        )

    def test_send_task_when_task_is_registered_then_its_options_apply(self, app: App) -> None:
        app.task(name="pay", queue="money", priority=2, ignore_result=True)(lambda: None)

        result = app.send_task("pay")

        job = app.jobs.get(result.id).job
        assert job is not None
        assert ("money", 2, True) == (job.queue, job.priority, job.ignore_result)

    def test_send_task_when_name_is_none_then_is_refused(self, app: App) -> None:
        with pytest.raises(InvalidSetting, match="task name"):
            app.send_task("two words")
