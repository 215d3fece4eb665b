"""examples/: what their pages show is what the program prints; their rows are what made them."""

from __future__ import annotations

import csv
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from ladder.commands.check import check_task
from ladder.task import load_task

SPEC = importlib.util.spec_from_file_location(
    "record_examples", ROOT / "benchmarks/record_examples.py"
)
assert SPEC
assert SPEC.loader
examples = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(examples)

QUICKEST = "product_questions"
MADE = ("product_questions", "invoice_bookings")
"""Those whose rows a program joins."""


def steps(name: str) -> list[re.Match[str]]:
    return list(examples.STEP.finditer((ROOT / "examples" / name / "README.md").read_text()))


def answer_in(text: str) -> str:
    """Return the sentence with the answer, without figures and technique."""
    [found] = re.findall(r"^Answer: (\w+)", text, re.MULTILINE)
    return str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", examples.names())
def test_init_and_check_print_what_the_page_shows(name: str, tmp_path: Path) -> None:
    folder = examples.copy_of(name, tmp_path)
    first, second, third = steps(name)
    assert [step["command"].split()[1] for step in (first, second, third)] == [
        "init",
        "check",
        "assess",
    ]
    for step in (first, second):
        assert examples.run(step["command"], folder) == step["output"]
    [task] = folder.glob("*/task.yaml")
    for step in (second, third):
        assert str(task.relative_to(folder)) in step["command"]
    headline = next(line for line in second["output"].splitlines() if "eval examples," in line)
    assert headline in first["output"]
    assert headline in third["output"]


@pytest.mark.slow
@pytest.mark.parametrize("name", examples.names())
def test_the_rows_are_clean(name: str, tmp_path: Path) -> None:
    """No mistake, no leak and no near-duplicate, so that every row counts."""
    folder = examples.copy_of(name, tmp_path)
    examples.run(steps(name)[0]["command"], folder)
    [task] = folder.glob("*/task.yaml")
    said = "\n".join(check_task(task, None))
    for words in ("no mistake found", "no leak found", "0 near-duplicates"):
        assert words in said
    assert "when_undecided" not in load_task(task).gate.model_fields_set, "the rows prove no gate"


@pytest.mark.parametrize("name", MADE)
def test_the_programs_write_the_rows_that_are_shipped(name: str, tmp_path: Path) -> None:
    folder = examples.copy_of(name, tmp_path)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder / "pages", ignore_errors=True)
    for path in folder.glob("*.csv"):
        path.unlink()
    subprocess.run([sys.executable, folder / "make_rows.py"], check=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_no_article_is_for_training_and_for_judging() -> None:
    folder = ROOT / "examples/product_questions"
    articles = [line.split("|") for line in (folder / "articles.txt").read_text().splitlines()]
    of = {asked: name for name, _, _, *asks in articles for asked in asks}
    train, test = (
        {of[row["question"]] for row in csv.DictReader((folder / f"questions-{part}.csv").open())}
        for part in ("train", "test")
    )
    assert not train & test
    assert train | test == {name for name, *_ in articles}


@pytest.mark.long
@pytest.mark.parametrize("name", examples.names())
def test_the_commands_of_an_example_end_as_its_page_says(
    name: str, tmp_path: Path, smollm: Path
) -> None:
    folder = examples.copy_of(name, tmp_path)
    for step in steps(name):
        printed = examples.run(step["command"], folder)
    assert answer_in(printed) == answer_in(step["output"])
    if name == QUICKEST:
        [run] = (folder / "runs").glob("*/*/")
        assert {"report.html", "brief.html", "revalidation.yaml"} <= {
            path.name for path in run.iterdir()
        }
