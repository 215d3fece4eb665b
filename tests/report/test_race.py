"""The race in words: every term of a description is explained, and none that is not there."""

from __future__ import annotations

import re
from itertools import product

import pytest
from assessments import attempt

from ladder.evidence import Candidate, RaceLine, Retrieval
from ladder.inference.forms import READ, describe
from ladder.report.attempt import result_blocks
from ladder.report.blocks import Folded, Paragraph
from ladder.report.race import HOW, WORDS, meaning, race_blocks

CANDIDATE = Candidate(rung="prompt", description="", model="bundled:m")
FORMS = (
    CANDIDATE.but(form="chat"),
    CANDIDATE.but(form="chat", instruction="Say it."),
    CANDIDATE.but(wording=("Your text", "Team")),
    CANDIDATE.but(instruction="Say it.", with_goal=True),
    CANDIDATE.but(with_goal=False, votes=8),
    CANDIDATE.but(rewrite=True, shots=("a", "b")),
)
ANSWERS = (("free", "none"), ("json", "none"), ("constrained", "none"),
           ("scored", "empty"), ("scored", "batch"))  # fmt: skip


def candidates() -> list[Candidate]:
    asked = [form.but(decoding=how, calibration=by) for form, (how, by) in product(FORMS, ANSWERS)]
    read = [
        CANDIDATE.but(retrieval=Retrieval(source=source, k=k, narrow=k > 1), decoding="scored")
        for source in READ
        for k in (1, 4)
        if source != "gold"  # an ablation, and never raced
    ]
    return [*asked, *read]


@pytest.mark.parametrize("described", sorted({describe(each) for each in candidates()}))
def test_every_term_of_a_description_is_explained(described: str) -> None:
    for part in described.split(", "):
        assert any(re.search(term, part) for term in WORDS), part
        assert meaning([part])


def test_nothing_is_explained_that_is_not_there() -> None:
    assert meaning(["linear classifier on character n-grams"]) == ""
    assert meaning(["Text/Label, 1 document"]) == (
        "A/B: the prompt calls the input A and the answer B; "
        "documents: so many that a search found for the input are in the prompt."
    )


def test_the_race_says_how_it_is_won_and_what_its_words_mean() -> None:
    lines = (
        RaceLine(description="Text/Label, free text", score=0.12, n=8, dropped=False),
        RaceLine(description="chat, free text", score=0.25, n=8, dropped=True),
    )
    [folded] = race_blocks(attempt("prompt", "fail", race=lines))
    assert isinstance(folded, Folded)
    [said] = [block for block in folded.inside if isinstance(block, Paragraph)]
    how, words = said.lines
    assert how == HOW
    for term in ("A/B", "chat", "free text"):
        assert f"{term}: " in words


@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_nobody_is_called_a_winner_under_a_rung(verdict: str) -> None:
    blocks = list(result_blocks(attempt("prompt", verdict), ()))
    assert "Best candidate: best prompt. the reason of prompt." in str(blocks)
    assert "Winner" not in str(blocks)
