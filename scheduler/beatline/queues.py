"""``app.queues``: which queues there are, and how long they are, in all partitions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from beatline.settings import check_queue
from beatline.store import reading
from beatline.store.views import QueueDepth

if TYPE_CHECKING:
    from beatline.app import App


class Queues:
    """
    The queues of an app.

    Args:
        app: Whose queues.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def depth(self, name: str | None = None) -> int:
        """
        How many jobs have not ended: ready, scheduled and held together.

        Args:
            name: Of this queue only, which reads the timeline in pages; None counts all queues in
                two steps, however many jobs there are.
        """
        if name is None:
            sender = self._app.sender()
            return sum(
                sender.ask(partial(reading.live_count, prefix=prefix)) for prefix in sender.prefixes
            )
        check_queue(name)
        return sum(depth.depth for depth in self.depths() if depth.name == name)

    def depths(self) -> list[QueueDepth]:
        """How many jobs of each queue are ready, scheduled and held, by name."""
        sender = self._app.sender()
        total: dict[str, QueueDepth] = {}
        for prefix in sender.prefixes:
            for one in sender.ask(partial(reading.queue_depths, prefix=prefix)):
                known = total.get(one.name, QueueDepth(one.name))
                total[one.name] = QueueDepth(
                    one.name,
                    known.is_paused or one.is_paused,
                    tuple(sorted({*known.priorities, *one.priorities}, reverse=True)),
                    known.ready + one.ready,
                    known.scheduled + one.scheduled,
                    known.held + one.held,
                )
        return [total[name] for name in sorted(total)]

    def names(self) -> list[str]:
        """Queues that were ever used here, by name."""
        sender = self._app.sender()
        found: set[str] = set()
        for prefix in sender.prefixes:
            found.update(sender.ask(partial(reading.queues, prefix=prefix)))
        return sorted(found)
