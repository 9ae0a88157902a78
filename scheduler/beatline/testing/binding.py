"""An app that points at a server for tests while a test lasts, and back afterwards."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from beatline.app import App
from beatline.keys import meta_key
from beatline.sender import Sender
from beatline.settings import Settings
from beatline.testing.manual_clock import ManualClock
from beatline.wire.connection import Endpoint, HeldConnection

#: What the namespaces of tests begin with.
PREFIX: Final = "test-"
#: Keys that are removed in one round trip.
_PAGE: Final = 1_000


def fresh_namespace() -> str:
    """A namespace that nobody else uses."""
    return f"{PREFIX}{secrets.token_hex(6)}"


@contextmanager
def bound(
    app: App, url: str, *, namespace: str = "", clock: ManualClock | None = None
) -> Iterator[App]:
    """
    Point an app at a server, in a namespace of its own and with one partition.

    Args:
        app: The app; its settings are as before when the block ends.
        url: The server.
        namespace: Instead of a fresh one.
        clock: What ``countdown`` counts from, instead of the server's clock.

    Yields:
        The same app.
    """
    before = app.settings
    app.close()
    app.settings = replace(
        before, redis=url, namespace=namespace or fresh_namespace(), partitions=1
    )
    senders = _Senders(app, app.settings, clock)
    outer = vars(app).get("sender")
    vars(app)["sender"] = senders.get
    try:
        yield app
    finally:
        senders.close()
        app.close()
        del vars(app)["sender"]
        if outer is not None:
            vars(app)["sender"] = outer
        app.settings = before


def remove_namespace(connection: HeldConnection, namespace: str) -> None:
    """Remove all keys of a test's namespace; those of others stay."""
    assert namespace.startswith(PREFIX), namespace
    pattern, cursor = f"{{{namespace}:*", b"0"
    while True:
        cursor, keys = connection.call("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        if keys:
            connection.call("UNLINK", *keys)
        if cursor == b"0":
            break
    connection.call("UNLINK", meta_key(namespace))


class _Senders:
    """The senders of one app while it is bound: one for each thread, as `App` has them."""

    def __init__(self, app: App, settings: Settings, clock: ManualClock | None) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._threads = threading.local()

    def get(self) -> Sender:
        sender: Sender | None = getattr(self._threads, "sender", None)
        if sender is None or sender.pid != os.getpid():
            endpoint = self._app.endpoint()
            sender = self._threads.sender = _ClockedSender(endpoint, self._settings, self)
        return sender

    def close(self) -> None:
        sender: Sender | None = getattr(self._threads, "sender", None)
        if sender is not None:
            sender.close()

    def now_ms(self) -> int | None:
        return self._clock.now_ms if self._clock is not None else None


class _ClockedSender(Sender):
    """A sender that takes the time from a manual clock, where there is one."""

    def __init__(self, endpoint: Endpoint, settings: Settings, senders: _Senders) -> None:
        super().__init__(endpoint, settings, senders.get)
        self._senders = senders

    def server_now_ms(self) -> int:
        """The manual clock's time, UTC ms; the server's where there is none."""
        now_ms = self._senders.now_ms()
        return super().server_now_ms() if now_ms is None else now_ms
