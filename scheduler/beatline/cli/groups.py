"""Groups of commands that know the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import click


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """``no such command "lst" – did you mean "list"?``"""
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{nearest[0]}"?' if nearest else f"there are: {', '.join(known)}"
    return f'no such {kind} "{name}" – {hint}'


class SubcommandGroup(click.Group):
    """A group such as ``sched jobs``; a mistyped subcommand gets the nearest known one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest known name where there is no such command."""
        name, known = args[0], self.list_commands(ctx)
        if not name.startswith("-") and name not in known:
            raise click.UsageError(unknown("command", name, known), ctx)
        return super().resolve_command(ctx, args)
