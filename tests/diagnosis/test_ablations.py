"""A broken format beside whatever else is wrong: real ablations, a recorded model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benches import bench_over, task_with
from replayed import asking

from ladder.diagnosis.ablations import run_ablations
from ladder.diagnosis.changes import changes, diagnostic_ablations
from ladder.diagnosis.rules import Ablations, beyond_chance, diagnose
from ladder.engines.base import Completion, Request
from ladder.engines.replay import record
from ladder.evidence import Candidate, Diagnosis, LimitVerdict, Retrieval, Verdict
from ladder.inference.answer import answer
from ladder.inference.prompts import request_for
from ladder.rungs import fixes
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample

LABELS = ("Harbour Desk", "Blue Crew", "Rope Store", "Chart House")
ROWS = 24


def rows(prefix: str, count: int) -> tuple[Sample, ...]:
    """Return questions, each with its page, which the search ranks below a ticket."""
    return tuple(
        Sample(f"{prefix}{at}", f"Who keeps item{at}?", LABELS[at % 4], doc_ids=(f"page{at}",))
        for at in range(count)
    )


PAGES = tuple(
    Document(f"page{at}", "", f"item{at}: {LABELS[at % 4]} keeps it.") for at in range(ROWS)
)
TICKETS = tuple(Document(f"ticket{at}", "", f"Who keeps item{at}?") for at in range(ROWS))
DATA = Data((), rows("d", 8), rows("g", ROWS), (), documents=(*PAGES, *TICKETS), labels=LABELS)
FREE = asking(
    "Name the team.", "rag", decoding="free", retrieval=Retrieval(source="documents", k=1)
)
MISSED = Verdict(
    status="fail",
    limits=(
        LimitVerdict(limit="min_score", wanted=0.8, got=0.0, distance=-0.8, verdict="fail", n=ROWS),
    ),
)

Writes = Callable[[str], str]
"""The team that stands in the text read, or nothing -> the answer in free text."""


def diagnosed(folder: Path, write: Writes, skilled: bool = True) -> tuple[Ablations, Diagnosis]:
    """Diagnose a model that can tell the team of the page it reads, and writes as it is told to.

    Args:
        folder: for the recording.
        write: how it puts an answer.
        skilled: off, the likeliest label is never the one it reads.
    """
    path = folder / "recorded.jsonl"
    path.write_text("")
    task = task_with(
        models={"base": f"replay:{path}"}, answer={"type": "label"}, gate={"min_score": 0.8}
    )
    candidate = FREE.but(model=task.models.base)
    evaluator = bench_over(task, DATA, folder / "asked").evaluator

    def completion(request: Request) -> Completion:
        block = request.text.rpartition("\n\n")[2]
        read = next((label for label in LABELS if label in block), "")
        likely = read if skilled or not read else LABELS[LABELS.index(read) - 1]
        return Completion(
            write(read),
            20,
            5,
            0.01,
            choice_logprobs=tuple(-1.0 if choice == likely else -4.0 for choice in request.choices),
        )

    ways: list[Candidate] = [
        candidate,
        *diagnostic_ablations(evaluator, candidate).values(),
        *changes(evaluator, candidate).values(),
    ]
    pairs = {}
    for way in ways:
        for sample in (*DATA.dev, *DATA.gate):
            request = request_for(evaluator, way, sample, evaluator.engine(way))
            pairs[request] = completion(request)
    record(path, list(pairs.items()))
    evaluator = bench_over(task, DATA, folder / "answered").evaluator
    outcomes = answer(evaluator, candidate, DATA.gate)
    found = run_ablations(evaluator, candidate, outcomes, every=True)
    return found, diagnose("retrieving", MISSED, found, task.gate, fixes())


def sentence(read: str) -> str:
    return f"That would be the {read}, I think." if read else "That is hard to say."


def off_the_labels(read: str) -> str:
    return "Somebody who keeps it." if read else "That is hard to say."


def test_an_answer_beside_the_right_document_is_read_leniently_too(tmp_path):
    """The search finds a ticket that names no team; beside the page every answer names it."""
    found, told = diagnosed(tmp_path, sentence, skilled=False)
    assert found.score("oracle") == 0
    assert found.score("lenient") == 0
    assert found.score("lenient oracle") == 1
    assert [(cause.name, cause.share) for cause in told.causes] == [("format", 1.0)]


def test_answers_outside_the_labels_are_format_where_the_model_knows_the_label(tmp_path):
    found, told = diagnosed(tmp_path, off_the_labels)
    assert found.score("lenient oracle") == 0
    assert found.score("constrained oracle") == 1
    assert [(cause.name, cause.share) for cause in told.causes] == [("format", 1.0)]


def test_answers_outside_the_labels_are_skill_where_it_does_not(tmp_path):
    found, told = diagnosed(tmp_path, off_the_labels, skilled=False)
    assert found.score("constrained oracle") == 0
    assert [(cause.name, cause.share) for cause in told.causes] == [("skill", 1.0)]


@pytest.mark.parametrize("decoding", ["scored", "constrained"])
def test_what_is_held_to_the_labels_is_not_held_again(tmp_path, decoding):
    path = tmp_path / "recorded.jsonl"
    path.write_text("")
    bench = bench_over(task_with(models={"base": f"replay:{path}"}), DATA, tmp_path)
    held = FREE.but(model=bench.task.models.base, decoding=decoding)
    assert "constrained" not in changes(bench.evaluator, held)
    assert "constrained oracle" not in diagnostic_ablations(bench.evaluator, held)
    free = changes(bench.evaluator, held.but(decoding="free"))["constrained"]
    assert (free.decoding, free.calibration) == ("scored", "batch")


def test_a_stronger_model_speaks_against_targets_in_a_form_that_cannot_break(tmp_path):
    paths = [tmp_path / name for name in ("base.jsonl", "teacher.jsonl")]
    for path in paths:
        path.write_text("")
    base, teacher = (f"replay:{path}" for path in paths)
    bench = bench_over(task_with(models={"base": base, "teacher": teacher}), DATA, tmp_path)
    ways = diagnostic_ablations(bench.evaluator, FREE.but(model=base))
    assert ways["strong oracle"].model == teacher
    assert ways["strong oracle"].decoding == "scored"
    assert ways["strong"].decoding == "free"


def test_constraining_beside_the_right_document_is_measured_against_that_document():
    """What the document mends is not the form's, however much better than production it is."""
    wrong, right = ({str(at): value for at in range(40)} for value in (0.0, 1.0))
    ablations = Ablations(wrong, {"oracle": right, "constrained oracle": right})
    assert beyond_chance(ablations, 0.05) == {"oracle"}
    ablations = Ablations(wrong, {"oracle": wrong, "constrained oracle": right})
    assert beyond_chance(ablations, 0.05) == {"constrained oracle"}
