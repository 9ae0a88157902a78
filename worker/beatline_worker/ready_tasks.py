"""
Tasks as one child runs them: what of a task is the same for each of its jobs, looked up once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from beatline.app import App
from beatline.task import Task
from beatline_worker.lanes import FLAG_ISOLATED, FLAG_UNSURE

#: Hooks that are called around a run that succeeds.
_HOOKS: Final = ("before_start", "on_success", "after_return")


@dataclass(frozen=True, slots=True)
class ReadyTask:
    """
    One task of this child.

    Attributes:
        task: Its instance; a subclass's ``__init__`` has run in this process.
        body: What is called with a job's arguments.
        soft_ms, hard_ms: Time limits of jobs that name none of their own; 0 none.
        is_unsure: Whether nobody may run a job again once its body has begun.
        flags: What the supervisor has to know of it: FLAG_*.
        hooks: Those of `_HOOKS` that the task's class has made its own.
        refusal: What the ``__init__`` raised; None where all is well. It is tried again then.
    """

    task: Task[Any, Any]
    body: Callable[..., Any]
    soft_ms: int
    hard_ms: int
    is_unsure: bool
    flags: int
    hooks: frozenset[str]
    refusal: BaseException | None = None


class ReadyTasks:
    """
    The tasks of this child, each made ready when its first job arrives.

    Args:
        app: The loaded app.
        soft_ms, hard_ms: Time limits of tasks that say none; 0 none.
    """

    def __init__(self, app: App, *, soft_ms: int, hard_ms: int) -> None:
        self._app = app
        self._soft_ms = soft_ms
        self._hard_ms = hard_ms
        self._ready: dict[Task[Any, Any], ReadyTask] = {}

    def find(self, name: str) -> ReadyTask | None:
        """The task of that name; None where the app registers none."""
        task = self._app.tasks.get(name)
        if task is None:
            return None
        return self._ready.get(task) or self._make_ready(task)

    def _make_ready(self, task: Task[Any, Any]) -> ReadyTask:
        body, refusal = task.run, None
        try:
            body = task.body()
        # The class is the user's: whatever it raises ends the job that came first.
        except BaseException as error:  # noqa: BLE001
            refusal = error
        options = task.options
        is_unsure = options.on_unsure == "skip"
        isolated = FLAG_ISOLATED if options.isolation == "kill" else 0
        kind = type(task)
        ready = ReadyTask(
            task,
            body,
            options.soft_time_limit_ms or self._soft_ms,
            options.time_limit_ms or self._hard_ms,
            is_unsure,
            isolated | (FLAG_UNSURE if is_unsure else 0),
            frozenset(name for name in _HOOKS if getattr(kind, name) is not getattr(Task, name)),
            refusal,
        )
        if refusal is None:
            self._ready[task] = ready
        return ready
