"""
The churn: a client that does all that clients do, and notes what it was told.

As `tests.faults.load` it sends at a steady rate; what it sends is drawn: jobs for now, for later,
that fail, that are tried again, that take their process down, that lapse. Of what it has sent it
cancels, moves and hurries some, and it declares, pauses, triggers and removes schedules. Beside
the load's notes there are ``cancelled``: the answer was that the job will not start; and
``may-end``: nobody's promise, because it runs and was told to stop, may have lapsed, or fails.
"""

from __future__ import annotations

import argparse
import random
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from beatline import AlreadyRunning, App, Cancelled
from beatline.errors import RedisUnavailable
from tests.faults.journal import write

#: Jobs that may still be cancelled, moved or hurried.
_REMEMBERED = 200
#: Schedules that come and go, beside those of the scenario's file.
_PASSING_SCHEDULES = 5


class _Sent(NamedTuple):
    """A job that was sent: the suite's name of it, and its id."""

    key: str
    id: str
    is_rough: bool


class Churn:
    """
    Draws one thing to do after the other.

    Args:
        name: Its jobs' keys begin so.
        rate: Things done each second.
        seed: What is drawn from.
        coroutine_share: Of the jobs for now, how many are coroutines.
    """

    def __init__(self, name: str, rate: float, seed: int, coroutine_share: float = 0.0) -> None:
        self._app = App("churn")
        self._name, self._rate = name, rate
        self._coroutine_share = coroutine_share
        self._random = random.Random(seed)
        self._sent = 0
        self._recent: deque[_Sent] = deque(maxlen=_REMEMBERED)
        self._is_over = False
        signal.signal(signal.SIGTERM, self._note_end)
        deeds: dict[Callable[[], None], int] = {
            self._send_now: 50,
            self._send_later: 20,
            self._send_failing: 5,
            self._send_stumbling: 5,
            self._send_lapsing: 2,
            self._send_under_own_id: 1,
            self._send_crashing: 1,
            self._cancel: 6,
            self._move: 5,
            self._hurry: 3,
            self._churn_schedule: 1,
        }
        self._deeds, self._weights = list(deeds), list(deeds.values())

    def run(self) -> None:
        """One deed after the other, at the rate; what an outage delays is not made up for."""
        due = time.monotonic()
        while not self._is_over:
            time.sleep(max(due - time.monotonic(), 0))
            due = max(due + 1 / self._rate, time.monotonic() - 1)
            (deed,) = self._random.choices(self._deeds, self._weights)
            deed()

    def _note_end(self, *_: object) -> None:
        self._is_over = True

    # --- sending --------------------------------------------------------------------------------

    def _send_now(self) -> None:
        task = "awork" if self._random.random() < self._coroutine_share else "work"
        self._send(task, self._random.uniform(0, 0.01), ignore_result=self._random.random() < 0.7)

    def _send_later(self) -> None:
        queue = "rough" if self._random.random() < 0.2 else None
        after_s = self._random.uniform(0.05, 4)
        self._send("work", 0.0, countdown=after_s, queue=queue, is_kept=True)

    def _send_failing(self) -> None:
        self._send("fail", 0.0, outcome="may-end")

    def _send_stumbling(self) -> None:
        self._send("stumble", 0.0, is_kept=True)

    def _send_lapsing(self) -> None:
        self._send("work", 0.0, countdown=0.2, expires=0.21, outcome="may-end")

    def _send_under_own_id(self) -> None:
        self._send("work", 0.0, task_id=f"own-{self._name}-{self._sent}")

    def _send_crashing(self) -> None:
        self._send("crash", 0.0, queue="rough")

    def _send(
        self,
        task: str,
        seconds: float,
        *,
        outcome: str = "",
        is_kept: bool = False,
        **options: Any,
    ) -> None:
        key = f"{self._name}-{self._sent}"
        self._sent += 1
        result = self._app.send_task(task, (key, round(seconds, 4)), **options)
        write("acked", key)
        if outcome:
            write(outcome, key)
        if is_kept:
            self._recent.append(_Sent(key, result.id, options.get("queue") == "rough"))

    # --- what was sent --------------------------------------------------------------------------

    def _drawn(self) -> _Sent | None:
        if not self._recent:
            return None
        at = self._random.randrange(len(self._recent))
        found = self._recent[at]
        del self._recent[at]
        return found

    def _cancel(self) -> None:
        found = self._drawn()
        if found is None:
            return
        # To terminate a running job is to kill its process: that is left to the rough worker's.
        answer = self._app.jobs.cancel(found.id, terminate=found.is_rough)
        if isinstance(answer, Cancelled):
            write("cancelled", found.key)
        elif isinstance(answer, AlreadyRunning):
            write("may-end", found.key)

    def _move(self) -> None:
        found = self._drawn()
        if found is not None:
            self._app.jobs.reschedule(found.id, countdown=self._random.uniform(0.05, 3))
            self._recent.append(found)

    def _hurry(self) -> None:
        found = self._drawn()
        if found is not None:
            self._app.jobs.run_now(found.id)

    def _churn_schedule(self) -> None:
        schedules = self._app.schedules
        name = f"passing{self._random.randrange(_PASSING_SCHEDULES)}"
        if schedules.get(name) is None:
            schedules.put(name, "tick", args=[name], every="1s", overlap="skip")
            return
        act = self._random.choice(("pause", "resume", "trigger", "remove"))
        getattr(schedules, act)(name)


def main() -> None:
    """Read the options and churn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="churn")
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--coroutine-share", type=float, default=0.0)
    options = parser.parse_args()
    try:
        Churn(options.name, options.rate, options.seed, options.coroutine_share).run()
    except RedisUnavailable as error:
        raise SystemExit(f"Redis is not to be disturbed in a soak: {error}") from error


if __name__ == "__main__":
    main()
