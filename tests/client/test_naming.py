"""Names of tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from beatline import App
from beatline.errors import InvalidSetting
from beatline.naming import check_name, is_same_function, task_name

SCRIPT = """
from beatline import App
app = App("shop")

@app.task
def pay(): ...

class Till:
    @app.task
    def open(): ...

if __name__ == "__main__":
    print(*app.tasks)
"""


def run_python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    return done.stdout.strip()


def test_task_name_when_function_is_in_a_module_then_is_module_and_qualname() -> None:
    assert f"{__name__}.run_python" == task_name(run_python)


def test_task_name_when_file_runs_as_script_then_is_that_of_the_loaded_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "store.py").write_text(SCRIPT)
    load = "from beatline.loading import load_app; print(*load_app('store.py:app').tasks)"

    as_script = run_python(tmp_path, "store.py")
    as_app = run_python(tmp_path, "-c", load)

    assert "store.pay store.Till.open" == as_script
    assert as_script == as_app


def test_task_name_when_module_runs_with_dash_m_then_is_the_modules(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "__init__.py").touch()
    (tmp_path / "jobs" / "store.py").write_text(SCRIPT)

    names = run_python(tmp_path, "-m", "jobs.store")

    assert "jobs.store.pay jobs.store.Till.open" == names


@pytest.mark.parametrize("name", ["", "two words", "tab\there", "a\x00b", "x" * 201, 7, None])
def test_check_name_when_it_is_none_then_is_refused(name: Any) -> None:
    with pytest.raises(InvalidSetting):
        check_name(name)


def functions(source: str, *, file: str = "shop.py", module: str = "shop") -> list[Any]:
    scope: dict[str, Any] = {"__name__": module, "found": []}
    exec(compile(source, file, "exec"), scope)
    found: list[Any] = scope["found"]
    return found


TWICE = """
def pay(): ...
found.append(pay)
def pay(): ...
found.append(pay)
"""


def test_is_same_function_when_file_is_imported_again_then_is_the_same() -> None:
    (first, _), (again, _) = functions(TWICE), functions(TWICE, module="__main__")

    assert is_same_function(first, again)


def test_is_same_function_when_second_one_hides_the_first_then_is_another() -> None:
    first, second = functions(TWICE)

    assert not is_same_function(first, second)


def test_is_same_function_when_module_is_reloaded_with_changes_then_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    (first, _), (_, changed) = functions(TWICE), functions("\n\n\n" + TWICE)

    assert is_same_function(first, changed)


def test_task_when_name_is_taken_then_error_names_both_places(
    make_app: Callable[..., App],
) -> None:
    app = make_app()
    app.task(name="pay")(run_python)

    with pytest.raises(InvalidSetting) as caught:
        app.task(name="pay")(functions)

    assert 2 == str(caught.value).count(__file__)
