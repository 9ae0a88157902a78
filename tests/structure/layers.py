"""Which module stands in which layer, and what may be imported where. Each entry has its reason."""

from __future__ import annotations

#: The layers, lowest first. A module imports from its own layer and from those below, never from
#: above: what a lower layer does can be understood, and tested, without the higher ones.
LAYERS = ("words", "values", "redis", "store", "client", "roles", "testing", "cli")

#: A module's layer, by its name or the nearest package above it that is named here. What words
#: and values import has to be named too: the rest of `beatline` counts as the client's.
LAYER_OF = {
    # Words: what everybody else speaks in. Nothing of ours below them.
    "beatline.errors": "words",
    "beatline.ids": "words",
    "beatline.keys": "words",
    "beatline.logs": "words",
    "beatline.settings": "words",
    "beatline.states": "words",
    "beatline.units": "words",
    "beatline.version": "words",
    # Values: pure, without Redis, without a clock of their own.
    "beatline.backoff": "values",
    "beatline.explaining": "values",
    "beatline.fates": "values",
    "beatline.job": "values",
    "beatline.ledger": "values",
    "beatline.options": "values",
    "beatline.outcome": "values",
    "beatline.payload": "values",
    "beatline.payload_classes": "values",
    "beatline.payload_exceptions": "values",
    "beatline.payload_nesting": "values",
    "beatline.payload_types": "values",
    "beatline.planner": "values",
    "beatline.queue_turns": "values",
    "beatline.schedule": "values",
    "beatline.triggers": "values",
    # Redis: connections, the loader of the scripts, the server that we run ourselves.
    "beatline.embedded": "redis",
    "beatline.wire": "redis",
    # Store: one module per family of transitions.
    "beatline.store": "store",
    # Client: what users import, and what it is made of: all else directly in the package.
    "beatline": "client",
    # Roles: processes. They don't know each other.
    "beatline.beat": "roles",
    "beatline_worker": "roles",
    "beatline_schedules": "roles",
    # For users' tests: drives what beat and worker do, in one process and by a clock of its own.
    # It imports their pure parts, so that what is tested is what runs; nobody imports it.
    "beatline.testing": "testing",
    # Command line: knows everything, imports it late.
    "beatline.cli": "cli",
    "beatline_worker.cli": "cli",
    "beatline_schedules.cli": "cli",
}

#: Roles never import each other: a beat runs without the worker's code, and the other way round.
STRANGERS = ("beatline.beat", "beatline_worker", "beatline_schedules")

#: Layers in which nobody knows Redis, and the packages that would tell them.
WITHOUT_REDIS = ("words", "values")
REDIS_PACKAGES = ("redis", "hiredis")

#: Packages that stand behind one module of ours, so that they can be replaced there.
ONE_DOOR = {
    "croniter": "its faults with zones and repeated hours are mended in one place",
    "apscheduler": "two of its triggers are sound, and users bring their own",
    "pytest": "only those who ask for our fixtures have to have it",
    "yaml": "YAML 1.1's surprises are caught where files are read",
}

#: Packages that only the command line imports: they are slow to import, and a library that
#: prints or parses arguments on its own is a nuisance to those who embed it.
COMMAND_LINE_ONLY = ("click", "rich")

#: Packages of extras, which may be missing: imported inside functions, where they are needed.
OPTIONAL = (
    "gevent",
    "icalendar",
    "opentelemetry",
    "prometheus_client",
    "pydantic",
)

#: Modules that may import inside functions although they are no command line.
LATE_IMPORTS = {
    "beatline": "its names are loaded when first asked for: `sched --version` without redis",
    "beatline_worker.gevent_zygote": "everything else is imported after gevent has patched it",
    "beatline.health": "an HTTP server is 0.6 MB in each supervisor, most of which serve none",
    "beatline.triggers.building": "croniter, dateutil and APScheduler are 1.3 MB in each beat",
    "beatline.app": "`app.schedules` brings the triggers, 0.1 s that workers have no use for",
}


def layer_of(name: str) -> str:
    """A module's layer; a package that nobody has placed is a ``KeyError``."""
    while name not in LAYER_OF and "." in name:
        name = name.rpartition(".")[0]
    return LAYER_OF[name]
