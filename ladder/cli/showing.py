"""Verbs that show what is there: report, compare, view, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AsJson, RunsFolder, tell
from ladder.errors import LadderError
from ladder.exit_codes import say
from ladder.wording import in_json

VIEW_PORT = 8137


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its assessment.json.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print report.md.")] = False,
    to: Annotated[
        str, typer.Option(help="Print it for other programs: junit, csv, json or promptfoo.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write what --to names into this file.")] = None,
) -> None:
    """Show a finished run again, and write its page, report.html, anew."""
    from rich.console import Console

    from ladder.commands.page import happened_since, write_page_anew
    from ladder.report.markdown import as_markdown
    from ladder.report.reading import read_assessment, whole_record
    from ladder.report.terminal import show

    found, folder = read_assessment(run)
    if to or out:
        _refuse_strange_export(to, markdown)
        from ladder.commands.exports import export_run

        _print_export(export_run(found, folder, to, out))
        return
    with whole_record(folder):
        if markdown:
            typer.echo(as_markdown(found))
        else:
            try:
                write_page_anew(folder, found)
            except (LadderError, OSError) as error:  # the run is shown all the same
                say(f"The page is not written anew: {error}")
            show(found, folder, Console(), happened_since(folder))


def _refuse_strange_export(to: str, markdown: bool) -> None:
    from ladder.report.exports import EXPORTS

    if to not in EXPORTS:
        raise typer.BadParameter(f"{to}: forms are {', '.join(EXPORTS)}", param_hint="--to")
    if markdown:
        raise typer.BadParameter("--markdown prints report.md: leave one of the two out")


def _print_export(text: str) -> None:
    typer.echo(text, nl=False)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run's folder: the one before.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="A run's folder: the one after.")],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as a page into this file.")
    ] = None,
) -> None:
    """Compare two runs: paired on the rows that both measured, and what changed between them."""
    from rich.console import Console

    from ladder.commands.compare import compare_runs
    from ladder.files import write_whole
    from ladder.report.compared import compared_page, show_compared

    found = compare_runs(first, second)
    if html is not None:
        write_whole(html, compared_page(found))
    if as_json:
        typer.echo(in_json(found.model_dump_json(indent=2)))
    else:
        show_compared(found, Console())
        if html is not None:
            tell(f"page: {html}")


def view(
    runs: Annotated[Path, typer.Argument(help="The folder of your runs, or one run.")] = Path(
        "runs"
    ),
    port: Annotated[
        int, typer.Option(help="Where to listen; 0: any free port.", min=0, max=65535)
    ] = VIEW_PORT,
) -> None:
    """Show all runs in a browser: a list, and the page of each; on this machine alone."""
    from ladder.commands.view import serve
    from ladder.files import whole_path

    serve(whole_path(runs), port, tell)


def doctor(runs: RunsFolder = Path("runs"), as_json: AsJson = False) -> None:
    """Say what this machine can do, what is installed, what would be slow, and what mends that."""
    import json

    from ladder.commands.doctor import as_json as of_program
    from ladder.commands.doctor import examine, lines
    from ladder.files import whole_path

    found = examine(whole_path(runs))
    if as_json:
        typer.echo(in_json(json.dumps(of_program(found), indent=2, ensure_ascii=False)))
        return
    for line in lines(found):
        tell(line)


def card(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its assessment.json.")],
    check: Annotated[
        Path | None, typer.Option("--check", help="A model card: refuse what it declares too high.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the card into this file.")] = None,
) -> None:
    """Write a run's model card, or check one: declared never above the certified lower bound."""
    from ladder.commands.card import card_of, check_card
    from ladder.files import write_whole

    if check is not None:
        if out is not None:
            raise typer.BadParameter("--check writes nothing: leave one of the two out")
        found = check_card(check, run)
        for each in found:
            tell(f"{check}: {each}")
        tell(f"Refused: {len(found)} above what the run shows." if found else "Nothing is above.")
        raise typer.Exit(1 if found else 0)
    text = card_of(run)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_whole(out, text)
    tell(f"wrote {out}")
