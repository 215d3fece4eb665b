"""The recipes: a YAML file in TRL's and PEFT's own field names, and the program that runs it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import yaml

from ladder.errors import Problem, TrainingError
from ladder.files import read_text, shipped
from ladder.task import read_yaml

RowKind = Literal["answers", "pairs", "graded", "prompts", "labels"]
"""What a program learns from: prompt and completion; prompt, chosen and rejected; prompt,
completion and whether it is desirable; prompts alone; text and label."""

StartsFrom = Literal["base", "student"]


@dataclass(frozen=True)
class Program:
    """What is known of a training program before it is run."""

    rows: RowKind
    imports: tuple[str, ...] = ("running.py",)
    """What lies beside it; a copied program takes it along."""
    reads_teacher: bool = False
    """Whether it reads a teacher's own weights; else what a teacher has answered."""


PREFERENCE = ("running.py", "preference.py")
PROGRAMS: Mapping[str, Program] = {
    "sft.py": Program("answers"),
    "dpo.py": Program("pairs", PREFERENCE),
    "orpo.py": Program("pairs", PREFERENCE),
    "kto.py": Program("graded", PREFERENCE),
    "distill_logits.py": Program("answers", reads_teacher=True),
    "distill_on_policy.py": Program("prompts", reads_teacher=True),
    "student_label.py": Program("labels"),
}
RECIPE_LIMIT_BYTES = 1_000_000
COMMANDS = 2
"""The first lines of a recipe say how to launch it, with `ladder` and without."""


@dataclass(frozen=True)
class Recipe:
    """A recipe file, read but not run."""

    path: Path
    program: Path
    when: str
    """When to use it, from the file's comments."""
    starts_from: StartsFrom = "base"
    """Which of the task's models it trains."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.path.stem

    @property
    def rows(self) -> RowKind:
        """What its program learns from."""
        return self.about.rows

    @property
    def about(self) -> Program:
        """What is known of its program."""
        return PROGRAMS[self.program.name]

    @property
    def beside(self) -> tuple[Path, ...]:
        """What its program imports."""
        return tuple(self.program.parent / name for name in self.about.imports)


def shipped_recipes() -> list[Recipe]:
    """Return every recipe that comes with the package, by name."""
    return [read_recipe(path) for path in sorted(shipped("recipes").glob("*.yaml"))]


def find_recipe(name: str, beside: Path, *, own: bool = False) -> Recipe:
    """Return a recipe: a shipped name, or a YAML file beside the task.

    Args:
        name: of a shipped recipe, or of a file.
        beside: the task's folder.
        own: run the program that lies beside the recipe, if one does. Only where a person names
            the recipe on the command line: a task file from elsewhere must not be able to have a
            program run.

    Raises:
        TrainingError: there is no such recipe, or it is not one.
    """
    for path in (shipped("recipes") / f"{name}.yaml", beside / name, Path(name)):
        if path.suffix == ".yaml" and path.exists() and not path.is_dir():
            return read_recipe(path, own=own)
    there = ", ".join(sorted(path.stem for path in shipped("recipes").glob("*.yaml")))
    raise TrainingError(f"no recipe `{name}`; there are {there}, or name a YAML file")


def read_recipe(path: Path, *, own: bool = False) -> Recipe:
    """Read a recipe file (`find_recipe` says what `own` is).

    Raises:
        TrainingError: it is not YAML of fields and values, or names a program that is not there.
    """
    text = read_text(path, "a recipe", _no_recipe, RECIPE_LIMIT_BYTES)
    try:
        _, values = read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: no fields in it; write `learning_rate: 1.0e-4` and the like")
    program = values.get("program", "sft.py")
    if program not in list(PROGRAMS):
        there = ", ".join(PROGRAMS)
        raise TrainingError(f"{path}: `program: {program}` is none of {there}")
    if values.get("trust_remote_code"):
        fix = "name the model in the task's rules.remote_code"
        raise TrainingError(f"{path}: `trust_remote_code` holds for any model; leave it out, {fix}")
    starts_from = values.get("starts_from", "base")
    if starts_from not in get_args(StartsFrom):
        raise TrainingError(f"{path}: `starts_from: {starts_from}` is neither base nor student")
    beside = path.parent / program
    there = beside if own and beside.is_file() else shipped("recipes") / program
    return Recipe(path, there, _when(text), starts_from)


def _no_recipe(problems: Sequence[Problem]) -> TrainingError:
    return TrainingError("; ".join(map(str, problems)))


def _when(text: str) -> str:
    lines = text.splitlines()
    comment = [line for line in lines if line.startswith("#")][COMMANDS:]
    return " ".join(line.removeprefix("#").strip() for line in comment)


def copy_recipe(name: str, into: Path) -> list[Path]:
    """Hand a shipped recipe over: its YAML, its program and what the program needs.

    Raises:
        TrainingError: there is no such recipe, or one of the files is there already.
    """
    recipe = find_recipe(name, into)
    names = (recipe.path.name, recipe.program.name, *recipe.about.imports)
    there = [into / each for each in names if (into / each).exists()]
    if there and there[0].name == recipe.path.name:
        raise TrainingError(f"{there[0]} is there already; remove it, or name another folder")
    into.mkdir(parents=True, exist_ok=True)
    made = [into / each for each in names if not (into / each).exists()]
    for path in made:
        shutil.copyfile(shipped("recipes") / path.name, path)
    return made
