"""Arguments that do not fit are told to the caller, not to a worker."""

from __future__ import annotations

from typing import Any

import pytest

from beatline import App, Task


def declare(app: App, source: str, **options: Any) -> Task[..., Any]:
    scope: dict[str, Any] = {}
    exec(f"def body({source}): ...", scope)
    declared: Any = app.task(name="body", **options)
    task: Task[..., Any] = declared(scope["body"])
    return task


@pytest.mark.parametrize(
    ("parameters", "args", "kwargs"),
    [
        ("", (), {}),
        ("a, b", (1, 2), {}),
        ("a, b", (1,), {"b": 2}),
        ("a, b=0", (1,), {}),
        ("a, /, b", (1,), {"b": 2}),
        ("*all", (1, 2, 3), {}),
        ("a, *all", (1, 2, 3), {}),
        ("a, *, b", (1,), {"b": 2}),
        ("a, *, b=0", (1,), {}),
        ("**named", (), {"x": 1}),
        ("a, *all, b=1, **named", (1, 2), {"b": 2, "c": 3}),
    ],
)
def test_delay_when_arguments_fit_then_sends(
    app: App, parameters: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    task = declare(app, parameters)

    task.delay(*args, **kwargs)

    assert 1 == app.queues.depth()


@pytest.mark.parametrize(
    ("parameters", "args", "kwargs"),
    [
        ("", (1,), {}),
        ("a, b", (1,), {}),
        ("a, b", (1, 2, 3), {}),
        ("a, b", (1, 2), {"b": 3}),
        ("a, b", (1,), {"c": 2}),
        ("a, /, b", (), {"a": 1, "b": 2}),
        ("a, *all", (), {}),
        ("a, *, b", (1,), {}),
        ("a, *, b", (1, 2), {}),
    ],
)
def test_delay_when_arguments_do_not_fit_then_raises_as_python_would(
    app: App, parameters: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    task = declare(app, parameters)

    with pytest.raises(TypeError, match="task body"):
        task.delay(*args, **kwargs)

    assert 0 == app.queues.depth()


def test_delay_when_task_is_bound_then_self_is_not_counted(app: App) -> None:
    task = declare(app, "self, a", bind=True)

    task.delay(1)

    with pytest.raises(TypeError):
        task.delay()


def test_task_when_bound_without_a_parameter_then_is_refused(app: App) -> None:
    with pytest.raises(TypeError, match="add `self`"):
        declare(app, "", bind=True)


def test_apply_many_when_one_call_does_not_fit_then_sends_none(app: App) -> None:
    task = declare(app, "a")

    with pytest.raises(TypeError):
        task.apply_many([(1,), (2, 3)])

    assert 0 == app.queues.depth()
