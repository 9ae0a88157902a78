"""
The cells that no Redis peer shares in the same form: schedules, promotion, what a call costs.

Client and store are called in this very process, on the comparison's own server.
"""

from __future__ import annotations

from typing import Any

from beatline.wire.connection import Endpoint, HeldConnection
from benchmarks import growth, ours
from benchmarks.cells import SENDING_AND_RUNNING, Cell, Lab, Outcome
from benchmarks.client_calls import async_client_cpu, client_cpu
from benchmarks.main_job import Bench
from benchmarks.many_schedules import Load, observe
from benchmarks.roster import Contender
from benchmarks.stamps import StampReader
from benchmarks.statistics_of import median, percentile

#: Entries of the timeline at which a promotion is timed.
SIZES = (10_000, 100_000, 1_000_000)

_OURS = frozenset({"Beatline"})
_FIRING = frozenset({"Beatline", "APScheduler", "Celery", "BullMQ"})
_FIRING_COLUMNS = (
    ("p50", "p50"),
    ("cpu_s", "CPU of what fires, s"),
    ("fired", "fired"),
    ("expected", "expected"),
    ("skipped", "skipped"),
)


def _thousand(lab: Lab, contender: Contender) -> Outcome:
    return _fired(lab, contender, Load(lab.count(1_000, 50), 1, _window_s(lab, 60)))


def _thousand_spread(lab: Lab, contender: Contender) -> Outcome:
    return _fired(lab, contender, Load(lab.count(1_000, 50), 1, _window_s(lab, 60)), spread=True)


def _ten_thousand(lab: Lab, contender: Contender) -> Outcome:
    # Intervals of 10 to 100 s: those up to 30 s fire twice in the window.
    return _fired(lab, contender, Load(lab.count(10_000, 500), 10, _window_s(lab, 40)))


def _ten_thousand_spread(lab: Lab, contender: Contender) -> Outcome:
    load = Load(lab.count(10_000, 500), 10, _window_s(lab, 40))
    return _fired(lab, contender, load, spread=True)


def _window_s(lab: Lab, full: int) -> int:
    return max(25, int(full * lab.scale))


def _fired(lab: Lab, contender: Contender, load: Load, *, spread: bool = False) -> Outcome:
    if spread:
        contender = contender.set(spread=True)
    seen = observe(
        contender, lab.server, load,
        has_scheduler=contender.name in {"Beatline", "Celery"},
        sends_schedules=contender.name == "BullMQ",
    )  # fmt: skip
    details = {
        "p50": percentile(seen.errors_ms, 0.5),
        "max": max(seen.errors_ms),
        "cpu_s": seen.cpu_s,
        "fired": seen.fired,
        "expected": round(load.expected),
        "skipped": seen.skipped(load),
        "pss_mb": seen.pss_mb,
    }
    return Outcome(percentile(seen.errors_ms, 0.99), details)


def _promotion(lab: Lab, _contender: Contender) -> Outcome:
    connection = HeldConnection(Endpoint(lab.server.url))
    field = growth.Field(lab.server, _app(lab), connection)
    details: dict[str, Any] = {}
    sizes = SIZES if lab.scale >= 0.1 else SIZES[:1]
    for size in sizes:
        field.fill(size)
        growth.make_due(field)
        spent_ms = growth.promoted_ms(field)
        lab.server.client.delete("{sched:0}:ready:default:4")
        details[f"ms_{size}"] = median(spent_ms)
        details[f"quick_ms_{size}"] = percentile(spent_ms, 0.1)
    connection.close()
    largest = sizes[-1]
    # The quickest tenth: what else the machine does has nothing to do with the size.
    details["growth"] = details[f"quick_ms_{largest}"] / details[f"quick_ms_{SIZES[0]}"]
    return Outcome(growth.LIMIT / details[f"ms_{largest}"] * 1_000, details)


def _client_cpu(lab: Lab, _contender: Contender) -> Outcome:
    one, many = client_cpu(_bench(lab))
    details = {"many": many.value, **_plain(one.details), **_plain(many.details)}
    return Outcome(one.value, details)


def _async_client_cpu(lab: Lab, _contender: Contender) -> Outcome:
    (found,) = async_client_cpu(_bench(lab))
    return Outcome(found.value, _plain(found.details))


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if isinstance(value, float)}


def _bench(lab: Lab) -> Bench:
    return Bench(lab.server, _app(lab), StampReader(lab.folder), 1, max(lab.scale, 0.1))


def _app(lab: Lab) -> Any:
    ours.point_client_at(lab.server)
    from benchmarks.bench_app import app

    app.close()
    return app


#: What a cut-off run should have first comes first.
_ORDER = (
    "drain", "drain-stored", "drain-asyncio", "drain-alone", "enqueue", "bulk", "client-cpu",
    "client-cpu-async", "promotion", "round-trip", "eta", "burst", "schedules-spread", "schedules",
    "memory-eta", "idle", "memory-queued", "schedules-10k-spread", "schedules-10k",
)  # fmt: skip

_ALL = [
    *SENDING_AND_RUNNING,
    Cell("client-cpu", "CPU per delay(), redis-py's execute_command of the same script = 1", "x",
         "less", _client_cpu,
         (("many", "apply_many, per job"), ("delay_us", "delay, µs"),
          ("execute_command_us", "execute_command, µs")), seconds={"peer": 7}, names=_OURS),
    Cell("client-cpu-async", "CPU per adelay() of 50 coroutines, redis.asyncio's = 1", "x",
         "less", _async_client_cpu,
         (("adelay_us", "adelay, µs"), ("redis_asyncio_us", "redis.asyncio, µs")),
         seconds={"peer": 6}, names=_OURS),
    Cell("promotion", "promotion with 1 million entries, calls of 500", "jobs/s", "more",
         _promotion, (("ms_1000000", "ms a call"), ("ms_10000", "at 10 thousand"),
                      ("growth", "quickest tenth by that at 10 thousand")),
         seconds={"peer": 20}, names=_OURS),
    Cell("schedules", "1,000 schedules, each every 1 to 10 s, 60 s: gap error p99", "ms", "less",
         _thousand, _FIRING_COLUMNS, seconds={"ours": 76, "peer": 77}, names=_FIRING,
         peer_rounds=1, default_form="never"),
    Cell("schedules-spread", "1,000 schedules with offset: spread: gap error p99",
         "ms", "less", _thousand_spread, _FIRING_COLUMNS, seconds={"peer": 76}, names=_OURS),
    Cell("schedules-10k", "10,000 schedules, each every 10 to 100 s, 40 s: gap error p99", "ms",
         "less", _ten_thousand, _FIRING_COLUMNS, seconds={"ours": 60, "peer": 65},
         names=_FIRING - {"Celery"}, own_rounds=1, peer_rounds=1, default_form="never"),
    Cell("schedules-10k-spread", "10,000 schedules with offset: spread: gap error p99",
         "ms", "less",
         _ten_thousand_spread, _FIRING_COLUMNS, seconds={"peer": 60}, names=_OURS, own_rounds=1),
]  # fmt: skip

#: In the order in which they are measured.
CELLS = sorted(_ALL, key=lambda cell: _ORDER.index(cell.name))
