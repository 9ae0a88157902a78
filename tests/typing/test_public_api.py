"""
What type checkers make of the public API.

mypy and pyright check this file: `assert_type` fails where they see something else, and each
``type: ignore`` fails where they find nothing wrong. Nothing is run but the import.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from beatline import (
    AlreadyDone,
    AlreadyRunning,
    App,
    AsyncResult,
    Cancelled,
    JobRequest,
    JobState,
    Rescheduled,
    Task,
    Unknown,
    current_job,
)


class WithModel(Task):
    """A subclass needs no type arguments."""

    def __init__(self) -> None:
        self.model = "model"


def tasks(app: App) -> None:
    @app.task
    def add(left: int, right: int = 0) -> int:
        return left + right

    @app.task(queue="mail", autoretry_for=(OSError,), retry_backoff=True, time_limit="5m")
    def send(to: str, *, subject: str) -> None: ...

    @app.task(bind=True, max_retries=None)
    def fetch(self: Task[..., Any], url: str) -> bytes:
        assert_type(self.request, JobRequest)
        if not url:
            raise self.retry(countdown=5)
        return url.encode()

    @app.task(base=WithModel, bind=True)
    def predict(self: WithModel, text: str) -> str:
        return self.model + text

    assert_type(add(1, 2), int)
    assert_type(add.delay(1), AsyncResult[int])
    assert_type(add.delay(1).get(timeout=timedelta(seconds=1)), int)
    assert_type(send.delay("you", subject="hello"), AsyncResult[None])
    assert_type(fetch.delay("http://x"), AsyncResult[bytes])
    assert_type(fetch("http://x"), bytes)
    assert_type(predict.delay("x").get(), str)
    assert_type(add.apply_many([(1, 2), (3,)], countdown=5), list[AsyncResult[int]])

    add.delay("one")  # type: ignore[arg-type]
    add.delay(1, 2, 3)  # type: ignore[call-arg]
    send.delay("you", topic="hello")  # type: ignore[call-arg]
    fetch.delay()  # type: ignore[call-arg]


def options(app: App) -> None:
    @app.task
    def add(left: int) -> int:
        return left

    add.apply_async(
        (1,),
        {"right": 2},
        countdown="5m",
        expires=timedelta(hours=1),
        queue="mail",
        priority=9,
        task_id="mine",
        headers={"trace": "x"},
        tags=["eu"],
        ignore_result=False,
        durability="replica",
    )
    add.apply_async(eta=datetime(2030, 1, 1, tzinfo=UTC))
    add.apply_async((1,), countdwon=5)  # type: ignore[call-arg]
    add.apply_async((1,), durability="forever")  # type: ignore[arg-type]
    app.task(queeu="mail")  # type: ignore[call-overload]
    app.task(priority="high")  # type: ignore[call-overload]


def results(app: App) -> None:
    result = app.send_task("elsewhere", (1,), {"a": 2}, countdown=1)
    assert_type(result, AsyncResult[Any])
    assert_type(app.result("x"), AsyncResult[Any])
    assert_type(result.state, JobState)
    assert_type(result.id, str)
    assert_type(result.ready(), bool)
    assert_type(result.traceback, str | None)

    match app.jobs.cancel("x"):
        case Cancelled(id=job_id):
            assert_type(job_id, str)
        case AlreadyRunning(worker=worker):
            assert_type(worker, str)
        case AlreadyDone(state=state):
            assert_type(state, JobState)
        case answer:
            assert_type(answer, Unknown)

    moved = app.jobs.run_now("x")
    if moved:
        assert_type(moved, Rescheduled)
    assert_type(app.queues.depth(), int)
    assert_type([view.state for view in app.jobs.list(state="DEAD")], list[JobState])


async def awaited(app: App) -> None:
    @app.task
    def add(left: int, right: int = 0) -> int:
        return left + right

    assert_type(await add.adelay(1), AsyncResult[int])
    assert_type(await (await add.adelay(1, 2)).aget(timeout="5s"), int)
    assert_type(await add.aapply_async((1,), countdown="5m"), AsyncResult[int])
    assert_type(await add.aapply_many([(1, 2), (3,)], queue="mail"), list[AsyncResult[int]])
    result = await app.asend_task("elsewhere", (1,), {"a": 2}, countdown=1)
    assert_type(result, AsyncResult[Any])
    assert_type(await result.astate(), JobState)
    assert_type(await result.aready(), bool)
    answer = await result.acancel()
    assert_type(answer, Cancelled | AlreadyRunning | AlreadyDone | Unknown)
    await app.aclose()

    await add.adelay("one")  # type: ignore[arg-type]
    await add.adelay(1, 2, 3)  # type: ignore[call-arg]
    await add.aapply_async((1,), countdwon=5)  # type: ignore[call-arg]


def inside() -> None:
    job = current_job()
    if job is not None:
        assert_type(job.scheduled_for, datetime | None)
        assert_type((job.id, job.fence, job.delivery, job.retries), tuple[str, int, int, int])


def test_public_api_when_checked_then_file_was_read() -> None:
    assert all(callable(case) for case in (tasks, options, results, awaited, inside))
