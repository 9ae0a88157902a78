"""The health of a worker, from what its supervisor knows."""

from __future__ import annotations

from collections.abc import Sequence

from beatline.health import Health
from beatline_worker.nursery import ChildState


def health_of(
    children: Sequence[ChildState],
    *,
    worker: str,
    age_ms: int,
    lease_ms: int,
    give_up_ms: int,
    stopping: bool,
) -> Health:
    """
    Whether a worker makes progress, and takes work.

    Args:
        children: Its children.
        worker: Its id; empty before it has one.
        age_ms: Age of the last renewal that was answered, or of the worker itself.
        lease_ms: Length of its lease; 0 before it has one.
        give_up_ms: After so long without Redis it ends; 0 never.
        stopping: Whether it takes no new jobs.
    """
    ready = sum(1 for child in children if child.row.ready)
    return Health(
        live=not give_up_ms or age_ms < give_up_ms,
        ready=ready > 0 and not stopping and age_ms < lease_ms,
        age_ms=age_ms,
        detail={
            "worker": worker,
            "children": len(children),
            "children_ready": ready,
            "running": sum(len(child.row.running()) for child in children),
            "finished": sum(child.row.finished for child in children),
        },
    )
