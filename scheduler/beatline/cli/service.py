"""What runs until it is told to end, beat or worker: what the command line has understood of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from beatline.cli.exits import exit_code_of
from beatline.cli.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Service:
    """
    A service, and what it was told.

    Attributes:
        module: Below ``beatline.cli``; its function ``serve`` runs the service.
        wanted: The place.
        options: Further keyword arguments of ``serve``: what can be pickled.
    """

    module: str
    wanted: Wanted
    options: Mapping[str, Any]

    def run(self) -> int:
        """Run until it ends; the exit code. What ended it is told on standard error."""
        try:
            self.wanted.pass_on()
            serve = import_module(f"beatline.cli.{self.module}").serve
            return int(serve(self.wanted, **self.options))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - each is told
            return exit_code_of(error, is_debugging=self.wanted.is_debugging)
