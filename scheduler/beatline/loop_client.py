"""
An app's connections in event loops: one sender and one ear for each loop.

The loop of a coroutine is found from where it runs. A loop that is ended in the usual way
(``asyncio.run``, or whoever calls ``loop.shutdown_asyncgens()``) closes its connections; others
await ``app.aclose()``.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from beatline.async_notices import AsyncNotices
from beatline.async_sender import AsyncSender
from beatline.settings import Settings
from beatline.wire.connection import Endpoint

if TYPE_CHECKING:
    from beatline.app import App


class LoopClient:
    """
    What one event loop has of an app.

    Attributes:
        sender: Sends and asks.
        notices: Hears of jobs' ends.
    """

    def __init__(self, loop: AbstractEventLoop, endpoint: Endpoint, clients: LoopClients) -> None:
        self.loop = loop
        self.pid = os.getpid()
        self.settings: Settings = clients.app.settings
        self.sender = AsyncSender(endpoint, self.settings, clients.sender)
        self.notices = AsyncNotices(endpoint)
        self._end = self._until_loop_ends()

    async def watch_loop(self) -> None:
        """Be told when the loop ends: it then closes each generator that has begun."""
        await anext(self._end)

    def close(self) -> None:
        """Close the connections; the next use opens others."""
        self.sender.close()
        self.notices.close()

    async def _until_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()


class LoopClients:
    """
    The loops' clients of one app.

    Args:
        app: Whose.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._threads = threading.local()

    def current(self) -> LoopClient | None:
        """The running loop's client, if it has one already."""
        client: LoopClient | None = getattr(self._threads, "client", None)
        if (
            client is not None
            and client.loop is get_running_loop()
            and client.settings is self.app.settings
            and client.pid == os.getpid()
        ):
            return client
        return None

    async def get(self) -> LoopClient:
        """
        The running loop's client; made, and the server looked at, when first asked for.

        Raises:
            NotSent: No server is named, or none accepts connections.
            UnfitServer: It may throw jobs away, or is too old.
        """
        client = self.current()
        if client is not None:
            return client
        loop = get_running_loop()
        # Where several ask at once, the server is looked at more than once; no harm is done.
        # Looking is work for a thread: it reads files, and talks to the server.
        endpoint = await asyncio.to_thread(self.app.fit_endpoint)
        clients = self._of_thread()
        known = clients.get(loop)
        if known is not None and known.settings is self.app.settings and known.pid == os.getpid():
            client = known
        else:
            if known is not None and known.pid == os.getpid():
                known.close()
            client = clients[loop] = LoopClient(loop, endpoint, self)
            await client.watch_loop()
        self._threads.client = client
        return client

    async def sender(self) -> AsyncSender:
        """The running loop's sender."""
        return (await self.get()).sender

    def close(self) -> None:
        """Close the running loop's connections; the next use opens others."""
        client = self._of_thread().pop(get_running_loop(), None)
        self._threads.client = None
        if client is not None and client.pid == os.getpid():
            client.close()

    def _of_thread(self) -> dict[AbstractEventLoop, LoopClient]:
        """The clients of this thread's loops, without those of loops that are closed."""
        clients: dict[AbstractEventLoop, LoopClient]
        clients = self._threads.__dict__.setdefault("clients", {})
        for loop in [loop for loop in clients if loop.is_closed()]:
            del clients[loop]
        return clients
