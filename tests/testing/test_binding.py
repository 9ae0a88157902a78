"""An app that is pointed at a test's server is as before when the test is over."""

from __future__ import annotations

from contextlib import suppress

from beatline import App
from beatline.testing import PrivateServer, bound
from beatline.testing.binding import fresh_namespace, remove_namespace
from beatline.wire.connection import Endpoint, HeldConnection


def test_bound_when_it_is_over_then_the_app_is_as_before(beatline_server: PrivateServer) -> None:
    app = App("shop", redis="redis://nowhere.example:1/0", namespace="shop", partitions=4)
    before = app.settings

    with suppress(ZeroDivisionError), bound(app, beatline_server.url):
        app.send_task("t")
        inside = app.settings
        raise ZeroDivisionError

    assert before is app.settings
    assert "sender" not in vars(app)
    assert (beatline_server.url, 1) == (inside.redis, inside.partitions)
    assert inside.namespace.startswith("test-")


def test_bound_when_it_is_nested_then_each_has_its_own_jobs(
    beatline_server: PrivateServer,
) -> None:
    app = App("shop")

    with bound(app, beatline_server.url):
        app.send_task("outer")
        with bound(app, beatline_server.url):
            app.send_task("inner")
            inner = [job.task for job in app.jobs.list()]
        outer = [job.task for job in app.jobs.list()]

    assert (["outer"], ["inner"]) == (outer, inner)


def test_namespace_when_it_is_removed_then_keys_of_others_stay(
    beatline_server: PrivateServer,
) -> None:
    connection = HeldConnection(Endpoint(beatline_server.url))
    mine, other = fresh_namespace(), fresh_namespace()
    for namespace in (mine, other):
        with bound(App("shop"), beatline_server.url, namespace=namespace) as app:
            app.send_task("t")

    remove_namespace(connection, mine)

    keys = connection.call("KEYS", "*")
    assert not [key for key in keys if mine.encode() in key]
    assert [key for key in keys if other.encode() in key]
    remove_namespace(connection, other)
    connection.close()
