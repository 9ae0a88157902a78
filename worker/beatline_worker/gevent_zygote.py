"""
The zygote of the gevent pool: everything is patched before anything else is imported.

Started as `beatline_worker.zygote` is. From here on the interpreter's threads are greenlets, in
the app's code as in ours.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run a zygote whose children run greenlets."""
    import gevent
    from gevent import monkey

    # The zygote hears of its children's ends by SIGCHLD, as the interpreter delivers it.
    monkey.patch_all(signal=False)
    from beatline_worker.zygote import Calls
    from beatline_worker.zygote import main as serve

    fork, select = monkey.get_original("os", "fork"), monkey.get_original("select", "select")
    return serve(Calls(fork, select, gevent.reinit))


if __name__ == "__main__":
    sys.exit(main())
