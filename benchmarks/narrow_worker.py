"""
A worker whose children take at most so many jobs at once: the long-task case, batch 1.

``python -m benchmarks.narrow_worker CHILDREN BATCH``. It is `sched worker` but for that number.
"""

from __future__ import annotations

import sys

from beatline.logs import set_up_logging
from beatline_worker.options import WorkerOptions
from beatline_worker.supervisor import Supervisor
from benchmarks import ours

if __name__ == "__main__":
    set_up_logging("info")
    children, batch = int(sys.argv[1]), int(sys.argv[2])
    options = WorkerOptions(app=ours.APP, concurrency=children, largest_batch=batch)
    sys.exit(Supervisor(options).run())
