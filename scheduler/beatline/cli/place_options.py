"""
Options that commands share: those of the place (see `Wanted`), and ``--json``.

They may stand before or behind the command's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from beatline.cli.wanted import Wanted

F = TypeVar("F", bound=Callable[..., Any])

#: Levels of the logs of beat and worker.
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def _note(field: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        wanted = ctx.ensure_object(Wanted)
        from_environment = ctx.parent is not None and getattr(wanted, field)
        if value and not (from_environment and _is_from_environment(ctx, field)):
            setattr(wanted, field, value)

    return callback


def _is_from_environment(ctx: click.Context, field: str) -> bool:
    source = ctx.get_parameter_source(field)
    return source is click.core.ParameterSource.ENVIRONMENT


def _option(field: str, *names: str, **how: Any) -> Callable[[F], F]:
    return click.option(
        *names, field, expose_value=False, is_eager=True, callback=_note(field), **how
    )


def place_options(command: F) -> F:
    """Give a command -A, --redis, --namespace and -l; `Wanted` holds what they say."""
    for option in (
        _option(
            "log_level",
            *("-l", "--loglevel"),
            envvar="BEATLINE_LOGLEVEL",
            type=click.Choice(LOG_LEVELS, case_sensitive=False),
            help="How much beat and worker log.  [default: info]",
        ),
        _option(
            "namespace",
            "--namespace",
            metavar="NAME",
            help="First part of all keys (BEATLINE_NAMESPACE).",
        ),
        _option(
            "redis",
            "--redis",
            metavar="URL",
            help="redis://…, rediss://… or unix:///… (BEATLINE_REDIS_URL).",
        ),
        _option(
            "app",
            *("-A", "--app"),
            envvar="BEATLINE_APP",
            metavar="APP",
            help="The app: module:app or path/file.py:app (BEATLINE_APP).",
        ),
    ):
        command = option(command)
    return command


def json_option(command: F) -> F:
    """Give a command ``--json``; the parameter is ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)
