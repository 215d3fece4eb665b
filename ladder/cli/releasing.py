"""The verb that decides releases: release check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AllowCode, AsJson, granted, tell
from ladder.wording import in_json

release = typer.Typer(no_args_is_help=True, help="Decide whether a candidate may be released.")


@release.callback()
def releases() -> None:
    """Decide whether a candidate may be released."""


@release.command()
def check(  # noqa: PLR0913 - each is an option of the command line
    candidate: Annotated[Path, typer.Argument(help="The new answer: its run's folder or plan.")],
    against: Annotated[Path, typer.Option("--against", help="The champion's run or plan.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled rows; default: the eval examples of the champion's task."),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="How much worse would be too much.", min=0.001, max=0.999)
    ] = 0.05,
    slices_from: Annotated[
        int,
        typer.Option(
            "--slices-with-at-least",
            min=1,
            help="Slices of fewer rows are shown and do not decide; 1: every slice decides.",
        ),
    ] = 1,
    forgetting_margin: Annotated[
        float, typer.Option(help="Share of the fixed prompts, likewise.", min=0.001, max=0.999)
    ] = 0.15,
    may_forget: Annotated[
        bool, typer.Option("--may-forget", help="The fixed prompts do not decide.")
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A plan of another task that the new model must not harm; repeatable."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML into this file.")] = None,
    as_json: AsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Compare a certified candidate with the champion; exit 1 when it is refused."""
    from rich.console import Console

    from ladder.commands.release import write_for_ci
    from ladder.lifecycle.release import Terms, check_release
    from ladder.report.live import Live
    from ladder.report.released import release_lines

    terms = Terms(margin, slices_from, forgetting_margin, may_forget, data, tuple(also or ()))
    watch = Live(Console(stderr=True))
    found = check_release(candidate, against, watch, terms, granted(allow_code))
    write_for_ci(found, junit)
    if as_json:
        typer.echo(in_json(found.model_dump_json(indent=2)))
    else:
        for line in release_lines(found):
            tell(line)
    raise typer.Exit(0 if found.passed else 1)
