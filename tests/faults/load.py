"""
The load: a client process that sends jobs at a steady rate and notes what it was told.

What it notes is what the checker holds the system to. ``acked``: the call returned, so the job has
to be completed once. ``refused``: an error that promises that nothing was sent, so it must never
run. ``unsure``: nobody knows; it may have been completed once or not at all. An `Uncertain` call
is repeated, as its remedy says, until it is answered. ``planned`` comes before a call with a
countdown: it must not start earlier.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import signal
import time

from beatline import App
from beatline.errors import NotSent, RedisUnavailable, Uncertain
from tests.faults.journal import write

#: Share of jobs that fail once.
_STUMBLES = 0.05
#: How long jobs take that take much longer than the others, seconds.
_LONG_S = (0.15, 0.5)
#: How long an unsure call is repeated, seconds.
_PATIENCE_S = 60.0


class Load:
    """
    Sends until it is told to stop.

    Args:
        options: What the command line says.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._app = App("load")
        self._name: str = options.name
        self._rate: float = options.rate
        self._seconds: float = options.seconds
        self._random = random.Random(options.seed)
        self._range_s = (options.shortest_ms / 1000, options.longest_ms / 1000)
        self._eta_share: float = options.eta_share
        self._long_share: float = options.long_share
        self._coroutine_share: float = options.coroutine_share
        self._own_ids: bool = options.own_ids
        # No Event: to set one in a handler, while its own thread waits for it, may deadlock.
        self._is_over = False
        signal.signal(signal.SIGTERM, self._note_end)

    def run(self) -> None:
        """Open loop: a call that takes long is followed by others until the rate is met again."""
        begun = time.monotonic()
        sent = 0
        while not self._is_over and time.monotonic() - begun < self._seconds:
            due = begun + sent / self._rate
            # After an outage the rate is not made up for: that would be another load.
            if time.monotonic() - due > 1.0:
                begun += time.monotonic() - due
            time.sleep(max(due - time.monotonic(), 0))
            self._send(f"{self._name}-{sent}")
            sent += 1

    def _note_end(self, *_: object) -> None:
        self._is_over = True

    def _task(self) -> str:
        if self._random.random() < _STUMBLES:
            return "stumble"
        return "awork" if self._random.random() < self._coroutine_share else "work"

    def _send(self, key: str) -> None:
        task = self._task()
        is_later = self._random.random() < self._eta_share
        countdown = self._random.randint(50, 1000) / 1000 if is_later else None
        is_long = self._random.random() < self._long_share
        length_s = round(self._random.uniform(*(_LONG_S if is_long else self._range_s)), 4)
        if countdown:
            write("planned", key, round(countdown * 1000))
        begun = time.monotonic_ns()
        own_id = key if self._own_ids else None
        lost = None
        try:
            self._app.send_task(
                task, (key, length_s), countdown=countdown, ignore_result=True, task_id=own_id
            )
            what = "acked"
        except NotSent:
            what = "refused"
        except Uncertain as error:
            what, lost = "uncertain", error
        write(what, key, (time.monotonic_ns() - begun) // 1000)
        if lost is not None:
            write(self._repeat(lost), key)
        if what == "refused":
            time.sleep(0.05)

    def _repeat(self, lost: Uncertain) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            assert lost.repeat is not None
            try:
                lost.repeat()
            except Uncertain as again:
                lost = again
            except RedisUnavailable:
                time.sleep(0.05)
            else:
                return "acked"
        return "unsure"


def main() -> None:
    """Read the options and send."""
    # A client that hangs is asked where.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="job")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shortest-ms", type=float, default=5.0)
    parser.add_argument("--longest-ms", type=float, default=20.0)
    parser.add_argument("--eta-share", type=float, default=0.15)
    parser.add_argument("--long-share", type=float, default=0.01)
    parser.add_argument("--coroutine-share", type=float, default=0.0)
    parser.add_argument("--own-ids", action="store_true")
    Load(parser.parse_args()).run()


if __name__ == "__main__":
    main()
