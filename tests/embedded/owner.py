"""Owns the embedded server of a folder, says so in one line of JSON, and waits for a signal."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from beatline.embedded import EmbeddedServer
from beatline.errors import BeatlineError


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with EmbeddedServer(Path(sys.argv[1])) as server:
            told = {"url": server.url, "pid": server.pid, "adopted": server.was_adopted}
            print(json.dumps(told), flush=True)
            server.wait_ended()
            return 9
    except KeyboardInterrupt:
        return 130
    except BeatlineError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
