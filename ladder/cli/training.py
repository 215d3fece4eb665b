"""Verbs around training: recipes, train, synth, passport."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ladder.cli.options import (
    AllowCode,
    Artefact,
    BaseModel,
    DataFolder,
    EventsAsJson,
    RayCluster,
    RunsFolder,
    TaskFile,
    granted,
    on_ray,
    tell,
)
from ladder.wording import MOST_SAID, indented

if TYPE_CHECKING:
    from ladder.report.events import Events
    from ladder.report.live import Live
    from ladder.task import Task

Fields = Mapping[str, str]
"""Of a recipe, changed: name -> value."""

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


def train(  # noqa: PLR0913 - each is an option of the command line
    recipe: Annotated[list[str], typer.Argument(help="A recipe's name or file, or several.")],
    task: Annotated[Path, typer.Option("--task", help="The task file.")],
    seeds: Annotated[
        str, typer.Option(help="Train from each of these seeds: 0,1,2; default: the recipe's.")
    ] = "",
    ray: RayCluster = None,
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a recipe field: key=value.")
    ] = None,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Run a recipe on a task's training examples; several, or from several seeds, beside others."""
    from ladder.files import whole_path
    from ladder.report.events import watching
    from ladder.task import load_task

    pairs = [entry.partition("=") for entry in change or []]
    wrong = [entry for entry, pair in zip(change or [], pairs, strict=True) if not all(pair)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]}: write key=value", param_hint="--set")
    overrides = {key: value for key, _, value in pairs}
    numbers = _seeds(seeds, overrides)
    with watching(json) as watch:
        loaded = on_ray(load_task(task, data, granted(allow_code)), ray)
        many = len(recipe) > 1 or numbers or loaded.execution.engine == "ray"
        folder = whole_path(runs)
        if many:
            lines = _sweep(recipe, numbers, loaded, folder, watch, overrides)
        else:
            lines = _one(recipe[0], loaded, folder, watch, overrides)
    for line in lines:
        typer.echo(indented(line, MOST_SAID), err=json)


def _seeds(said: str, overrides: Mapping[str, str]) -> list[int]:
    """Return the seeds that are named."""
    words = [word.strip() for word in said.split(",")] if said else []
    if not all(word.isascii() and word.isdecimal() and int(word) < 2**31 for word in words):
        raise typer.BadParameter(f"{said}: write whole numbers, as 0,1,2", param_hint="--seeds")
    if words and "seed" in overrides:
        raise typer.BadParameter("--set seed=… is there already", param_hint="--seeds")
    return list(dict.fromkeys(map(int, words)))


def _one(recipe: str, task: Task, runs: Path, watch: Live | Events, fields: Fields) -> list[str]:
    """Run one recipe; return what to tell of it."""
    from ladder.artefacts.card import read_training
    from ladder.commands.train import train_recipe
    from ladder.report.events import answered

    lines, folder = train_recipe(recipe, task, runs, watch, fields)
    answered(watch, 0, folder, lambda: read_training(folder))
    return lines


def _sweep(
    recipes: list[str],
    seeds: list[int],
    task: Task,
    runs: Path,
    watch: Live | Events,
    fields: Fields,
) -> list[str]:
    """Run several trainings; return what to tell of all.

    Raises:
        TrainingError: one has failed; the others are told of before.
    """
    from ladder.commands.sweep import lines, refuse_failed, sweep
    from ladder.report.events import answered

    found = sweep(recipes, seeds, task, runs, watch, fields)
    told = list(lines(found))
    if found.failed:
        for line in told:
            watch.say(line)
        refuse_failed(found)
    answered(watch, 0, runs / "artefacts", found.as_record)
    return told


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
