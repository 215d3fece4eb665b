"""`ladder import`: a task that `check` takes, the list of what is not in it, and clear refusals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from ladder.commands.check import check_task
from ladder.commands.imports import import_task
from ladder.commands.proposal import Talk, Wishes
from ladder.errors import ProblemsError
from ladder.progress import Quiet
from ladder.samples.reading import read_rows
from ladder.samples.splits import all_samples
from ladder.task import Task, load_task

WRITTEN = ROOT / "tests/importers/written"
LABELS = ("refund", "delivery", "invoice")
TAKES = Wishes(takes_proposals=True)
WORDS = (ROOT / "docs/glossary.md").read_text().split()


def questions(count: int) -> list[tuple[str, str]]:
    draw = random.Random(0)
    words = sorted({word for word in WORDS if word.isalpha()})
    return [(" ".join(draw.sample(words, 9)), LABELS[at % 3]) for at in range(count)]


ROWS = questions(150)


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def openai(folder: Path) -> Path:
    grader = {"type": "string_check", "name": "right", "operation": "eq",
              "input": "{{sample.output_text}}", "reference": "{{item.label}}"}  # fmt: skip
    python = {"type": "python", "name": "own", "source": "import os"}
    return lines(folder / "given/export.jsonl", [
        {"object": "eval", "name": "Mail", "testing_criteria": [grader, python]},
        *({"item": {"mail": a, "label": b}, "sample": {"output_text": "x"}} for a, b in ROWS),
    ])  # fmt: skip


def dashboard(folder: Path) -> Path:
    """The lines that OpenAI's dashboard exports: graders by their name and their grades alone."""
    return lines(folder / "given/export.jsonl", [
        {"run_id": "run", "data_source_idx": n, "item": {"mail": a, "label": b},
         "sample": {"input": [{"role": "user", "content": a}],
                    "outputs": [{"role": "assistant", "content": "x"}]},
         "grades": {"right": 0.0}, "passes": {"right": False}}
        for n, (a, b) in enumerate(ROWS)
    ])  # fmt: skip


def promptfoo(folder: Path) -> Path:
    tests = [{"vars": {"q": a}, "assert": [{"type": "equals", "value": b}]} for a, b in ROWS]
    config = {"prompts": ["Name the kind of the mail.\n\nMail: {{q}}"], "providers": ["echo"],
              "tests": tests, "defaultTest": {"assert": [{"type": "javascript", "value": "x"}]},
              "env": {"PROMPTFOO_PASS_RATE_THRESHOLD": 70}}  # fmt: skip
    path = folder / "given/promptfooconfig.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(config))
    return path.parent


def inspect(folder: Path) -> Path:
    samples = [{"id": n, "epoch": 1, "input": a, "target": b} for n, (a, b) in enumerate(ROWS)]
    spec = {"task": "mail", "model": "m", "scorers": [{"name": "exact"}]}
    path = folder / "given/log.json"
    path.parent.mkdir()
    path.write_text(
        json.dumps({"version": 2, "status": "success", "eval": spec, "samples": samples})
    )
    return path


def lm_eval(folder: Path) -> Path:
    def line(number: int, asked: str, label: str) -> dict[str, Any]:
        pairs = {f"gen_args_{i}": {"arg_0": asked, "arg_1": f" {x}"} for i, x in enumerate(LABELS)}
        return {"doc_id": number, "doc": {"x": asked}, "target": str(LABELS.index(label)),
                "arguments": pairs, "resps": [], "metrics": ["acc", "brier"]}  # fmt: skip

    rows = [line(number, *pair) for number, pair in enumerate(ROWS)]
    return lines(folder / "given/samples_mail_2026-01-01T00-00-00.000000.jsonl", rows)


def deepeval(folder: Path) -> Path:
    rows = [{"input": a, "expected_output": b, "context": [f"About {b} {n % 7}"],
             "actual_output": "x", "expected_tools": [{"name": "t"}] if n == 3 else None}
            for n, (a, b) in enumerate(ROWS)]  # fmt: skip
    return lines(folder / "given/goldens.jsonl", rows)


def ragas(folder: Path) -> Path:
    rows = [{"user_input": a, "reference": b, "reference_contexts": [f"About {b}"],
             "rubrics": {"a": 1}} for a, b in ROWS]  # fmt: skip
    return lines(folder / "given/set.jsonl", rows)


MAKERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "openai-evals": (openai, "the python grader `own`"),
    "dashboard": (dashboard, "the grader `right`, of which there are grades alone"),
    "promptfoo": (promptfoo, "the assertion `javascript`"),
    "inspect": (inspect, "the model `m`"),
    "lm-eval": (lm_eval, "the metric `brier`"),
    "deepeval": (deepeval, "the column `expected_tools`"),
    "ragas": (ragas, "the column `rubrics`"),
}


def made(
    source: Path, folder: Path, wishes: Wishes = TAKES, form: str = ""
) -> tuple[Task, list[str]]:
    said: list[str] = []
    import_task(source, folder, form, wishes, Talk(said.append, Quiet()))
    assert check_task(folder / "task.yaml", None)[0].endswith("no mistake found")
    return load_task(folder / "task.yaml"), said


