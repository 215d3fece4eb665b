"""Verbs of the registry: promote, rollback, models, deprecate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ladder.cli.options import AllowCode, AsJson, granted, tell
from ladder.exit_codes import say
from ladder.wording import in_json

if TYPE_CHECKING:
    from ladder.lifecycle.promotion import Wish
    from ladder.progress import Watch

Run = Annotated[Path, typer.Argument(help="A run's folder, or its revalidation.yaml.")]
Named = Annotated[str, typer.Argument(help="The name in the registry.")]
RegistryFile = Annotated[
    Path, typer.Option("--registry", help="The registry; default: the one beside your runs.")
]
By = Annotated[str, typer.Option(help="Who does it; nobody is named by default.")]
OF_RUNS = Path("runs/registry.jsonl")


def promote(
    run: Run,
    name: Annotated[str, typer.Option(help="In the registry; default: the task's.")] = "",
    registry: Annotated[
        Path | None, typer.Option(help="The registry; default: the one beside the runs.")
    ] = None,
    production: Annotated[
        bool, typer.Option("--production", help="Refuse a model that its provider can move.")
    ] = False,
    owner: Annotated[str, typer.Option(help="Who answers for it: a team rather.")] = "",
    fallback: Annotated[str, typer.Option(help="The rung to fall back to.")] = "",
    by: By = "",
) -> None:
    """Put a certified answer into production; exit 1 where its release check is missing."""
    from ladder.commands.models import promoted_lines
    from ladder.lifecycle.plan import find_plan
    from ladder.lifecycle.promotion import NotPromotedError, Wish
    from ladder.lifecycle.promotion import promote as put
    from ladder.lifecycle.registry import clock_note, read_registry, registry_of

    _refuse_strange_rung(fallback)
    place = registry or registry_of(find_plan(run).parent)
    _say_clock(clock_note(read_registry(place)))
    try:
        entry = put(run, Wish(name, place, production, by, owner, fallback))
    except NotPromotedError as error:
        say(str(error))
        raise typer.Exit(1) from None
    _tell_all(promoted_lines(entry))


def rollback(
    name: Named,
    to: Annotated[
        Path | None, typer.Option(help="The run to go back to; default: the one before.")
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Load and ask it; production stays as it is.")
    ] = False,
    registry: RegistryFile = OF_RUNS,
    by: By = "",
    allow_code: AllowCode = False,
) -> None:
    """Put what was in production before back there, or rehearse that."""
    from ladder.commands.models import rehearsed_lines, rolled_back_lines
    from ladder.lifecycle.promotion import production_of, roll_back
    from ladder.lifecycle.registry import clock_note, read_registry
    from ladder.lifecycle.rollback_rehearsal import rehearse_rollback

    _say_clock(clock_note(read_registry(registry)))
    if rehearse:
        found = rehearse_rollback(
            registry, name, _watch(), to=to, by=by, granted=granted(allow_code)
        )
        _tell_all(rehearsed_lines(found))
        raise typer.Exit(1 if found.findings else 0)
    entry = roll_back(registry, name, to, by)
    _tell_all(rolled_back_lines(entry, production_of(read_registry(registry), name)))


def models(
    registry: RegistryFile = OF_RUNS,
    to: Annotated[str, typer.Option(help="Write it for another registry: mlflow or hf.")] = "",
    out: Annotated[Path | None, typer.Option(help="The folder that --to writes into.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in production under each name, or hand it to another registry."""
    import json

    from ladder.commands import models as words
    from ladder.commands.registries import EXPORTERS
    from ladder.errors import StateError
    from ladder.lifecycle.registry import read_registry

    if to and to not in EXPORTERS:
        raise typer.BadParameter(f"{to}: there are {', '.join(EXPORTERS)}", param_hint="--to")
    if bool(to) != (out is not None):
        raise typer.BadParameter("--to and --out go together")
    found = read_registry(registry)
    if not registry.parent.exists():
        fix = "Go to where your runs are, or name the file: --registry"
        raise StateError(f"{registry.parent.absolute()}: no such folder. {fix}")
    if out is not None:
        _tell_all(EXPORTERS[to](found, out))
    elif as_json:
        shown = words.as_json(found, words.today())
        typer.echo(in_json(json.dumps(shown, indent=2, ensure_ascii=False)))
    else:
        _tell_all(words.lines(found, words.today()))


def deprecate(
    name: Named,
    replacement: Annotated[
        Path | None, typer.Option(help="The run that takes its place: steps that are left.")
    ] = None,
    ends: Annotated[str, typer.Option(help="Note when the model ends: 2027-03-31.")] = "",
    told: Annotated[str, typer.Option(help="When that was announced; default: today.")] = "",
    registry: RegistryFile = OF_RUNS,
    by: By = "",
    allow_code: AllowCode = False,
) -> None:
    """Replace a model that will end, step by step; exit 1 while a step cannot be done yet."""
    from ladder.commands.models import announced_lines, today
    from ladder.lifecycle.deprecation import announce
    from ladder.lifecycle.promotion import Wish
    from ladder.lifecycle.registry import clock_note, read_registry

    if not ends and replacement is None:
        raise typer.BadParameter("give --ends DATE, --replacement RUN, or both")
    _say_clock(clock_note(read_registry(registry)))
    if ends:
        _tell_all(announced_lines(announce(registry, name, ends, told, by), today()))
    if replacement is not None:
        wish = Wish(name, registry, by=by)
        _replace(name, replacement, wish, allow_code)


def _replace(name: str, replacement: Path, wish: Wish, allow_code: bool) -> None:
    from ladder.commands.models import stepped_line
    from ladder.lifecycle.deprecation import Move, begin, carry_out
    from ladder.lifecycle.promotion import NotPromotedError, read_certified

    assert wish.registry is not None
    new = read_certified(replacement)
    old, _ = begin(wish.registry, name, new)
    move = Move(wish.registry, old, new, passed_release, _watch(), wish, granted(allow_code))
    try:
        for _, entry, is_new in carry_out(move):
            tell(stepped_line(entry, is_new))
    except NotPromotedError as error:
        say(f"{error}\nThe steps above are kept: run the same command to go on.")
        raise typer.Exit(1) from None


def passed_release(candidate: Path, champion: Path) -> str:
    """Return the digest of the last release check of two runs, if it passed.

    Raises:
        NotPromotedError: there is none, or it did not.
    """
    from ladder.files import digest_of, file_digest
    from ladder.lifecycle.plan import find_plan
    from ladder.lifecycle.promotion import NotPromotedError, check_command, releases_of

    plans = (file_digest(find_plan(run)) for run in (candidate, champion))
    found = releases_of(candidate, *plans)
    if found and found[-1].get("passed") is True:
        return digest_of(found[-1])
    said = "the last release check did not pass" if found else "no release check yet"
    raise NotPromotedError(f"{candidate}: {said}. Run: {check_command(candidate, champion)}")


def _watch() -> Watch:
    from rich.console import Console

    from ladder.report.live import Live

    return Live(Console(stderr=True))


def _tell_all(lines: Iterable[str]) -> None:
    for line in lines:
        tell(line)


def _say_clock(note: str) -> None:
    if note:
        say(note)


def _refuse_strange_rung(fallback: str) -> None:
    from ladder.evidence import CONTROL
    from ladder.rungs import LADDER

    known = (*(rung.NAME for rung in LADDER), CONTROL)
    if fallback and fallback not in known:
        raise typer.BadParameter(
            f"{fallback}: rungs are {', '.join(known)}", param_hint="--fallback"
        )
