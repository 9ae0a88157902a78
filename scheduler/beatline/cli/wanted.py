"""
What the command line says of the place: app, Redis, namespace; and options shared by commands.

The options may stand before or behind the command's name. What is given wins over the
environment, and is passed on through it: processes that a command starts, and the code of the
user's app, then see the same place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

#: Levels of the logs of beat and worker.
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(slots=True)
class Wanted:
    """
    What the command line says of the place.

    Attributes:
        app: ``module:app`` or ``path/file.py:app``; empty where none was named.
        redis: URL of Redis; empty leaves it to the environment, the app, the embedded server.
        namespace: First part of all keys; empty leaves it to the environment and the app.
        log_level: One of `LOG_LEVELS`; empty where none was named.
        is_debugging: Whether expected errors show a traceback.
    """

    app: str = ""
    redis: str = ""
    namespace: str = ""
    log_level: str = ""
    is_debugging: bool = False

    def pass_on(self) -> None:
        """Let this process, its imports and its children see what was given."""
        if self.redis:
            os.environ["BEATLINE_REDIS_URL"] = self.redis
        if self.namespace:
            os.environ["BEATLINE_NAMESPACE"] = self.namespace

    def required_app(self) -> str:
        """
        The app that was named.

        Raises:
            click.UsageError: None was.
        """
        if not self.app:
            raise click.UsageError(
                "no app is named: say -A module:app or -A path/file.py:app, or set BEATLINE_APP",
                click.get_current_context(silent=True),
            )
        return self.app


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
