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
import random
import signal
import threading
import time

from beatline import App
from beatline.errors import NotSent, RedisUnavailable, Uncertain
from tests.faults.journal import write

#: Share of jobs that fail once.
_STUMBLES = 0.05
#: Share of jobs that take much longer than the others, and how long, seconds.
_LONG, _LONG_S = 0.01, (0.15, 0.5)
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
        self._own_ids: bool = options.own_ids
        self._stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())

    def run(self) -> None:
        """Open loop: a call that takes long is followed by others until the rate is met again."""
        begun = time.monotonic()
        sent = 0
        while not self._stop.is_set() and time.monotonic() - begun < self._seconds:
            due = begun + sent / self._rate
            # After an outage the rate is not made up for: that would be another load.
            if time.monotonic() - due > 1.0:
                begun += time.monotonic() - due
            self._stop.wait(max(due - time.monotonic(), 0))
            self._send(f"{self._name}-{sent}")
            sent += 1

    def _send(self, key: str) -> None:
        task = "stumble" if self._random.random() < _STUMBLES else "work"
        is_later = self._random.random() < self._eta_share
        countdown = self._random.randint(50, 1000) / 1000 if is_later else None
        is_long = self._random.random() < _LONG
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
            self._stop.wait(0.05)

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
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="job")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shortest-ms", type=float, default=5.0)
    parser.add_argument("--longest-ms", type=float, default=20.0)
    parser.add_argument("--eta-share", type=float, default=0.15)
    parser.add_argument("--own-ids", action="store_true")
    Load(parser.parse_args()).run()


if __name__ == "__main__":
    main()
