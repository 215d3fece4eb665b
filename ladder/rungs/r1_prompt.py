"""Rung 1: the model as it is, asked as well as we know how.

A weak prompt rung turns the whole advice wrong, so wordings, chat and plain forms, shots, and
ways to read the answer all compete before anything is measured.
"""

from __future__ import annotations

from itertools import product
from typing import Literal, get_args

from ladder.evidence import Candidate
from ladder.inference.answer import MANY_LABELS, spread_shots
from ladder.inference.evaluator import Climb
from ladder.rungs.protocol import Wave
from ladder.selection.prompt_search import better_prompts, worth_it
from ladder.task import RungName

NAME: RungName = "prompt"

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
SHOTS = (4, 8)
VOTES = 8
SHORT_WORDS = 6
"""Longer answers are hardly ever given twice in the same words: they cannot be voted on."""


def unavailable(climb: Climb) -> str | None:
    """A prompt can always be tried."""
    return None


def wordings(climb: Climb) -> tuple[tuple[str, str], ...]:
    """Return what input and answer may be called; the user's own column names come first."""
    columns = climb.task.data.columns
    names = [columns.get(name, "") for name in ("input", "target")]
    own = [name.rpartition(".")[2].replace("_", " ").capitalize() for name in names]
    usual: tuple[tuple[str, str], ...]
    usual = LABEL_WORDINGS if climb.splits.labels else TEXT_WORDINGS
    if len(climb.splits.labels) > MANY_LABELS:
        usual = usual[:WORDINGS_OF_MANY_LABELS]
    return ((own[0], own[1]), *usual) if all(own) else usual


def first_wave(climb: Climb, leader: Candidate | None) -> list[Candidate]:
    """Return the zero-shot forms: how the question is put, and how the answer is read."""
    base = Candidate(rung=NAME, technique="", model=climb.task.models.base)
    can = climb.engine_of(base).abilities
    chat = base.model_copy(update={"form": "chat"})
    asked = [chat]
    if can.plain:
        asked += [
            base.model_copy(update={"wording": wording, "with_goal": with_goal})
            for wording, with_goal in product(wordings(climb), (True, False))
        ]
    if not (climb.splits.labels and can.scores_choices):
        return named(asked)
    found = [chat]
    for candidate in asked:
        found += scored(candidate)
    return named(found)


def second_wave(climb: Climb, leader: Candidate | None) -> list[Candidate]:
    """Return the winner's form, and the chat form, with examples of the training rows.

    JSON answers are tried free and held to their schema: which one scores better is not known.
    """
    if leader is None:
        return []
    if not climb.splits.train:
        return named(held_to_schema(climb, leader))
    chat = leader.model_copy(update={"form": "chat", "answer": "free", "calibration": "none"})
    forms = [leader] if leader.form == "chat" else [leader, chat]
    found = held_to_schema(climb, leader)
    for form, count in product(forms, SHOTS):
        shown = form.model_copy(update={"shots": spread_shots(climb, count), "with_goal": True})
        found += scored(shown) if form.answer != "free" else [shown]
        found += held_to_schema(climb, shown)
    return named(found)


def search_wave(climb: Climb, leader: Candidate | None) -> list[Candidate]:
    """Return what a search over instructions and examples finds, where the leader does not do."""
    found = better_prompts(climb, leader) if leader is not None else []
    return [c.model_copy(update={"technique": f"{describe(c)}; {c.technique}"}) for c in found]


def variants_wave(climb: Climb, leader: Candidate | None) -> list[Candidate]:
    """Return dearer ways to ask the winner: more than one request for an answer.

    Votes need answers that can be equal, and a rewrite an answer that can be checked from outside.
    """
    if leader is None or leader.answer != "free" or not worth_it(climb, leader):
        return []
    found = []
    if _can_be_equal(climb):
        found.append(leader.model_copy(update={"votes": VOTES}))
    if climb.task.answer.type in ("json", "number") or climb.splits.labels:
        found.append(leader.model_copy(update={"rewrite": True}))
    return named(found)


WAVES = (first_wave, second_wave)
CHALLENGES: tuple[Wave, ...] = (search_wave, variants_wave)
"""The search comes first: it asks once for an answer, so its winner is what is asked dearly."""


def held_to_schema(climb: Climb, candidate: Candidate) -> list[Candidate]:
    """Return a free candidate held to the schema of the answers; none where it cannot be."""
    can = climb.engine_of(candidate).abilities
    if candidate.answer != "free" or not can.json_schema or climb.answer_schema is None:
        return []
    return [candidate.model_copy(update={"answer": "json"})]


def _can_be_equal(climb: Climb) -> bool:
    """Tell whether two right answers are likely to be the same text, number or value."""
    if climb.task.answer.type != "text":
        return True
    targets = [sample.target for sample in climb.splits.train]
    short = sum(len(target.split()) <= SHORT_WORDS for target in targets)
    return bool(targets) and 2 * short > len(targets)


def scored(candidate: Candidate) -> list[Candidate]:
    """Return the ways to read a label from scores; all of them share the same requests."""
    by_calibration = [
        candidate.model_copy(update={"answer": "scored", "calibration": calibration})
        for calibration in CALIBRATIONS
    ]
    constrained = {"answer": "constrained", "calibration": "none"}
    return [*by_calibration, candidate.model_copy(update=constrained)]


def named(candidates: list[Candidate]) -> list[Candidate]:
    """Give each candidate its description."""
    return [c.model_copy(update={"technique": describe(c)}) for c in candidates]


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
    if candidate.answer == "scored":
        narrow = candidate.retrieval is not None and candidate.retrieval.narrow
        return "retrieved labels scored" if narrow else "labels scored"
    words = {"constrained": "held to the labels", "json": "held to the schema", "free": "free text"}
    return words[candidate.answer]
