"""
A schedule as a value: what fires, when, and what happens when that is not possible.

A schedule has two forms: `Schedule`, which the planner and beat work with, and its *definition*,
a dict of plain JSON types, which is stored in Redis and written from YAML. ``Schedule.of`` and
``Schedule.definition`` convert between them. Triggers are built by `beatline.triggers`; what the
fields mean stands in docs/schedules.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from beatline.triggers import Timetable, build_timetable


class Overlap(StrEnum):
    """What happens at a fire time while an earlier job of the schedule has not ended."""

    #: The occurrence is recorded as skipped, with the job that was in the way.
    SKIP = "skip"
    #: One occurrence waits for the end of the earlier job; further ones are skipped.
    BUFFER_ONE = "buffer_one"
    #: All occurrences wait, and run one after the other.
    BUFFER_ALL = "buffer_all"
    #: The earlier job is cancelled, and this one runs.
    CANCEL_RUNNING = "cancel_running"
    #: Jobs of the schedule run beside each other.
    ALLOW = "allow"


class CatchUp(StrEnum):
    """What becomes of fire times that passed while nobody fired them."""

    #: All are recorded as missed.
    NONE = "none"
    #: The newest one inside the window fires once, the others are recorded as missed.
    LATEST = "latest"
    #: Each one inside the window fires, oldest first, up to a maximum.
    ALL = "all"


#: Default of ``grace``, ms: a fire time this late still counts as on time.
GRACE_MS = 5_000
#: Default of ``catch_up_window`` for ``latest``, ms.
CATCH_UP_WINDOW_MS = 3_600_000
#: Default of ``max_catch_up``, occurrences.
MAX_CATCH_UP = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    A named rule that makes jobs: trigger, task, policies.

    Attributes:
        name: Unique within the namespace, at most 200 characters.
        task: Name of the task whose jobs it makes.
        timetable: The trigger with zone, start, end, jitter and exclusions.
        args, kwargs: What each job is called with.
        queue: Queue of the jobs; None takes the task's own.
        priority: 0 (lowest) to 9 (highest); None takes the task's own.
        overlap, catch_up: Policies, see `Overlap` and `CatchUp`.
        catch_up_window_ms: How far back catching up reaches.
        max_catch_up: At most so many occurrences are caught up at once by ``all``.
        grace_ms: A fire time that passed less than this ago fires as if on time.
        max_runs: The schedule ends after so many jobs; None never.
        paused: Declared at rest.
        options: Further options of each job: ``expires_ms``, ``time_limit_ms``,
            ``soft_time_limit_ms``, ``max_retries``, ``retry_backoff_ms``,
            ``retry_backoff_max_ms``, ``headers``.
        source: Who declared it, such as ``file:schedules/nightly.yaml`` or ``code``.
        expect_within_ms: Deadman: an alert is raised after so long without a success.
        pause_after_failures: Pause after so many failures in a row; None never.
        note: Free text for people.
    """

    name: str
    task: str
    timetable: Timetable
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int | None = None
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_window_ms: int = CATCH_UP_WINDOW_MS
    max_catch_up: int = MAX_CATCH_UP
    grace_ms: int = GRACE_MS
    max_runs: int | None = None
    paused: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    source: str = "code"
    expect_within_ms: int | None = None
    pause_after_failures: int | None = None
    note: str = ""

    @classmethod
    def of(cls, definition: dict[str, Any]) -> Schedule:
        """
        Rebuild a schedule from its definition.

        Raises:
            InvalidTrigger: The trigger's spec is not one that this version knows.
            KeyError, TypeError, ValueError: The definition is not one of ours.
        """
        fields = dict(definition)
        name = fields["name"]
        fields["timetable"] = build_timetable(fields.pop("trigger"), name=name)
        fields["args"] = tuple(fields.get("args", ()))
        fields["overlap"] = Overlap(fields.get("overlap", Overlap.SKIP))
        fields["catch_up"] = CatchUp(fields.get("catch_up", CatchUp.LATEST))
        return cls(**fields)

    def definition(self) -> dict[str, Any]:
        """The schedule as a dict of plain JSON types; fields at their default are left out."""
        plain: dict[str, Any] = {
            "name": self.name,
            "task": self.task,
            "trigger": self.timetable.spec(),
        }
        for key, default in _DEFAULTS.items():
            value = getattr(self, key)
            if value != default:
                plain[key] = value
        if self.args:
            plain["args"] = list(self.args)
        if self.kwargs:
            plain["kwargs"] = dict(self.kwargs)
        if self.options:
            plain["options"] = dict(self.options)
        plain["overlap"] = str(self.overlap)
        plain["catch_up"] = str(self.catch_up)
        return plain


#: Fields that a definition leaves out at these values.
_DEFAULTS: dict[str, Any] = {
    "queue": None,
    "priority": None,
    "catch_up_window_ms": CATCH_UP_WINDOW_MS,
    "max_catch_up": MAX_CATCH_UP,
    "grace_ms": GRACE_MS,
    "max_runs": None,
    "paused": False,
    "source": "code",
    "expect_within_ms": None,
    "pause_after_failures": None,
    "note": "",
}
