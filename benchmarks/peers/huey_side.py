# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""Huey on Redis: threads (default) or processes (tuned). It acknowledges nothing."""

from __future__ import annotations

from huey import RedisHuey

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

STORED = bool(SETTINGS.get("stored"))
huey = RedisHuey("bench", url=URL, results=STORED, utc=True)


@huey.task(name="mark")
def mark(number: int) -> int | None:
    stamp(number)
    return number if STORED else None


@huey.task(name="mail")
def mail(number: int, address: str) -> None: ...


def worker(arguments: list[str]) -> None:
    become("huey_consumer", "benchmarks.peers.huey_side.huey", "-q", "-w", arguments[0],
           "-k", SETTINGS.get("kind", "thread"), *SETTINGS.get("worker", []))  # fmt: skip


SIDE = Side(
    send=mark,
    send_mail=lambda: mail(*MAIL_ARGUMENTS),
    send_at=lambda number, due: mark.schedule((number,), eta=due),
    send_mail_at=lambda due: mail.schedule(MAIL_ARGUMENTS, eta=due),
    worker=worker,
)

if __name__ == "__main__":
    from benchmarks.peers.huey_side import SIDE as IMPORTED

    run(IMPORTED)
