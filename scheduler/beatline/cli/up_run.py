"""What ``sched up`` runs: server, beat and worker, and a stage on which they are seen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from beatline.cli.bell import Bell
from beatline.cli.companion import Companion
from beatline.cli.companions import beat_arguments, worker_arguments
from beatline.cli.ensemble import Ensemble, Stage
from beatline.cli.groups import unknown
from beatline.cli.happenings import Happenings
from beatline.cli.plain_stage import ReportingStage
from beatline.cli.reach import known_of, open_app, reading_endpoint, wait_for_redis
from beatline.cli.server_start import start_server
from beatline.cli.wanted import Wanted
from beatline.errors import UnknownTask
from beatline.ids import id_from_text
from beatline.logs import set_up_logging

if TYPE_CHECKING:
    from beatline.app import App


class Up:
    """
    One run of ``sched up``.

    Args:
        wanted: App, Redis, namespace, log level.
        paths: Schedule files and folders.
        limits: Options of the worker.
        tasks: Names of tasks of which a job is sent at the start.
        is_live: Whether to draw a live view.
        watch: Whether beat applies schedule files again when they change.
    """

    def __init__(
        self,
        wanted: Wanted,
        paths: Sequence[str],
        limits: Mapping[str, Any],
        tasks: Sequence[str],
        *,
        is_live: bool,
        watch: bool = False,
    ) -> None:
        self._wanted = wanted
        self._paths = list(paths)
        self._limits = limits
        self._tasks = list(tasks)
        self._is_live = is_live
        self._watch = watch

    def run(self) -> int:
        """Run until told to stop; the exit code."""
        # What beat and worker log at INFO would scroll the view away.
        self._wanted.log_level = self._wanted.log_level or ("warning" if self._is_live else "info")
        set_up_logging("warning")
        app = open_app(self._wanted)
        self._check(app)
        plain = ReportingStage()
        with Bell() as bell, ExitStack() as stack:
            server = None
            if app.settings.redis is None:
                server = start_server(plain, bell)
                stack.callback(server.stop)
                os.environ["BEATLINE_REDIS_URL"] = server.url
                app.configure(redis=server.url)
            else:
                wait_for_redis(app)
            endpoint = reading_endpoint(app)
            happenings = Happenings(endpoint, app.settings, bell.ring)
            happenings.start()
            stack.callback(happenings.stop)
            stage: Stage = plain
            if self._is_live:
                from beatline.cli.live_stage import LiveStage

                title = f"{app.name} on {endpoint.safe_url}"
                stage = stack.enter_context(LiveStage(lambda: title, happenings))
            else:
                plain.follow(happenings)
            companions = [
                Companion(
                    "beat",
                    beat_arguments(self._wanted, self._paths, watch=self._watch),
                    captured=self._is_live,
                ),
                Companion(
                    "worker", worker_arguments(self._wanted, self._limits), captured=self._is_live
                ),
            ]
            ensemble = Ensemble(
                companions, stage, bell, server=server, before_server_ends=happenings.stop
            )
            return ensemble.run(lambda: self._enqueue(app, stage, happenings))

    def _check(self, app: App) -> None:
        """Refuse what cannot work before anything is started."""
        for name in self._tasks:
            if name not in app.tasks:
                message, _, remedy = unknown("task", name, sorted(app.tasks)).partition(" – ")
                raise UnknownTask(f"{message} in {self._wanted.app}", remedy=remedy)
        if self._paths:
            from beatline_schedules import load_declarations

            load_declarations(self._paths, **known_of(app))

    def _enqueue(self, app: App, stage: Stage, happenings: Happenings) -> None:
        for name in self._tasks:
            result = app.tasks[name].apply_async()
            happenings.note_call(id_from_text(result.id), name)
            stage.tell(f"sent a job of {name}: {result.id}")
        app.close()
