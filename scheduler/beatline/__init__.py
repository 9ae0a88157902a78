"""
Cron, interval and one-off jobs on Redis that run once, on time, however long they take.

::

    from beatline import App

    app = App("shop")

    @app.task(queue="mail", max_retries=5)
    def send_welcome(user_id: int) -> None: ...

    send_welcome.delay(42)

What stands here is imported when it is first asked for: ``import beatline`` alone loads neither
redis nor msgspec, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beatline.version import __version__

if TYPE_CHECKING:
    from beatline.answers import AlreadyDone, AlreadyRunning, Cancelled, Rescheduled, Unknown
    from beatline.app import App
    from beatline.request import JobRequest, current_job
    from beatline.result import AsyncResult
    from beatline.states import JobState
    from beatline.task import Task

__all__ = [
    "AlreadyDone",
    "AlreadyRunning",
    "App",
    "AsyncResult",
    "Cancelled",
    "JobRequest",
    "JobState",
    "Rescheduled",
    "Task",
    "Unknown",
    "__version__",
    "current_job",
]

#: Name -> the module that it lives in.
_HOMES = {
    "AlreadyDone": "beatline.answers",
    "AlreadyRunning": "beatline.answers",
    "App": "beatline.app",
    "AsyncResult": "beatline.result",
    "Cancelled": "beatline.answers",
    "JobRequest": "beatline.request",
    "JobState": "beatline.states",
    "Rescheduled": "beatline.answers",
    "Task": "beatline.task",
    "Unknown": "beatline.answers",
    "current_job": "beatline.request",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
