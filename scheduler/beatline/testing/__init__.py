"""
For users' tests: schedules and jobs on a real server, by a clock that the test moves.

`TimeMachine` runs schedule files through time and tells what fired; `ManualClock` moves the time
of all scripts, for tests that drive the client themselves; `PrivateServer` is a Redis for a test,
and `bound` points an app at one. Fixtures for pytest are in `beatline.testing.fixtures`. What for
and how: docs/testing.md. Nothing of Beatline imports this package.
"""

from beatline.ledger import Fate, Occurrence
from beatline.testing.binding import bound
from beatline.testing.manual_clock import ManualClock
from beatline.testing.private_server import PrivateServer
from beatline.testing.time_machine import Jobs, TimeMachine
from beatline.testing.worker_driver import FinishedJob

__all__ = [
    "Fate",
    "FinishedJob",
    "Jobs",
    "ManualClock",
    "Occurrence",
    "PrivateServer",
    "TimeMachine",
    "bound",
]
