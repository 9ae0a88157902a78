"""Health endpoint and file: what probes are told, and when a worker gives up."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from beatline import App
from beatline.errors import InvalidSetting
from beatline.health import Health, HealthReporter
from tests.processes import Command, commands
from tests.servers import RedisProcess, eventually, free_port

Start = Callable[..., Command]


def _get(port: int, path: str) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_reporter_when_asked_then_answers_live_and_ready() -> None:
    reporter = HealthReporter(lambda: Health(True, False, 17), address="127.0.0.1:0")

    answers = [_get(reporter.port, path) for path in ("/live", "/ready", "/")]
    reporter.stop()

    assert [200, 503, 200] == [code for code, _ in answers]
    assert answers[0][1]["age_ms"] == 17


def test_reporter_when_the_address_is_none_then_says_what_to_write() -> None:
    with pytest.raises(InvalidSetting, match="write it like :9000"):
        HealthReporter(lambda: Health(True, True, 0), address="nine thousand")


def test_worker_when_it_works_then_its_endpoint_and_file_say_ready(
    worker: Start, app: App, tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "health.json"
    command = worker("-c", "1", "--health", f"127.0.0.1:{port}", "--health-file", str(file))
    assert app.send_task("add", (1, 1)).get(timeout=10) == 2

    eventually(lambda: _get(port, "/ready")[0] == 200)
    eventually(lambda: file.exists() and json.loads(file.read_text())["ready"])
    command.terminate()

    assert not file.exists()


def test_worker_when_redis_stays_away_then_is_not_live_and_ends_with_three(
    new_server: Callable[..., RedisProcess], tmp_path: Path
) -> None:
    server = new_server()
    port = free_port()
    env = {
        "BEATLINE_REDIS_URL": server.url,
        "BEATLINE_LEASE": "2s",
        "JOURNAL": str(tmp_path / "journal"),
    }
    with commands(tmp_path, env) as start:
        command = start(
            "worker", "-A", "tests/worker/jobs_app.py:app", "-c", "1",
            "--health", f"127.0.0.1:{port}", "--give-up", "2s",
        )  # fmt: skip
        command.wait_for_line("worker.ready")
        eventually(lambda: _get(port, "/ready")[0] == 200)

        server.kill()
        code = command.wait(20)

        assert code == 3
        assert "worker.gives_up" in command.output
