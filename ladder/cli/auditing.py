"""The verb audit: what somebody who does not trust the team can look at."""

from __future__ import annotations

import typer

audit = typer.Typer(
    no_args_is_help=True, help="What somebody who does not trust the team can look at."
)


@audit.callback()
def _group() -> None:
    """Keep `audit` a group while it has one command."""


@audit.command()
def quiet() -> None:
    """Print what libraries would send unasked, and the variables that stop them here."""
    from ladder.commands.quiet import quiet_lines

    for line in quiet_lines():
        typer.echo(line)
