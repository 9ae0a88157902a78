"""Kinds of values that options take, and the options that name schedule files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from beatline.errors import InvalidSetting
from beatline.units import duration_ms, size_bytes

if TYPE_CHECKING:
    _WholeNumber = click.ParamType[int]
    _NumberPair = click.ParamType[tuple[int, int]]
else:
    _WholeNumber = _NumberPair = click.ParamType  # generic since click 8.2 only

F = TypeVar("F", bound=Callable[..., Any])


class Period(_WholeNumber):
    """A duration such as ``90s``, ``5m``, ``1h30m`` or seconds; becomes milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds; the option's own text where that is wrong."""
        if isinstance(value, int):
            return value
        try:
            return duration_ms(_number_or_text(value))
        except InvalidSetting as error:
            self.fail(f"{error.message} – {error.remedy}", param, ctx)


class Memory(_WholeNumber):
    """A size such as ``200MB``; becomes bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes; the option's own text where that is wrong."""
        try:
            return size_bytes(value)
        except InvalidSetting as error:
            self.fail(f"{error.message} – {error.remedy}", param, ctx)


class Span(_NumberPair):
    """Two whole numbers such as ``2,8``; the smaller one comes first."""

    name = "min,max"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Fewest and most; the option's own text where that is wrong."""
        if isinstance(value, tuple):
            return value[0], value[1]
        try:
            least, most = sorted(int(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not MIN,MAX, such as 2,8", param, ctx)
        return least, most


PERIOD: Final = Period()
MEMORY: Final = Memory()
SPAN: Final = Span()


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def schedule_options(command: F) -> F:
    """Give a command ``--schedules PATH...``, the words that follow it, and ``--watch``."""
    command = click.argument("more_schedules", nargs=-1, metavar="")(command)
    command = click.option(
        "--watch",
        is_flag=True,
        help="Apply schedule files again when they change; a broken edit changes nothing.",
    )(command)
    return click.option(
        "--schedules",
        multiple=True,
        metavar="PATH...",
        help="YAML files, or folders of them; more may follow, as from schedules/*.yaml.",
    )(command)


def schedule_paths(given: Sequence[str], more: Sequence[str], *, watch: bool = False) -> list[str]:
    """
    The paths behind ``--schedules a.yaml b.yaml``.

    Raises:
        click.UsageError: Words stand on the line that no --schedules goes before, or there is
            nothing to watch.
    """
    if watch and not given:
        raise click.UsageError(
            "--watch without schedule files – name them with --schedules",
            click.get_current_context(),
        )
    if more and not given:
        raise click.UsageError(
            f'unexpected argument "{more[0]}" – schedule files go behind --schedules',
            click.get_current_context(),
        )
    return [*given, *more]
