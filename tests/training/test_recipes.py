"""Recipes: found, read, refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ladder.errors import TrainingError
from ladder.files import shipped
from ladder.training.recipes import (
    copy_recipe,
    find_recipe,
    read_recipe,
    shipped_recipes,
)

PROGRAM = """\
import json, os, pathlib, signal, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(words["--output_dir"])
with (folder / "starts").open("a") as file:
    file.write(json.dumps(words) + "\\n")
(folder / "progress.jsonl").write_text('{"step": 1, "steps": 1}\\n')
until = time.monotonic() + 60
while "--wait" in words and not (folder / "go").exists() and time.monotonic() < until:
    time.sleep(0.02)
if "--die" in words:
    os.kill(os.getpid(), signal.SIGKILL)
if "--fail" in words:
    print("Traceback", file=sys.stderr)
    sys.exit("the rows are too long")
record = {"seconds": 2.5, "tokens": 7, "peak_memory_mb": 10, "peak_gpu_memory_mb": 30}
(folder / "training.json").write_text(json.dumps(record))
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe copied beside a task, with a program of its own."""
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "mine.yaml").write_text("learning_rate: 1e-4\n")
    (tmp_path / "copied" / "sft.py").write_text(PROGRAM)
    return tmp_path / "copied" / "mine.yaml"


@pytest.mark.parametrize("name", ["lora", "qlora", "distill_sequence"])
def test_shipped_recipes_are_found_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yaml").write_text("")
    assert find_recipe(name, tmp_path).path == shipped("recipes") / f"{name}.yaml"


def test_a_recipe_cannot_let_any_models_code_run(recipe: Path) -> None:
    recipe.write_text("trust_remote_code: true\n")
    with pytest.raises(TrainingError, match=r"rules\.remote_code"):
        read_recipe(recipe)


def test_a_recipe_beside_the_task(recipe: Path, tmp_path: Path) -> None:
    assert find_recipe("mine.yaml", recipe.parent).path == recipe
    assert find_recipe("copied/mine.yaml", tmp_path).path == recipe
    assert find_recipe(str(recipe), tmp_path / "elsewhere").path == recipe


@pytest.mark.parametrize("name", ["none", "mine", "sft.py", "none.yaml", ""])
def test_no_such_recipe_lists_the_shipped_ones(name: str, recipe: Path) -> None:
    with pytest.raises(TrainingError, match=r"distill_sequence, .*lora, .*qlora") as caught:
        find_recipe(name, recipe.parent)
    assert f"`{name}`" in str(caught.value)


def imported_beside(program: Path) -> set[str]:
    """Return the files beside a program that it imports, and that those import."""
    found: set[str] = set()
    todo = [program]
    while todo:
        text = todo.pop().read_text()
        names = {f"{name}.py" for name in re.findall(r"^from (\w+) import", text, re.MULTILINE)}
        new = {name for name in names - found if (program.parent / name).is_file()}
        found |= new
        todo += [program.parent / name for name in new]
    return found


def test_every_shipped_recipe_says_when_to_use_it_and_can_be_owned(tmp_path: Path) -> None:
    for recipe in shipped_recipes():
        assert len(recipe.when.split()) > 8, recipe.name
        made = copy_recipe(recipe.name, tmp_path / recipe.name)
        names = [recipe.path.name, recipe.program.name, *recipe.about.imports]
        assert [path.name for path in made] == names
        assert imported_beside(recipe.program) == set(recipe.about.imports)
        assert find_recipe(str(made[0]), tmp_path, own=True).program == made[1]
        assert find_recipe(str(made[0]), tmp_path).program == recipe.program
        with pytest.raises(TrainingError, match="is there already"):
            copy_recipe(recipe.name, tmp_path / recipe.name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("program: rm.py\n", "is none of sft.py"),
        ("starts_from: scratch\n", "neither base nor student"),
        ("- a\n- list\n", "no fields in it"),
        ("a: [1\n", "not YAML"),
        ("", "no fields in it"),
    ],
)
def test_a_file_that_is_no_recipe(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(TrainingError, match=why):
        find_recipe("mine.yaml", tmp_path)
