"""Locks end with their last holder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from beatline.embedded.locking import FileLock


def test_acquire_when_free_then_held_and_refused_to_others(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    taken = first.acquire(), second.acquire()

    assert (True, False) == taken
    first.release()
    assert second.acquire()
    second.release()


def test_acquire_when_a_child_inherited_it_then_refused_until_the_child_ends(
    tmp_path: Path,
) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=(first.descriptor,))

    first.release()

    assert not second.acquire()
    child.kill()
    child.wait()
    assert second.acquire()
    second.release()


def test_acquire_when_the_folder_was_made_anew_then_locks_the_new_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    old = FileLock(folder / "lock")
    old.acquire()
    shutil.rmtree(folder)
    folder.mkdir()
    new = FileLock(folder / "lock")

    taken = new.acquire()

    assert taken
    assert (folder / "lock").exists()
    old.release()
    new.release()


def test_read_pid_when_nothing_was_noted_then_none(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()

    assert lock.read_pid() is None
    lock.write_pid(123456)
    lock.write_pid(78)
    assert 78 == lock.read_pid()
    lock.release()
