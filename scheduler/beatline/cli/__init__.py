"""
The command line, ``sched``: one lazy module per command, on top of everything else.

`entry` is the way in. `tree` knows the names of all commands and imports none of them; `wanted`
says what was said of the place, `place_options` has the options for it, `service` what runs until
it is told to end, `exits` turns errors into texts and exit codes, `output` prints. What a command
does is done by the rooms below; nothing here changes Redis by itself.
"""

from beatline.cli.entry import main

__all__ = ["main"]
