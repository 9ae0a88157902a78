"""
From what was wanted to what is there: the app, its tasks, a connection, the schedules' books.

A command that needs no app's code is given an empty app with the same settings; what it reads
is the same.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypedDict

from beatline.cli.exits import warn
from beatline.cli.wanted import Wanted
from beatline.errors import NotSent

if TYPE_CHECKING:
    from beatline.app import App
    from beatline.schedule_books import ScheduleBooks
    from beatline.wire.connection import Endpoint, HeldConnection

#: How long beat and worker wait for a Redis that is not there yet, seconds.
PATIENCE_S: Final = 10.0
#: Pause between two attempts, seconds.
_AGAIN_S: Final = 0.1
#: Longest wait of a command for a connection and for a reply, ms: both together stay below 5 s.
_CONNECT_MS: Final = 2_000
_REPLY_MS: Final = 2_500


def open_app(wanted: Wanted) -> App:
    """
    The app that was named, or one without tasks.

    Raises:
        AppNotLoadable: The named one cannot be imported, or is not there.
    """
    wanted.pass_on()
    if wanted.app:
        from beatline.loading import load_app

        return load_app(wanted.app)
    from beatline.app import App

    return App("sched")


def reading_endpoint(app: App) -> Endpoint:
    """
    Where the app's Redis is, with deadlines for somebody who waits at a terminal.

    Raises:
        NotSent: No Redis is named, and no embedded server runs.
    """
    return _impatient(app.endpoint())


def _impatient(endpoint: Endpoint) -> Endpoint:
    from dataclasses import replace

    return replace(endpoint, connect_timeout_ms=_CONNECT_MS, reply_timeout_ms=_REPLY_MS)


@contextmanager
def connection_to(app: App) -> Iterator[HeldConnection]:
    """
    A connection to the app's Redis.

    Raises:
        NotSent: There is none, or it does not accept us.
    """
    from beatline.wire.connection import HeldConnection

    connection = HeldConnection(reading_endpoint(app))
    connection.connect()
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def books_of(app: App) -> Iterator[ScheduleBooks]:
    """The schedules of the app's namespace."""
    from beatline.schedule_books import ScheduleBooks

    with connection_to(app) as connection:
        yield ScheduleBooks(connection, app.settings.namespace, app.settings.partitions)


def wait_for_redis(app: App, seconds: float = PATIENCE_S) -> Endpoint:
    """
    Wait until the app's Redis is there, and make sure that it is fit; tells what is doubtful.

    Raises:
        NotSent: It is not there in time.
        UnfitServer: It is there, and will not do.
    """
    return _wait(app.endpoint, seconds)


def _wait(find: Callable[[], Endpoint], seconds: float) -> Endpoint:
    from redis.exceptions import RedisError

    from beatline.wire.connection import HeldConnection
    from beatline.wire.fitness import check_facts, server_facts
    from beatline.wire.refusals import is_passing

    deadline = time.monotonic() + seconds
    while True:
        try:
            endpoint = find()
            connection = HeldConnection(_impatient(endpoint))
            try:
                warnings = check_facts(dict(server_facts(connection)))
            finally:
                connection.close()
        except (NotSent, RedisError) as error:
            waits = isinstance(error, NotSent) or is_passing(error) or _is_lost(error)
            if not waits or time.monotonic() >= deadline:
                raise
        else:
            for warning in warnings:
                warn(warning)
            return endpoint
        time.sleep(_AGAIN_S)


def wait_for_named_redis() -> None:
    """
    Wait for the Redis that the command line or the environment names, if one is named.

    For the worker's supervisor, which never imports the user's app: a Redis that only the app
    names, or the embedded one, is waited for by the process that loads the app.

    Raises:
        NotSent: It is not there in time.
        UnfitServer: It is there, and will not do.
    """
    # Without an App: what it brings would stay in the supervisor's memory, and serve nobody.
    from beatline.settings import Settings
    from beatline.wire.connection import Endpoint

    url = Settings().with_environment().redis
    if url is not None:
        _wait(lambda: Endpoint(url), PATIENCE_S)


def _is_lost(error: Exception) -> bool:
    from beatline.wire.connection import LOST

    return isinstance(error, LOST)


class KnownOfApp(TypedDict):
    """
    What the readers of schedule files are told of an app.

    Attributes:
        task_names: Its tasks.
        queue_names: Queues that it names: its default queue and those of its tasks.
        signatures: What the tasks' functions take.
    """

    task_names: list[str]
    queue_names: list[str]
    signatures: dict[str, inspect.Signature]


def known_of(app: App) -> KnownOfApp:
    """What schedule files are checked against."""
    queues = {task.options.queue for task in app.tasks.values() if task.options.queue}
    return {
        "task_names": sorted(app.tasks),
        "queue_names": sorted(queues | {app.settings.default_queue}),
        "signatures": signatures_of(app),
    }


def signatures_of(app: App) -> dict[str, inspect.Signature]:
    """The signatures of the app's tasks by name, without a bound first parameter."""
    found = {}
    for name, task in app.tasks.items():
        try:
            signature = inspect.signature(task)
        except (TypeError, ValueError):
            continue  # a callable of C tells nothing
        parameters = list(signature.parameters.values())
        skipped = 1 if getattr(task, "_is_bound", False) else 0
        found[name] = signature.replace(parameters=parameters[skipped:])
    return found
