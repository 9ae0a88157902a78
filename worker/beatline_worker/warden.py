"""
The warden: acts on children by their rows. Interrupts, kills, asks to finish.

It decides nothing about Redis: who is given back or released is the supervisor's business.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping

from beatline.ids import id_text
from beatline_worker.lanes import (
    INTERRUPT_CANCELLED,
    INTERRUPT_HARD_LIMIT,
    INTERRUPT_LOST,
    INTERRUPT_SOFT_LIMIT,
)
from beatline_worker.limits import LAST_WORDS_MS, Action, Due, due_actions, resident_bytes
from beatline_worker.nursery import ChildState

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
            for due in due_actions(child, now_ns, lease_is_over=lease_is_over):
                if due.action is Action.GIVE_BACK:
                    overstaying.append(child)
                elif not child.verdict:
                    self._enforce(child, due)
        return overstaying

    def _enforce(self, child: ChildState, due: Due) -> None:
        if due.action is Action.INTERRUPT:
            self._interrupt(child, due.lane, due.fence, INTERRUPT_SOFT_LIMIT)
        elif due.action is Action.END:
            self._interrupt(child, due.lane, due.fence, INTERRUPT_HARD_LIMIT)
        elif due.action is Action.KILL:
            self._condemn(child, "time_limit", due.lane, due.fence)
        elif due.action is Action.DOOM:
            self._condemn(child, child.doomed[due.fence][1], due.lane, due.fence)
        elif due.action is Action.ISOLATE:
            self._condemn(child, "isolated", due.lane, due.fence)

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
            how: ``soft`` raises JobCancelled in a running body, ``hard`` kills its process; where
                others run in it, only if the body does not end by the exception.
            holder: (consumer, fence) of the child that holds it: it is told not to start it.
        """
        found = self._who_runs(raw_id)
        if found is None:
            self._forbid(holder)
            return
        child, lane, fence = found
        if how == "hard":
            self._end(child, lane, fence, "cancelled", INTERRUPT_CANCELLED)
        elif fence not in child.interrupted:
            self._interrupt(child, lane, fence, INTERRUPT_CANCELLED)

    def stop_stale_run(self, raw_id: bytes) -> None:
        """End a run whose delivery another worker owns by now."""
        found = self._who_runs(raw_id)
        if found is not None:
            self._end(*found, "struck", INTERRUPT_LOST)

    def find_strays(self, unlisted: Mapping[bytes, tuple[str, int]]) -> None:
        """
        Kill a child that Redis has given a job that never reached it (R10).

        Args:
            unlisted: id -> (consumer, fence) of what is held here and not running. A stray is
                beyond what the child knows, and was so at the comparison before.
        """
        for child in self._children.values():
            if child.row.asking and child.row.running():
                # It reads the answer after its job; if that is long, what lies there is given back.
                child.strays = {}
                continue
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
                self._condemn(child, "stray", 0, 0)

    def _forbid(self, holder: tuple[str, int] | None) -> None:
        if holder is None:
            return
        consumer, fence = holder
        for child in self._children.values():
            if child.consumer == consumer and fence not in child.row.cancelled_fences():
                child.row.note_cancelled(fence)

    def _who_runs(self, raw_id: bytes) -> tuple[ChildState, int, int] | None:
        """The child that runs a job, in which lane, under which fence."""
        for child in self._children.values():
            if child.verdict:
                continue
            for at, one in child.row.running():
                lane = child.row.lane(at)
                if lane.job_id == raw_id and lane.fence == one.fence:
                    return child, at, one.fence
        return None

    def _end(self, child: ChildState, lane: int, fence: int, verdict: str, kind: int) -> None:
        """Kill a run; where others run beside it, by its child's death only if it must be."""
        if child.row.lanes == 1:
            self._condemn(child, verdict, lane, fence)
        elif fence not in child.doomed:
            last_ns = time.monotonic_ns() + int(LAST_WORDS_MS * 1_000_000)
            child.doomed[fence] = (last_ns, verdict)
            self._interrupt(child, lane, fence, kind)

    def _interrupt(self, child: ChildState, lane: int, fence: int, kind: int) -> None:
        child.interrupted[fence] = kind
        child.row.lane(lane).ask(fence, kind)
        child.wake()

    def _condemn(self, child: ChildState, verdict: str, lane: int, fence: int) -> None:
        child.verdict, child.verdict_fence = verdict, fence
        meant = child.row.lane(lane)
        _log.warning(
            "child.killed pid=%d verdict=%s job=%s task=%s",
            child.pid,
            verdict,
            id_text(meant.job_id),
            meant.task,
        )
        child.kill()
