"""
Schedules in YAML: parse, validate, preview.

`load` reads files into schedules, all or none; `examine` also gives what is wrong or worth a
remark, with file, line and column. `json_schema` is the format for editors, `preview` the next
fire times. docs/schedules-yaml.md tells the format. Nothing here needs Redis; what an app's tasks
are is handed in.
"""

from beatline_schedules.declaring import Declaration
from beatline_schedules.json_schema import json_schema
from beatline_schedules.loading import Declared, examine, load, load_declarations
from beatline_schedules.previewing import HourLoad, Preview, Row, preview
from beatline_schedules.problem import Problem

__all__ = [
    "Declaration",
    "Declared",
    "HourLoad",
    "Preview",
    "Problem",
    "Row",
    "examine",
    "json_schema",
    "load",
    "load_declarations",
    "preview",
]
