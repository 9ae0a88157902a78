"""Apps on the shared server, and proxies in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from beatline import App
from tests.client.hands import Hands
from tests.proxy import Proxy
from tests.servers import RedisProcess


@pytest.fixture
def make_app(redis_server: RedisProcess) -> Iterator[Callable[..., App]]:
    """Makes apps on the shared server; takes what ``App`` takes."""
    apps: list[App] = []

    def make(name: str = "shop", **settings: object) -> App:
        app = App(name, **{"redis": redis_server.url, **settings})  # type: ignore[arg-type]
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    """An app on the shared server."""
    return make_app()


@pytest.fixture
def hands(app: App) -> Iterator[Hands]:
    """Takes and settles jobs of ``app``'s default queue."""
    made = Hands(app)
    yield made
    made.close()


@pytest.fixture
def proxy(redis_server: RedisProcess) -> Iterator[Proxy]:
    """A proxy in front of the shared server."""
    with Proxy(redis_server) as made:
        yield made
