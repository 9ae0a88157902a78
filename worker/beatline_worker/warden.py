"""
The warden: acts on children by their rows. Interrupts, kills, asks to finish.

It decides nothing about Redis: who is given back or released is the supervisor's business.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from beatline.ids import id_text
from beatline_worker.limits import Action, due_action, resident_bytes
from beatline_worker.nursery import ChildState
from beatline_worker.table import INTERRUPT_CANCELLED, INTERRUPT_SOFT_LIMIT

_log = logging.getLogger("beatline.worker.warden")


class Warden:
    """
    Watches over the children of one worker.

    Args:
        children: The nursery's children, by slot; shared, and changed by it.
    """

    def __init__(self, children: dict[int, ChildState]) -> None:
        self._children = children

    def enforce_limits(self, now_ns: int, *, lease_is_over: bool) -> list[ChildState]:
        """Interrupt and kill what is over its limits; the children that should give back."""
        overstaying: list[ChildState] = []
        for child in self._children.values():
            action = due_action(child, now_ns, lease_is_over=lease_is_over)
            if action is Action.INTERRUPT:
                self._interrupt(child, child.row.current, INTERRUPT_SOFT_LIMIT)
            elif action is Action.KILL:
                self._condemn(child, "time_limit", child.row.current)
            elif action is Action.ISOLATE:
                self._condemn(child, "isolated", child.row.current)
            elif action is Action.GIVE_BACK:
                overstaying.append(child)
        return overstaying

    def stop_all(self) -> None:
        """Ask every child to finish its job and exit."""
        for child in self._children.values():
            child.row.stop = 1
            child.wake()

    def kill_all(self, verdict: str) -> None:
        """Kill every child."""
        for child in list(self._children.values()):
            if child.pid:
                child.verdict = child.verdict or verdict
                child.kill()

    def recycle_larger_than(self, size: int) -> None:
        """Replace children that have grown beyond ``size`` bytes, after the job they run."""
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        for child in self._children.values():
            if not child.pid or child.row.stop:
                continue
            resident = resident_bytes(child.pid, page_bytes)
            if resident > size:
                _log.info("child.recycled pid=%d resident_bytes=%d", child.pid, resident)
                child.row.stop = 1
                child.wake()

    def cancel(self, raw_id: bytes, how: str, holder: tuple[str, int] | None) -> None:
        """
        Stop a job that was cancelled while a child of ours holds it.

        Args:
            raw_id: The job.
            how: ``soft`` raises JobCancelled in a running body, ``hard`` kills its process.
            holder: (consumer, fence) of the child that holds it: it is told not to start it.
        """
        child = self._who_runs(raw_id)
        if child is None:
            self._forbid(holder)
            return
        fence = child.row.current
        if how == "hard":
            self._condemn(child, "cancelled", fence)
        elif child.interrupted != fence:
            self._interrupt(child, fence, INTERRUPT_CANCELLED)

    def stop_stale_run(self, raw_id: bytes) -> None:
        """Kill a run whose delivery another worker owns by now."""
        child = self._who_runs(raw_id)
        if child is not None:
            self._condemn(child, "struck", child.row.current)

    def find_strays(self, unlisted: Mapping[bytes, tuple[str, int]]) -> None:
        """
        Kill a child that Redis has given a job that never reached it (R10).

        Args:
            unlisted: id -> (consumer, fence) of what is held here and not running. A stray is
                beyond what the child knows, and was so at the comparison before.
        """
        for child in self._children.values():
            known = child.row.known
            strays = {
                raw_id: fence
                for raw_id, (consumer, fence) in unlisted.items()
                if consumer == child.consumer and fence > known
            }
            seen_before = [
                raw_id for raw_id in strays if child.strays.get(raw_id) == strays[raw_id]
            ]
            child.strays = strays
            if seen_before and child.pid and not child.verdict:
                self._condemn(child, "stray", 0)

    def _forbid(self, holder: tuple[str, int] | None) -> None:
        if holder is None:
            return
        consumer, fence = holder
        for child in self._children.values():
            if child.consumer == consumer and fence not in child.row.cancelled_fences():
                child.row.note_cancelled(fence)

    def _who_runs(self, raw_id: bytes) -> ChildState | None:
        for child in self._children.values():
            fence = child.row.current
            if fence and not child.verdict and child.row.job_id == raw_id:
                return child if child.row.current == fence else None
        return None

    def _interrupt(self, child: ChildState, fence: int, kind: int) -> None:
        child.interrupted = fence
        child.row.interrupt_kind = kind
        child.row.interrupt = fence
        child.wake()

    def _condemn(self, child: ChildState, verdict: str, fence: int) -> None:
        child.verdict, child.verdict_fence = verdict, fence
        _log.warning(
            "child.killed pid=%d verdict=%s job=%s task=%s",
            child.pid,
            verdict,
            id_text(child.row.job_id),
            child.row.task,
        )
        child.kill()
