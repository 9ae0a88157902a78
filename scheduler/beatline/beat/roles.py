"""The roles of one partition, and how they are put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from beatline.beat.deadman import Deadman
from beatline.beat.firer import Firer
from beatline.beat.known_schedules import KnownSchedules
from beatline.beat.leadership import Leadership
from beatline.beat.planning import Absences
from beatline.beat.promoter import Promoter
from beatline.beat.server_clock import ServerClock
from beatline.beat.statistics import Statistics
from beatline.beat.sweeper import Sweeper
from beatline.beat.watcher import Watcher
from beatline.keys import prefix
from beatline.occurrence_jobs import RegisteredTask
from beatline.settings import Settings
from beatline.wire.connection import HeldConnection


class Roles(NamedTuple):
    """The roles of one partition, and what they share."""

    watcher: Watcher
    leadership: Leadership
    promoter: Promoter
    firer: Firer
    sweeper: Sweeper
    deadman: Deadman
    known: KnownSchedules
    absences: Absences
    clock: ServerClock


@dataclass(frozen=True, slots=True)
class Cast:
    """
    What all partitions of one beat have in common.

    Attributes:
        connection: Beat's working connection.
        settings: The app's.
        tasks: Registered tasks by name; empty where the app is not known.
        beat: Id of this beat.
        about: What others may want to know of it.
        statistics: Shared by all roles.
        monotonic: The process's own clock, seconds.
    """

    connection: HeldConnection
    settings: Settings
    tasks: Mapping[str, RegisteredTask]
    beat: str
    about: Mapping[str, str]
    statistics: Statistics
    monotonic: Callable[[], float] = time.monotonic

    def roles(self, partition: int) -> Roles:
        """The roles of one partition, new."""
        settings, connection, statistics = self.settings, self.connection, self.statistics
        where = prefix(settings.namespace, partition)
        clock = ServerClock(self.monotonic)
        absences = Absences()
        known = KnownSchedules(
            connection,
            where,
            partition=partition,
            settings=settings,
            tasks=self.tasks,
            statistics=statistics,
        )
        return Roles(
            watcher=Watcher(
                connection,
                where,
                max_deliveries=settings.max_deliveries,
                result_ttl_ms=settings.result_ttl_ms,
                statistics=statistics,
                monotonic=self.monotonic,
            ),
            leadership=Leadership(connection, where, self.beat, self.about, self.monotonic),
            promoter=Promoter(connection, where, clock=clock, statistics=statistics),
            firer=Firer(
                connection,
                where,
                known=known,
                absences=absences,
                clock=clock,
                statistics=statistics,
                monotonic=self.monotonic,
            ),
            sweeper=Sweeper(
                connection,
                where,
                result_ttl_ms=settings.result_ttl_ms,
                statistics=statistics,
                monotonic=self.monotonic,
            ),
            deadman=Deadman(connection, where, statistics=statistics, monotonic=self.monotonic),
            known=known,
            absences=absences,
            clock=clock,
        )
