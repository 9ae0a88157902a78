"""
The command line, ``sched``: one lazy module per command, on top of everything else.

`tree` knows the names of all commands and imports none of them; `wanted` has the options that
they share, `exits` turns errors into texts and exit codes, `output` prints. What a command does
is done by the rooms below; nothing here changes Redis by itself.
"""

from beatline.cli.tree import main

__all__ = ["main"]
