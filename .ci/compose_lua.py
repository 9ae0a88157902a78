"""Write every script as the server gets it into a folder, for luacheck."""

from __future__ import annotations

import sys
from pathlib import Path

from beatline.wire.scripts import all_scripts

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for script in all_scripts():
    (folder / f"{script.name}.lua").write_text(script.source)
