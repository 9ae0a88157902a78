"""Files made to exhaust whoever reads them: refused in bounded time and memory, by the command."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import clean_environment

#: Runs the command, and says last how much memory its process has held at most, kB.
_MEASURED = """
import sys
from beatline.cli import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print("PEAK", status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""
#: What a check may cost, far above what it does cost on an idle machine (2 s, 300 MB).
SECONDS, MEGABYTES = 20, 600

MIB = 1 << 20


def _aliases(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]")
    return "\n".join(lines)


BOMBS: dict[str, bytes] = {
    "nested lists": b"[" * 100_000,
    "nested lists, closed": b"[" * 400_000 + b"]" * 400_000,
    "nested mappings": b"{a: " * 200_000,
    "nested blocks": b"".join(b" " * depth + b"a:\n" for depth in range(1_400)),
    "nested sequences": b"- " * 500_000,
    "nested below a schedule": b"schedules:\n  a: {task: t, every: 1s, args: " + b"[" * 200_000,
    "billion laughs": _aliases(30, 9).encode(),
    "wide aliases": _aliases(4, 10_000).encode()[:MIB],
    "merges": ("a: &a {x: 1}\n" + "b: {<<: [" + "*a, " * 200_000 + "]}").encode()[:MIB],
    "a line of 1 MiB": b"schedules: {a: {task: " + b"x" * (MIB - 40) + b", every: 1s}}",
    "a key of 1 MiB": b"x" * (MIB - 10) + b": 1",
    "an argument of 1 MiB": b"schedules: {a: {tusk: t, args: [" + b"x" * (MIB - 60) + b"]}}",
    "a line beyond 1 MiB": b"x" * (MIB + 1),
    "a string that never ends": b'a: "' + b"\\n" * 500_000,
    "many anchors": b"&a " * 300_000,
    "many keys": b"".join(b"k%d: 1\n" % number for number in range(90_000)),
    "many schedules": b"schedules:\n" + b"".join(b" s%d:\n" % number for number in range(90_000)),
    "many documents": b"---\n" * 250_000,
    "many tags": b"!!python/object:os.system x\n" * 30_000,
    "a number of 1 MiB": b"schedules: {a: {task: t, every: " + b"9" * (MIB - 60) + b"}}",
    "a cron of 1 MiB": b'schedules: {a: {task: t, cron: "' + b"1," * 500_000 + b'1 * * * *"}}',
    "a variable of 1 MiB": b'schedules: {a: {task: "' + b"${" * 500_000 + b'"}}',
    "an ELF binary": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 4_000,
    "zeros": bytes(MIB),
    "UTF-16": ("schedules: {}\n" * 30_000).encode("utf-16"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_check_when_a_file_is_a_bomb_then_told_in_bounded_time_and_memory(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "bomb.yaml").write_bytes(BOMBS[name])
    begun = time.monotonic()

    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED, "schedules", "check", "bomb.yaml"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )

    spent = time.monotonic() - begun
    peak = int(ended.stderr.rsplit("PEAK ", 1)[1]) / 1024
    assert 1 == ended.returncode, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout.startswith("bomb.yaml:")
    assert max(len(line) for line in ended.stdout.splitlines()) < 1_000
    assert (True, True) == (spent < SECONDS, peak < MEGABYTES), (spent, peak)
    print(f"{name}: {spent:.2f} s, {peak:.0f} MB, {len(ended.stdout.splitlines())} lines")
