"""
Schedules of other schedulers as schedule files: crontabs, Celery, redbeat, Kubernetes, APScheduler.

`import_schedules` reads, `render` writes YAML that `sched schedules check` accepts. Where the
meaning differs, a remark says so, which becomes a comment above the entry. Nothing is imported
of the other schedulers: their objects are recognised by their attributes. docs/importing.md tells
what becomes of what.
"""

from beatline_schedules.importing.entry import Entry, Imported, LeftOut
from beatline_schedules.importing.rendering import render
from beatline_schedules.importing.sources import Source, import_schedules

__all__ = ["Entry", "Imported", "LeftOut", "Source", "import_schedules", "render"]
