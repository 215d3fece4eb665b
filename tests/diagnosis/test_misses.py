"""What is seen of wrong answers without asking anything more: a real search, a recorded model."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from replayed import asking, of, replayed

from ladder.diagnosis.misses import misses
from ladder.evidence import Misses, Retrieval
from ladder.inference.answer import answer
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample

LABELS = ("Harbour Desk", "Blue Crew", "Rope Store", "Chart House")
PAGES = tuple(
    Document(f"page{at}", "", f"item{at}: {LABELS[at % 4]} keeps it.") for at in range(12)
)
TICKETS = tuple(Document(f"ticket{at}", "", f"Who keeps item{at}?") for at in range(12))
NAMED = {3: ("gone",), 4: ("page9",), 5: ()}
ROWS = tuple(
    Sample(f"g{at}", f"Who keeps item{at}?", LABELS[at % 4], doc_ids=NAMED.get(at, (f"page{at}",)))
    for at in range(7)
)
DATA = Data((), (), ROWS, (), documents=(*PAGES, *TICKETS), labels=LABELS)
SAID = {
    0: "Harbour Desk",
    1: "That would be the Blue Crew, I think.",
    **dict.fromkeys((2, 3, 4, 5, 6), "Somebody else."),
}


def seen(folder: Path, retrieval: Retrieval | None) -> Misses:
    """Return what is seen of these answers; that of the last row was cut."""
    reading = asking("Name the team.", "rag", decoding="free", retrieval=retrieval)

    def speak(prompt: str) -> str:
        return SAID[int(re.findall(r"item(\d+)\?", prompt)[-1])]

    bench = replayed(folder, DATA, lambda _: [reading], speak, answer={"type": "label"})
    candidate, evaluator = of(bench, reading), bench.evaluator
    *whole, last = answer(evaluator, candidate, ROWS)
    cut = replace(last, completion=replace(last.completion, cut=True))
    before = evaluator.models.asked
    found = misses(evaluator, candidate, [*whole, cut])
    assert evaluator.models.asked == before, "no model is asked"
    return found


def test_each_wrong_answer_stands_under_the_first_sign_that_holds(tmp_path: Path) -> None:
    found = seen(tmp_path, Retrieval(source="documents", k=2))
    assert (found.count, found.of) == (6, 7)
    assert found.signs == {
        "other form": ("g1",),
        "wrong beside its document": ("g2",),
        "not in the index": ("g3",),
        "not retrieved": ("g4",),
        "none": ("g5",),
        "cut off": ("g6",),
    }


def test_where_no_document_is_read_none_is_missed(tmp_path: Path) -> None:
    found = seen(tmp_path, None)
    assert found.signs == {
        "none": ("g2", "g3", "g4", "g5"),
        "other form": ("g1",),
        "cut off": ("g6",),
    }
