"""Where the socket lies, and who may have the folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from beatline.embedded.places import SOCKET_PATH_BYTES, Places
from beatline.errors import RedisUnavailable


@pytest.fixture
def long_places(short_folder: Path) -> Iterator[Places]:
    """The places of a folder whose path is too long for a socket."""
    places = Places.of(short_folder / ("x" * 60) / ("y" * 60) / ".beatline")
    places.prepare()
    yield places
    assert places.runtime_folder is not None
    if places.runtime_folder.is_symlink():
        places.runtime_folder.unlink()
    shutil.rmtree(places.runtime_folder, ignore_errors=True)


@pytest.mark.parametrize(("spare", "inside"), [(0, True), (-1, False)])
def test_new_socket_when_the_path_just_fits_or_does_not_then_inside_or_apart(
    spare: int, inside: bool
) -> None:
    room = SOCKET_PATH_BYTES - len("/") - len("/redis.sock") - spare
    places = Places(Path("/") / ("f" * room))

    apart = places.runtime_folder is None

    assert inside == apart
    assert len(os.fsencode(places.new_socket)) <= SOCKET_PATH_BYTES


def test_new_socket_when_a_short_text_has_many_bytes_then_apart() -> None:
    places = Places(Path("/") / ("ü" * 60))

    assert places.runtime_folder is not None


def test_prepare_socket_when_the_path_is_long_then_recorded_for_clients(
    long_places: Places,
) -> None:
    socket = long_places.prepare_socket()

    assert socket == long_places.live_socket()
    assert 0o700 == socket.parent.stat().st_mode & 0o777
    long_places.forget_socket()
    assert not socket.parent.exists()
    assert not long_places.socket_record.exists()


def test_prepare_socket_when_somebody_took_the_name_with_a_link_then_refused(
    long_places: Places, tmp_path: Path
) -> None:
    assert long_places.runtime_folder is not None
    long_places.runtime_folder.symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(RedisUnavailable, match=r"is not a folder of this user"):
        long_places.prepare_socket()


def test_prepare_when_the_folder_is_new_then_private_and_out_of_git(tmp_path: Path) -> None:
    places = Places.of(tmp_path / ".beatline")

    places.prepare()

    assert 0o700 == places.folder.stat().st_mode & 0o777
    assert "*\n" == (places.folder / ".gitignore").read_text()


def test_prepare_when_others_could_read_the_folder_then_made_private(tmp_path: Path) -> None:
    (tmp_path / ".beatline").mkdir(mode=0o755)

    Places.of(tmp_path / ".beatline").prepare()

    assert 0o700 == (tmp_path / ".beatline").stat().st_mode & 0o777


def test_prepare_when_a_file_is_in_the_way_then_says_so(tmp_path: Path) -> None:
    (tmp_path / ".beatline").touch()

    with pytest.raises(RedisUnavailable, match=r"cannot make the folder .*File exists"):
        Places.of(tmp_path / ".beatline").prepare()
