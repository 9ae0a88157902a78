"""
The peers' own environments: made once, kept until removed, never ours.

arq wants an older redis-py than the others and has its own. BullMQ comes through npm. A peer
that cannot be installed is left out, and the report says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

#: Packages of each environment. Compatible releases, so that a year-old report can be repeated.
PACKAGES = {
    "peers": (
        "celery[redis]~=5.7.0",
        "rq~=3.0",
        "dramatiq[redis]~=2.2",
        "huey~=3.5",
        "saq[hiredis]~=0.26",
        "taskiq~=0.13",
        "taskiq-redis~=1.2",
        "pydocket~=0.27",
        "apscheduler~=3.11",
        "hiredis~=3.5",
        "uvloop~=0.23",
    ),
    "arq": ("arq~=0.28", "redis[hiredis]~=5.3", "uvloop~=0.23"),
}

#: Written into an environment when all of its packages are in.
_STAMP = "packages.txt"


def python_of(environment: str) -> Path:
    """The interpreter of an environment; ours is the one that runs this."""
    if environment == "ours":
        return Path(sys.executable)
    return FOLDER / f".venv-{environment}" / "bin" / "python"


def prepare(environment: str) -> None:
    """
    Make an environment, if it is not there yet with these very packages.

    Raises:
        subprocess.CalledProcessError: pip or npm has failed; it has said why.
    """
    if environment == "ours":
        return
    if environment == "node":
        _prepare_node()
        return
    folder, wanted = FOLDER / f".venv-{environment}", "\n".join(PACKAGES[environment])
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"making {folder.name}: {', '.join(PACKAGES[environment])}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
    subprocess.run([*pip, *PACKAGES[environment]], check=True)
    stamp.write_text(wanted)


def _prepare_node() -> None:
    folder = FOLDER / "bullmq"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise FileNotFoundError("node and npm are not installed")
    if not (folder / "node_modules" / "bullmq").is_dir():
        print("npm install in benchmarks/bullmq", flush=True)
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)


def version_of(environment: str, package: str) -> str:
    """The installed version of a package, for the report."""
    if environment == "node":
        manifest = FOLDER / "bullmq" / "node_modules" / package / "package.json"
        version: str = json.loads(manifest.read_text())["version"]
        return version
    program = f"from importlib.metadata import version; print(version({package!r}))"
    command = [str(python_of(environment)), "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def main() -> int:
    """Make all of them: ``python -m benchmarks.environments``."""
    for environment in (*PACKAGES, "node"):
        prepare(environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
