"""Two stories on the real model: a retriever that stuffs the window, and a skill nobody can read.

Both are told over the ferry line's handbook. A ticket archive stands beside it: every question was
asked before, word for word, and the tickets do not say who is responsible. So the ticket is always
found first, and the handbook's page second.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from ladder.commands.assess import assess
from ladder.evidence import Assessment
from ladder.progress import Quiet
from ladder.report.causes import diagnosis_sentence
from ladder.task import load_task

pytestmark = pytest.mark.long
SHIPPED = ROOT / "evalsets/r2_ferry_handbook"
CODES = {
    "Harbour Desk": "H-11", "Lantern Team": "L-27", "Blue Crew": "B-34", "Quay Office": "Q-42",
    "Tiller Group": "T-58", "Gannet Unit": "G-63", "Rope Store": "R-75", "Signal Room": "S-80",
    "Galley Circle": "C-96", "Chart House": "W-09",
}  # fmt: skip
"""What the company calls its teams in its own forms; no document says so."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the stories ask the same of the prompt rung."""
    return tmp_path_factory.mktemp("runs")


def rows_of(name: str) -> list[dict]:
    return [json.loads(line) for line in (SHIPPED / name).read_text().splitlines()]


def write(folder: Path, name: str, rows: list[dict]) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def story(folder: Path, copies: int, **changed) -> Path:
    """Write the task: the handbook and its tickets, each `copies` times in the index."""
    train, test = rows_of("train.jsonl"), rows_of("test.jsonl")
    tickets = [
        {
            "id": f"ticket-{row['id']}",
            "title": "Closed ticket",
            "text": f"{row['input']} Answered by telephone, nothing was noted.",
        }
        for row in (*train, *test)
    ]
    index = [
        {**document, "id": document["id"] if copy == 1 else f"{document['id']}-copy-{copy}"}
        for document in (*rows_of("documents.jsonl"), *tickets)
        for copy in range(1, copies + 1)
    ]
    write(folder, "documents.jsonl", index)
    for name, rows in (("train.jsonl", train), ("test.jsonl", test)):
        codes = changed.get("codes")
        write(folder, name, [{**r, "target": codes[r["target"]]} if codes else r for r in rows])
    task = yaml.safe_load((SHIPPED / "task.yaml").read_text())
    if changed.get("codes"):
        task["answer"] = {"type": "label", "labels": sorted(CODES.values())}
        task["goal"] = "Give the code of the Skerrow Line team that is responsible for the matter."
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
    return folder / "task.yaml"


def assessed(path: Path, runs: Path) -> tuple[Assessment, Path]:
    return assess(load_task(path), runs, Quiet())


def test_a_healthy_index_needs_no_mending(tmp_path: Path, runs: Path) -> None:
    found, _ = assessed(story(tmp_path, copies=1), runs)
    assert found.recommendation.rung == "rag"
    rag = found.attempts[-1]
    assert rag.status == "passed"
    assert rag.fixes == ()
    assert rag.candidate.retrieval.k > 1, "one text is the ticket: the story needs more than one"


def test_every_chunk_five_times_is_mended_not_trained_for(tmp_path: Path, runs: Path) -> None:
    found, folder = assessed(story(tmp_path, copies=5), runs)
    assert found.recommendation.rung == "rag"
    assert [attempt.rung for attempt in found.attempts] == ["prompt", "rag"]
    assert found.effort.trainings_made == 0
    rag = found.attempts[-1]
    assert rag.status == "passed"
    (fix,) = rag.fixes
    assert (fix.cause, fix.kept) == ("redundancy", True)
    assert fix.on_dev.difference > 0.3
    assert fix.unseen is not None
    assert fix.unseen.claim == "better"
    assert rag.candidate.retrieval.unique
    assert "**redundancy** → repeats left out" in (folder / "report.md").read_text()
    assert not list(runs.glob("artefacts/*/training.json"))


def test_a_skill_fault_goes_on_to_lora_and_says_why(tmp_path: Path, runs: Path) -> None:
    """The targets are codes that no document holds: the right page does not help either."""
    found, folder = assessed(story(tmp_path, copies=1, codes=CODES), runs)
    by_rung = {attempt.rung: attempt for attempt in found.attempts}
    rag = by_rung["rag"]
    assert rag.status == "failed"
    assert rag.diagnosis.causes[0].name == "skill"
    assert "even with the right document" in diagnosis_sentence(rag)
    assert rag.diagnosis.refuses == ()
    assert rag.diagnosis.ablations["oracle"].mean < 0.5
    assert by_rung["lora"].measurement is not None
    assert "The same 25 rows with one thing changed" in (folder / "report.md").read_text()