@pytest.mark.parametrize("form", MAKERS)
def test_an_import_is_a_task_that_check_takes(form, tmp_path):
    maker, lost = MAKERS[form]
    task, said = made(maker(tmp_path), tmp_path / "task")
    samples = all_samples(read_rows(task))
    assert {(sample.input.removeprefix("Mail: "), sample.target) for sample in samples} == set(ROWS)
    assert task.answer.type == "label"
    assert [each.name for each in task.score] == ["exact_match"]
    assert (
        any(lost in line and line.startswith("not as it was:") for line in said)
        or form == "inspect"
    )
    text = (tmp_path / "task/import.md").read_text()
    assert lost.split("`")[1] in text
    assert "import.md (" in (tmp_path / "task/task.yaml").read_text().splitlines()[1]
    if form in ("deepeval", "ragas"):
        assert task.data.documents == "documents.jsonl"
        assert all(sample.doc_ids for sample in samples)
    if form == "promptfoo":
        assert task.gate.min_score == 0.7
        assert task.goal == "Name the kind of the mail."


@pytest.mark.parametrize("form", MAKERS)
def test_an_earlier_answer_is_no_target(form, tmp_path):
    task, _ = made(MAKERS[form][0](tmp_path), tmp_path / "task")
    assert {sample.target for sample in all_samples(read_rows(task))} == set(LABELS)


def refused(source: Path, folder: Path, wishes: Wishes = TAKES, form: str = "") -> str:
    with pytest.raises(ProblemsError) as caught:
        made(source, folder, wishes, form)
    assert not (folder / "task.yaml").exists()
    return str(caught.value)


def test_too_few_rows_are_told_of_the_source(tmp_path):
    said = refused(WRITTEN / "openai-3.57.0", tmp_path / "task")
    assert str(WRITTEN / "openai-3.57.0") in said
    assert "at least 30" in said


def test_nothing_is_overwritten(tmp_path):
    source = deepeval(tmp_path)
    (tmp_path / "task").mkdir()
    (tmp_path / "task/import.md").write_text("mine")
    assert "another file" in refused(source, tmp_path / "task")
    assert (tmp_path / "task/import.md").read_text() == "mine"


def test_what_is_no_known_format_says_what_is(tmp_path):
    rows = lines(tmp_path / "rows.jsonl", [{"input": "a", "target": "b"}])
    assert "ladder init" in refused(rows, tmp_path / "task")
    (tmp_path / "empty").mkdir()
    assert "may hold samples" in refused(tmp_path / "empty", tmp_path / "task")
    assert "no such file" in refused(tmp_path / "nowhere", tmp_path / "task")
    assert "one of openai-evals" in refused(rows, tmp_path / "task", form="excel")
    broken = tmp_path / "broken.json"
    broken.write_text('[{"input": "a", ')
    assert "cut off" in refused(broken, tmp_path / "task")


def test_two_formats_in_a_folder_are_a_question(tmp_path):
    openai(tmp_path)
    (tmp_path / "given/log.json").write_text((WRITTEN / "inspect-0.3.60.json").read_text())
    said = refused(tmp_path / "given", tmp_path / "task")
    assert "openai-evals and inspect" in said
    assert "--from openai-evals" in said
    task, _ = made(tmp_path / "given/export.jsonl", tmp_path / "task", form="openai-evals")
    assert len(all_samples(read_rows(task))) == len(ROWS)


def test_rows_without_an_answer_are_kept_beside_the_task(tmp_path):
    source = deepeval(tmp_path)
    with source.open("a") as file:
        file.write(json.dumps({"input": "open?", "expected_output": None, "context": []}) + "\n")
    _, said = made(source, tmp_path / "task")
    assert json.loads((tmp_path / "task/without_target.jsonl").read_text())["input"] == "open?"
    assert any("without a right answer" in line and "goldens.jsonl:151" in line for line in said)


def test_a_column_that_is_open_is_said_by_an_option(tmp_path):
    rows = [{"item": {"mail": a, "one": b, "two": b[::-1]}} for a, b in ROWS]
    source = lines(tmp_path / "given/items.jsonl", rows)
    said = refused(source, tmp_path / "task")
    assert "--target one or --target two" in said
    task, _ = made(source, tmp_path / "task", Wishes(target="one", takes_proposals=True))
    assert {sample.target for sample in all_samples(read_rows(task))} == set(LABELS)


def test_the_users_word_goes_before_the_sources(tmp_path):
    wishes = Wishes(goal="Sort it.", min_score=0.55)
    task, _ = made(promptfoo(tmp_path), tmp_path / "task", wishes)
    assert (task.goal, task.gate.min_score) == ("Sort it.", 0.55)


def test_hostile_texts_act_nowhere(tmp_path):
    source = promptfoo(tmp_path)
    config = yaml.safe_load((source / "promptfooconfig.yaml").read_text())
    bad = "\x1b[2J```\n# x <script>\u202e"
    config |= {"providers": [bad], bad: 1, "description": "../../evil"}
    (source / "promptfooconfig.yaml").write_text(yaml.safe_dump(config))
    made(source, tmp_path / "task")
    text = (tmp_path / "task/import.md").read_text() + (tmp_path / "task/task.yaml").read_text()
    assert not set(text) & set("\x1b\u202e")
    assert "<script>" not in text.replace("`", "")


def test_the_command_writes_a_task_named_after_the_source(tmp_path, ladder, monkeypatch):
    source = inspect(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = ladder("import", source, "--yes")
    assert (done.code, done.errors) == (0, "")
    assert "Wrote mail/task.yaml, mail/rows.jsonl and mail/import.md" in done.out
    again = ladder("import", source, "--yes")
    assert "mail-task/task.yaml" in again.out
    ladder("import", source, "third").refused("--yes")
