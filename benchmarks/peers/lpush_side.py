"""The floor: redis-py's LPUSH of as many bytes as a job of ours has."""

from __future__ import annotations

import redis

from benchmarks.peers.side import URL, Side, run

#: A record of the no-op job takes about as many bytes.
PAYLOAD = b"x" * 32

client = redis.Redis.from_url(URL)

SIDE = Side(send=lambda _number: client.lpush("floor", PAYLOAD), worker=lambda _arguments: None)

if __name__ == "__main__":
    run(SIDE)
