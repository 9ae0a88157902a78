"""Finding the app that -A names, and saying why it cannot be found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beatline.errors import AppNotLoadable
from beatline.loading import load_app

APP = "from beatline import App\napp = App('shop')\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        del sys.modules[name]


def write(project: Path, name: str, text: str) -> Path:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refusal(name: str) -> AppNotLoadable:
    with pytest.raises(AppNotLoadable) as caught:
        load_app(name)
    assert caught.value.remedy
    assert 4 == caught.value.exit_code
    return caught.value


@pytest.mark.parametrize("name", ["bl_shop:app", "bl_shop", "bl_shop.py:app", "./bl_shop.py"])
def test_load_app_when_it_is_there_then_returns_it(project: Path, name: str) -> None:
    write(project, "bl_shop.py", APP)

    assert "shop" == load_app(name).name


def test_load_app_when_in_a_package_then_returns_it(project: Path) -> None:
    write(project, "bl_pkg/__init__.py", "")
    write(project, "bl_pkg/jobs.py", APP)

    assert "shop" == load_app("bl_pkg.jobs:app").name


def test_load_app_when_attribute_is_dotted_then_follows_it(project: Path) -> None:
    write(project, "bl_shop.py", APP + "class config:\n    jobs = app\n")

    assert "shop" == load_app("bl_shop:config.jobs").name


def test_load_app_when_file_lies_elsewhere_then_finds_its_neighbours(project: Path) -> None:
    write(project, "deep/bl_near.py", "NAME = 'near'\n")
    write(project, "deep/bl_far.py", "import bl_near\n" + APP.replace("'shop'", "bl_near.NAME"))

    assert "near" == load_app("deep/bl_far.py:app").name


def test_load_app_when_file_is_loaded_twice_then_is_the_same(project: Path) -> None:
    write(project, "bl_shop.py", APP)

    assert load_app("bl_shop.py:app") is load_app("bl_shop:app")


def test_load_app_when_file_has_the_name_of_another_module_then_says_which(
    project: Path,
) -> None:
    write(project, "json.py", APP)

    assert "json" in str(refusal("json.py:app"))


def test_load_app_when_module_is_missing_then_names_the_nearest(project: Path) -> None:
    write(project, "bl_shop.py", APP)

    assert "did you mean bl_shop?" in refusal("bl_shpo:app").remedy


def test_load_app_when_file_is_missing_then_says_where_it_looked(project: Path) -> None:
    assert str(project / "bl_none.py") in str(refusal("bl_none.py:app"))


@pytest.mark.parametrize("name", ["", ":app", "a b:app", "1x:app", "a-b"])
def test_load_app_when_name_is_none_then_is_refused(name: str) -> None:
    refusal(name)


def test_load_app_when_attribute_is_missing_then_names_the_app(project: Path) -> None:
    write(project, "bl_shop.py", APP)

    assert "did you mean bl_shop:app?" in refusal("bl_shop:ap").remedy


def test_load_app_when_attribute_is_something_else_then_tells_its_type(project: Path) -> None:
    write(project, "bl_shop.py", APP + "other = {}\n")

    error = refusal("bl_shop:other")

    assert "type dict" in str(error)
    assert "bl_shop:app" in error.remedy


def test_load_app_when_module_has_no_app_then_says_so(project: Path) -> None:
    write(project, "bl_empty.py", "x = 1\n")

    assert "no App" in str(refusal("bl_empty"))


def test_load_app_when_module_has_two_apps_then_asks_which(project: Path) -> None:
    write(project, "bl_two.py", APP + "other = App('other')\n")

    assert "bl_two:app or bl_two:other" in refusal("bl_two").remedy


def test_load_app_when_module_has_two_names_for_one_app_then_returns_it(project: Path) -> None:
    write(project, "bl_two.py", APP + "celery = app\n")

    assert "shop" == load_app("bl_two").name


@pytest.mark.parametrize("name", ["bl_broken:app", "bl_broken.py:app"])
def test_load_app_when_module_raises_then_tells_file_line_and_error(
    project: Path, name: str
) -> None:
    path = write(project, "bl_broken.py", "\n\ndef f():\n    raise KeyError('shoe')\n\nf()\n")

    error = refusal(name)

    assert f"{path}:4: KeyError: 'shoe'" in str(error)
    assert isinstance(error.__cause__, KeyError)


def test_load_app_when_module_raised_then_can_be_loaded_after_the_repair(project: Path) -> None:
    write(project, "bl_broken.py", "1/0\n")
    refusal("bl_broken.py:app")
    write(project, "bl_broken.py", APP)

    assert "shop" == load_app("bl_broken.py:app").name


def test_load_app_when_syntax_is_wrong_then_tells_file_and_line(project: Path) -> None:
    path = write(project, "bl_syntax.py", "x = 1\ny = = 2\n")

    assert f"{path}:2: SyntaxError" in str(refusal("bl_syntax:app"))


def test_load_app_when_an_import_is_missing_then_says_which(project: Path) -> None:
    path = write(project, "bl_needs.py", "x = 1\nimport bl_no_such_thing\n")

    error = refusal("bl_needs:app")

    assert f"{path}:2: ModuleNotFoundError" in str(error)
    assert "install bl_no_such_thing" in error.remedy


def test_load_app_when_module_exits_then_says_so(project: Path) -> None:
    write(project, "bl_exits.py", "import sys\nsys.exit(3)\n")

    assert "__main__" in refusal("bl_exits:app").remedy


def test_load_app_when_a_task_is_wrong_then_tells_where_it_is_written(project: Path) -> None:
    path = write(project, "bl_wrong.py", APP + "@app.task(priority=99)\ndef f(): ...\n")

    error = refusal("bl_wrong:app")

    assert f"{path}:3: InvalidSetting" in str(error)
    assert "priority 99" in str(error)


def test_load_app_when_its_package_raises_then_tells_where(project: Path) -> None:
    path = write(project, "bl_pkg/__init__.py", "1/0\n")
    write(project, "bl_pkg/jobs.py", APP)

    assert f"{path}:1: ZeroDivisionError" in str(refusal("bl_pkg.jobs:app"))
