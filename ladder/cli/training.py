"""Verbs around training: recipes, train, synth, passport."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import (
    AllowCode,
    Artefact,
    BaseModel,
    DataFolder,
    EventsAsJson,
    RunsFolder,
    TaskFile,
    granted,
    tell,
)
from ladder.wording import MOST_SAID, indented

recipes = typer.Typer(help="List the training recipes, or copy one to own it.")


@recipes.callback(invoke_without_command=True)
def list_recipes(context: typer.Context) -> None:
    """List the recipes and when to use each."""
    if context.invoked_subcommand is not None:
        return
    from textwrap import fill

    from ladder.training.recipes import shipped_recipes

    for recipe in shipped_recipes():
        typer.echo(
            fill(recipe.when, 96, initial_indent=f"{recipe.name:18}", subsequent_indent=" " * 18)
        )
    typer.echo("\nRun one: ladder train NAME --task task.yaml. Own one: ladder recipes copy NAME")


@recipes.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="A recipe's name.")],
    into: Annotated[Path, typer.Argument(help="A folder.")] = Path(),
) -> None:
    """Copy a recipe with the program that runs it, to change as you like."""
    from ladder.training.recipes import copy_recipe

    for path in copy_recipe(name, into):
        tell(f"wrote {path}")
    tell(f"Run it: ladder train {into / name}.yaml --task task.yaml")


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or file.")],
    task: Annotated[Path, typer.Option("--task", help="The task file.")],
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a recipe field: key=value.")
    ] = None,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Run one recipe on a task's training examples."""
    from ladder.artefacts.card import read_training
    from ladder.commands.train import train_recipe
    from ladder.files import whole_path
    from ladder.report.events import answered, watching
    from ladder.task import load_task

    pairs = [entry.partition("=") for entry in change or []]
    wrong = [entry for entry, pair in zip(change or [], pairs, strict=True) if not all(pair)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]}: write key=value", param_hint="--set")
    overrides = {key: value for key, _, value in pairs}
    with watching(json) as watch:
        loaded = load_task(task, data, granted(allow_code))
        lines, folder = train_recipe(recipe, loaded, whole_path(runs), watch, overrides)
        answered(watch, 0, folder, lambda: read_training(folder))
    for line in lines:
        typer.echo(indented(line, MOST_SAID), err=json)


def synth(
    task: TaskFile,
    rows: Annotated[int, typer.Option(help="Rows to ask the teacher for.", min=1, max=10**6)] = 200,
    out: Annotated[
        Path | None, typer.Option(help="Where to write them; default: synthetic.jsonl beside it.")
    ] = None,
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    measure: Annotated[
        str, typer.Option(help="Measure the gain with: linear, rag or lora; default: by the task.")
    ] = "",
    allow_code: AllowCode = False,
) -> None:
    """Let the teacher write training examples; keep them only where they are shown to help."""
    from rich.console import Console

    from ladder.files import whole_path
    from ladder.report.live import Live
    from ladder.synthesis.gain import WAYS
    from ladder.synthesis.synth import describe, synthesise
    from ladder.task import load_task

    if measure and measure not in WAYS:
        known = ", ".join(WAYS)
        raise typer.BadParameter(f"{measure}: there are {known}", param_hint="--measure")
    loaded = load_task(task, data, granted(allow_code))
    out = out or loaded.folder / "synthetic.jsonl"
    if out.suffix != ".jsonl":
        raise typer.BadParameter(f"{out}: name a .jsonl file", param_hint="--out")
    record, path = synthesise(loaded, rows, out, whole_path(runs), Live(Console()), measure)
    for line in describe(record, path, loaded):
        tell(line)
    raise typer.Exit(0 if record.accepted else 1)


def passport(folder: Artefact, base: BaseModel = None) -> None:
    """Check that an artefact is what it was and answers as it did; exit 1 when not."""
    from ladder.artefacts.inspection import inspect

    found = inspect(folder, base)
    for line in found.lines:
        tell(line)
    typer.echo("The passport holds." if found.holds else "The passport does not hold.")
    raise typer.Exit(0 if found.holds else 1)
