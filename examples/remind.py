"""
Send one reminder for later: ``python examples/remind.py --in 20 "the tea is ready"``.

The job waits in Redis, not in this process: it may be stopped and started meanwhile.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from app import remind  # type: ignore[import-not-found]  # beside this file


def main() -> None:
    """Send the job, and say when it is due and under which id it can be found."""
    parser = argparse.ArgumentParser(description="Send one reminder for later.")
    parser.add_argument("text", help="what to be reminded of")
    parser.add_argument("--in", dest="seconds", type=float, default=20.0, help="seconds from now")
    given = parser.parse_args()
    eta = datetime.now(UTC) + timedelta(seconds=given.seconds)
    result = remind.apply_async((given.text,), eta=eta)
    print(
        f"{result.id} is due at {eta:%H:%M:%S} UTC; cancel it with: sched jobs cancel {result.id}"
    )


if __name__ == "__main__":
    main()
