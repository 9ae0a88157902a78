"""
What the command line says of the place: app, Redis, namespace.

What is given wins over the environment, and is passed on through it: processes that a command
starts, and the code of the user's app, then see the same place.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(slots=True)
class Wanted:
    """
    What the command line says of the place.

    Attributes:
        app: ``module:app`` or ``path/file.py:app``; empty where none was named.
        redis: URL of Redis; empty leaves it to the environment, the app, the embedded server.
        namespace: First part of all keys; empty leaves it to the environment and the app.
        log_level: One of `place_options.LOG_LEVELS`; empty where none was named.
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
            import click

            raise click.UsageError(
                "no app is named: say -A module:app or -A path/file.py:app, or set BEATLINE_APP",
                click.get_current_context(silent=True),
            )
        return self.app
