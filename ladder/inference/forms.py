"""The ways in which a model can be asked, and how they are described."""

from __future__ import annotations

from typing import Literal, get_args

from ladder.evidence import Candidate
from ladder.inference.evaluator import Evaluator
from ladder.inference.prompts import MANY_LABELS, MOST_LETTERS

Calibration = Literal["batch", "empty", "none"]


CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)
"""Of candidates that score alike the first is kept: a calibrated one travels better."""


READ = {
    "documents": "{k} document{s}",
    "examples": "{k} nearest example{s}",
    "both": "{k} document{s} and {k} nearest example{s}",
    "gold": "the right document",
}


LABEL_WORDINGS = (
    ("Text", "Label"),
    ("Input", "Answer"),
    ("Message", "Intent"),
    ("Review", "Sentiment"),
    ("Sentence", "Category"),
    ("Question", "Answer"),
)


TEXT_WORDINGS = (("Input", "Output"), ("Question", "Answer"))


WORDINGS_OF_MANY_LABELS = 3


def wordings(evaluator: Evaluator) -> tuple[tuple[str, str], ...]:
    """Return what input and answer may be called; the user's own column names come first."""
    columns = evaluator.task.data.columns
    names = [columns.get(name, "") for name in ("input", "target")]
    own = [name.rpartition(".")[2].replace("_", " ").capitalize() for name in names]
    usual: tuple[tuple[str, str], ...]
    usual = LABEL_WORDINGS if evaluator.data.labels else TEXT_WORDINGS
    if len(evaluator.data.labels) > MANY_LABELS:
        usual = usual[:WORDINGS_OF_MANY_LABELS]
    return ((own[0], own[1]), *usual) if all(own) else usual


def held_to_schema(evaluator: Evaluator, candidate: Candidate) -> list[Candidate]:
    """Return a free candidate, constrained to the answers' schema; none where it cannot be."""
    can = evaluator.engine(candidate).abilities
    if candidate.decoding != "free" or not can.json_schema or evaluator.answer_schema is None:
        return []
    return [candidate.but(decoding="json")]


def as_it_takes(evaluator: Evaluator, candidate: Candidate) -> Candidate:
    """Return a candidate in a form that its model takes: turns of a chat, or one text."""
    can = evaluator.engine(candidate).abilities
    if candidate.form == "plain":
        return candidate if can.plain else candidate.but(form="chat")
    return candidate if can.chat else candidate.but(form="plain")


def scored(candidate: Candidate) -> list[Candidate]:
    """Return the ways to read a label from scores; all of them share the same requests."""
    by_calibration = [
        candidate.but(decoding="scored", scoring="sum", calibration=calibration)
        for calibration in CALIBRATIONS
    ]
    by_byte = candidate.but(decoding="scored", scoring="mean", calibration="none")
    constrained = {"decoding": "constrained", "scoring": "sum", "calibration": "none"}
    return [*by_calibration, by_byte, candidate.but(**constrained)]


def lettered(evaluator: Evaluator, candidate: Candidate) -> list[Candidate]:
    """Return a candidate with its labels as lettered options; none where they have no letter each.

    A model may like one letter whatever is asked, so both with and without what it likes.
    """
    narrow = candidate.retrieval is not None and candidate.retrieval.narrow
    if narrow or not 1 < len(evaluator.data.labels) <= MOST_LETTERS:
        return []
    asked = candidate.but(decoding="scored", scoring="letter", with_goal=True)
    return [asked.but(calibration=calibration) for calibration in ("batch", "none")]


def named(candidates: list[Candidate]) -> list[Candidate]:
    """Give each candidate its description."""
    return [c.but(description=describe(c)) for c in candidates]


def describe(candidate: Candidate) -> str:
    """Put a candidate into a few words."""
    if candidate.form == "chat":
        words = ["chat" + (" after an own instruction" if candidate.instruction else "")]
    else:
        before = "an own instruction" if candidate.instruction else "the goal"
        words = ["/".join(candidate.wording) + (f" after {before}" if candidate.with_goal else "")]
    if candidate.retrieval is not None:
        found = candidate.retrieval
        words.append(READ[found.source].format(k=found.k, s="" if found.k == 1 else "s"))
        if found.method != "bm25":
            words.append(found.method)
    if candidate.shots:
        words.append(f"{len(candidate.shots)} shots")
    words.append(_answered(candidate))
    if candidate.calibration != "none":
        on = "empty input" if candidate.calibration == "empty" else "dev"
        words.append(f"calibrated on {on}")
    if candidate.votes > 1:
        words.append(f"majority of up to {candidate.votes} draws")
    if candidate.rewrite:
        words.append("checked and rewritten once")
    return ", ".join(words)


def _answered(candidate: Candidate) -> str:
    if candidate.decoding == "scored":
        narrow = candidate.retrieval is not None and candidate.retrieval.narrow
        which = "option-letter" if candidate.by_letter else "retrieved-label" if narrow else "label"
        per_byte = " by the byte" if candidate.scoring == "mean" else ""
        return f"{which} log-likelihood{per_byte}"
    words = {"constrained": "label-constrained", "json": "schema-constrained", "free": "free text"}
    return words[candidate.decoding]


DOCUMENT_COUNTS = (1, 3)
