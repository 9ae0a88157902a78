"""Random cron expressions and moments, for the property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from beatline.triggers import Zone, zone, zone_names
from tests.triggers.cron_model import DAYS, MONTHS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The span in which clocks are compared: zone data before is patchy, and 2037 is the last year
#: that zone files of the old kind list.
FIRST = datetime(1986, 1, 1, tzinfo=UTC)
LAST = datetime(2037, 12, 31, tzinfo=UTC)


def moment_of(utc_s: int) -> datetime:
    return EPOCH + timedelta(seconds=utc_s)


def changes_of(where: Zone) -> list[datetime]:
    """The moments between `FIRST` and `LAST` at which the zone's clocks leap or are set back."""
    where.index(int((LAST - EPOCH).total_seconds()))
    moments = [moment_of(start_s) for start_s in where.starts[1:]]
    return [moment for moment in moments if FIRST <= moment <= LAST]


@cache
def zones_with_changes() -> list[str]:
    """One name for each set of changes: aliases add nothing."""
    by_changes: dict[tuple[object, ...], str] = {}
    for name in sorted(zone_names()):
        where = zone(name)
        changes = changes_of(where)
        if changes:
            by_changes.setdefault((tuple(changes), tuple(where.offsets[-3:])), name)
    return sorted(by_changes.values())


def items(low: int, high: int, names: list[str], extra: list[str]) -> st.SearchStrategy[str]:
    words = [str(n) for n in range(low, high + 1)] + names + [name.upper() for name in names]
    value = st.sampled_from(words)
    step = st.sampled_from([1, 2, 3, 5, 7, 13, 15, 20, 90])
    kinds = [
        st.just("*"),
        step.map(lambda n: f"*/{n}"),
        value,
        value,
        st.builds("{}-{}".format, value, value),
        st.builds("{}-{}/{}".format, value, value, step),
        st.builds("{}/{}".format, value, step),
    ]
    if extra:
        kinds.append(st.sampled_from(extra))
    return st.one_of(kinds)


def fields(
    low: int, high: int, names: list[str] | None = None, extra: list[str] | None = None
) -> st.SearchStrategy[str]:
    item = items(low, high, names or [], extra or [])
    return st.lists(item, min_size=1, max_size=3).map(",".join)


NTH = [f"{day}#{k}" for day in ("mon", "0", "fri", "7") for k in (1, 2, 4, 5)]
STAR = st.just("*")
EXPRESSIONS = st.builds(
    "{} {} {} {} {}".format,
    fields(0, 59),
    fields(0, 23),
    STAR | fields(1, 31, extra=["L"]),
    STAR | STAR | fields(1, 12, MONTHS),
    STAR | fields(0, 7, DAYS, extra=NTH),
)
#: Without what Debian's cron and cronsim don't know: ``L``, ``#``, wrapped ranges.
PLAIN_FIELDS = ["*", "*/2", "*/7", "*/20", "3", "1-5", "2-6/2", "1,4", "*,3", "5"]
