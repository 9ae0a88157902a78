"""
Fixtures for pytest; the one module here that needs it.

They come by asking: ``pytest_plugins = ["beatline.testing.fixtures"]`` in the topmost
``conftest.py``, or ``-p beatline.testing.fixtures``. Override ``beatline_app`` to give them your
own app::

    @pytest.fixture
    def beatline_app(beatline_server):
        with bound(shop.app, beatline_server.url) as app:
            yield app
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from beatline.app import App
from beatline.testing.binding import bound, fresh_namespace, remove_namespace
from beatline.testing.private_server import PrivateServer
from beatline.testing.time_machine import TimeMachine
from beatline.wire.connection import Endpoint, HeldConnection

#: Makes a time machine and turns it on; takes what `TimeMachine` does.
MakeTimeMachine = Callable[..., TimeMachine]


@pytest.fixture(scope="session")
def beatline_server() -> Iterator[PrivateServer]:
    """A real server for the whole run, with nothing on disk; tests share it by namespaces."""
    with PrivateServer() as server:
        yield server


@pytest.fixture
def beatline_app(beatline_server: PrivateServer) -> Iterator[App]:
    """An empty app on that server, in a namespace of its own; to be overridden by your own app."""
    namespace = fresh_namespace()
    connection = HeldConnection(Endpoint(beatline_server.url))
    with bound(App("tests"), beatline_server.url, namespace=namespace) as app:
        yield app
    remove_namespace(connection, namespace)
    connection.close()


@pytest.fixture
def time_machine(beatline_app: App, beatline_server: PrivateServer) -> Iterator[MakeTimeMachine]:
    """Makes time machines that are on until the test ends: ``time_machine(schedules=[…], …)``."""
    with ExitStack() as stack:

        def make(**options: Any) -> TimeMachine:
            machine = TimeMachine(
                options.pop("app", beatline_app), **{"url": beatline_server.url, **options}
            )
            return stack.enter_context(machine)

        yield make
