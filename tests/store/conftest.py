"""Fixtures of the store tests: a partition on each kind of server, its clock standing still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beatline.wire.connection import Endpoint, HeldConnection
from beatline.wire.scripts import Script
from tests.servers import RedisProcess
from tests.store.support import ManualClock, Partition


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    """The time that scripts are told; the server's own again afterwards."""
    yield ManualClock()
    Script.injected_now_us = 0


@pytest.fixture
def partition(any_server: RedisProcess, clock: ManualClock) -> Iterator[Partition]:
    """A partition on Debian's server, on the embedded one and on 6.2."""
    connection = HeldConnection(Endpoint(any_server.url))
    with any_server.client() as client:
        place = Partition(client, connection, clock)
        yield place
        if place.is_sound:
            assert [] == place.violations()
    connection.close()
