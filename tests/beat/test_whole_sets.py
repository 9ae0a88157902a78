"""A set of schedules is seen whole: the one before or the one after, never a mixture."""

from __future__ import annotations

import threading

from beatline.declared import DeclaredSet
from beatline.schedule import Schedule
from beatline.wire.connection import HeldConnection
from tests.beat.stage import Stage, every

COUNT = 300


def _set(letter: str) -> list[Schedule]:
    return [every(f"{letter}-{number}", "1h") for number in range(COUNT)]


def test_set_when_it_is_exchanged_then_others_see_the_old_or_the_new_one(stage: Stage) -> None:
    seen: set[tuple[str, ...]] = set()
    is_over = threading.Event()
    sets = {letter: DeclaredSet.of(_set(letter)) for letter in "ab"}
    sets["a"].apply(stage.books)

    def observe() -> None:
        connection = HeldConnection(stage.connection.endpoint)
        while not is_over.is_set():
            names = connection.call("HKEYS", stage.prefix + b"schedules")
            due = connection.call("ZRANGE", stage.prefix + b"timeline", 0, -1)
            for found in (names, [member[1:] for member in due]):
                letters = sorted({name[:1].decode() for name in found})
                seen.add((*letters, str(len(found))))
        connection.close()

    observer = threading.Thread(target=observe)
    observer.start()
    try:
        for letter in "babababa":
            assert {} == sets[letter].apply(stage.books).refused
    finally:
        is_over.set()
        observer.join()

    assert {("a", str(COUNT)), ("b", str(COUNT))} == seen
