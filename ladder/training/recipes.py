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
from ladder.wording import harmless

RowKind = Literal["answers", "pairs", "graded", "prompts", "labels"]
"""What a program learns from: prompt and completion; prompt, chosen and rejected; prompt,
completion and whether it is desirable; prompts alone; text and label."""

StartsFrom = Literal["base", "student"]


SHARED = ("running.py", "settings.py", "rows.py", "steps.py", "template.py")
"""What every program imports."""


@dataclass(frozen=True)
class Program:
    """What is known of a training program before it is run."""

    rows: RowKind
    imports: tuple[str, ...] = SHARED
    """What lies beside it; a copied program takes it along."""
    reads_teacher: bool = False
    """Whether it reads a teacher's own weights; else what a teacher has answered."""
    fills_fields: bool = False
    """Whether it is told what the task's answers are (`training.rows.answer_kind`)."""


PREFERENCE = (*SHARED, "preference.py")
LABELLED = ("rows.py", "running.py", "settings.py", "template.py")
PROGRAMS: Mapping[str, Program] = {
    "sft.py": Program("answers"),
    "dpo.py": Program("pairs", PREFERENCE),
    "orpo.py": Program("pairs", PREFERENCE),
    "kto.py": Program("graded", PREFERENCE),
    "distill_logits.py": Program("answers", reads_teacher=True),
    "distill_on_policy.py": Program("prompts", reads_teacher=True),
    "student_label.py": Program("labels", LABELLED),
    "student_encoder.py": Program("labels", (*LABELLED, "fields.py"), fills_fields=True),
}
FROM_A_TASK = frozenset(
    """
    program starts_from use_peft lora_r lora_alpha lora_dropout lora_target_modules lora_task_type
    use_rslora use_dora load_in_4bit load_in_8bit bnb_4bit_quant_type use_bnb_nested_quant dtype
    learning_rate lr_scheduler_type warmup_steps warmup_ratio num_train_epochs max_steps
    per_device_train_batch_size gradient_accumulation_steps max_length max_prompt_length
    max_completion_length completion_only_loss assistant_only_loss packing train_sampling_strategy
    gradient_checkpointing bf16 fp16 tf32 optim weight_decay max_grad_norm
    adam_beta1 adam_beta2 adam_epsilon neftune_noise_alpha label_smoothing_factor beta temperature
    lmbda loss_type label_smoothing desirable_weight undesirable_weight precompute_ref_log_probs
    precompute_ref_batch_size logging_steps logging_first_step save_strategy save_steps
    save_total_limit report_to disable_tqdm seed data_seed full_determinism C max_iter
    distillation_weight loss_top_k remove_unused_columns padding_free head_learning_rate
    """.split()  # noqa: SIM905 - read as words
)
"""Fields that a recipe which comes with a task may set: none of them names a file, a host, a key or
code. TRL has hundreds more, and some of those load what they name."""
RECIPE_LIMIT_BYTES = 100_000
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

    @property
    def files(self) -> tuple[Path, ...]:
        """Its settings, its program, and what that imports: all that a training depends on."""
        return (self.path, self.program, *self.beside)


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


def task_recipe(name: str, folder: Path) -> Recipe:
    """Return the recipe that a task names: a shipped one, or a file in the task's folder.

    Such a file comes with the task, so it may set `FROM_A_TASK` and nothing else.

    Raises:
        TrainingError: there is no such recipe, it lies elsewhere, or it sets another field.
    """
    there = {path.stem: path for path in shipped("recipes").glob("*.yaml")}
    if name in there:
        return read_recipe(there[name])
    path = folder / name
    if path.suffix != ".yaml" or not path.is_file():
        raise TrainingError(
            f"no recipe `{harmless(name, 80)}`; there are {', '.join(sorted(there))}, or name a "
            "YAML file beside the task"
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TrainingError(
            f"training.recipe: `{harmless(name, 80)}` is not in the task's folder. Put it there, "
            f"or name it yourself: ladder train {harmless(name, 80)} --task …"
        )
    recipe = read_recipe(path)
    values = yaml.safe_load(recipe.path.read_text(encoding="utf-8"))
    other = [str(each) for each, value in values.items() if not _tunes(each, value)]
    if other:
        named = ", ".join(harmless(each, 40) for each in sorted(other)[:5])
        raise TrainingError(
            f"{recipe.path}: got {named}, wanted fields that tune a training. A recipe that comes "
            "with a task may name no file, host or code; where you trust it, run it by hand: "
            f"ladder train {recipe.path} --task …"
        )
    return recipe


def _tunes(field: object, value: object) -> bool:
    """Tell whether a field of a recipe only tunes a training."""
    if field == "report_to":
        return value == "none"
    values = value if isinstance(value, list) else [value]
    plain = all(each is None or isinstance(each, str | int | float) for each in values)
    return field in FROM_A_TASK and plain


def read_recipe(path: Path, *, own: bool = False) -> Recipe:
    """Read a recipe file (`find_recipe` says what `own` is).

    Raises:
        TrainingError: it is not YAML of fields and values, or names a program that is not there.
    """
    text = read_text(path, "a recipe", _no_recipe, RECIPE_LIMIT_BYTES)
    try:
        _, values = read_yaml(text)
    except (ValueError, RecursionError):
        raise TrainingError(f"{path}: values that YAML cannot hold") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the text itself is not shown
        line = f":{mark.line + 1}" if mark else ""
        said = harmless(str(getattr(error, "problem", "") or type(error).__name__), 80)
        raise TrainingError(f"{path}{line}: not YAML ({said})") from None
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: no fields in it; write `learning_rate: 1.0e-4` and the like")
    program = str(values.get("program", "sft.py"))
    if program not in PROGRAMS:
        there = ", ".join(PROGRAMS)
        raise TrainingError(f"{path}: `program: {harmless(str(program), 60)}` is none of {there}")
    if values.get("trust_remote_code"):
        fix = "name the model in the task's rules.remote_code"
        raise TrainingError(f"{path}: `trust_remote_code` holds for any model; leave it out, {fix}")
    starts_from = values.get("starts_from", "base")
    if starts_from not in get_args(StartsFrom):
        got = harmless(str(starts_from), 60)
        raise TrainingError(f"{path}: `starts_from: {got}` is neither base nor student")
    beside = path.parent / program
    runs = beside if own and beside.is_file() else shipped("recipes") / program
    return Recipe(path, runs, _when(text), starts_from)


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
