"""Rung 1: the model as it is, asked as well as we know how.

A weak prompt rung turns the whole advice wrong, so wordings, chat and plain forms, shots, and
ways to read the answer all compete before anything is measured.
"""

from __future__ import annotations

from itertools import product

from ladder.evidence import Candidate, Gap
from ladder.inference.forms import describe, held_to_schema, lettered, named, scored, wordings
from ladder.language.words import count_words
from ladder.rungs.protocol import Bench, Stage, Trains
from ladder.samples.data import Data
from ladder.selection.demonstrations import spread_shots
from ladder.selection.prompt_search import better_prompts, worth_it
from ladder.task import RungName, Task

NAME: RungName = "prompt"
TRAINS: Trains = "nothing"
FIXES: frozenset[Gap] = frozenset({"context", "skill", "cost"})


SHOTS = (4, 8)
VOTES = 8
SHORT_WORDS = 6
"""Longer answers are hardly ever given twice in the same words: they cannot be voted on."""


def needs(task: Task, data: Data) -> str | None:
    """A prompt needs nothing."""
    return None


def unavailable(bench: Bench) -> str | None:
    """A prompt can always be tried."""
    return None


def pointless(bench: Bench) -> str | None:
    """It is worth trying whatever was measured before."""
    return None


def first_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return the zero-shot forms: how the question is put, and how the answer is read."""
    base = Candidate(rung=NAME, description="", model=bench.task.models.base)
    can = bench.evaluator.engine(base).abilities
    chat = base.but(form="chat")
    asked = [chat] if can.chat else []
    if can.plain:
        asked += [
            base.but(wording=wording, with_goal=with_goal)
            for wording, with_goal in product(wordings(bench.evaluator), (True, False))
        ]
    if not (bench.data.labels and can.scores_choices):
        return named(asked)
    found = [chat] if can.chat and not can.decides else []
    for candidate in asked:
        found += scored(candidate)
    return named(found)


def second_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return the winner's form, and the chat form, with training examples shown.

    JSON answers are tried free and schema-constrained: which one scores better is not known.
    """
    if incumbent is None:
        return []
    if not bench.data.train:
        return named(held_to_schema(bench.evaluator, incumbent))
    chat = incumbent.but(form="chat", decoding="free", scoring="sum", calibration="none")
    can_chat = bench.evaluator.engine(incumbent).abilities.chat
    forms = [incumbent, chat] if incumbent.form == "plain" and can_chat else [incumbent]
    found = held_to_schema(bench.evaluator, incumbent)
    for form, count in product(forms, SHOTS):
        shown = form.but(shots=spread_shots(bench.evaluator, count), with_goal=True)
        found += scored(shown) if form.decoding != "free" else [shown]
        found += held_to_schema(bench.evaluator, shown)
    return named(found)


def letters_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return the winner with its labels as lettered options, where that could decide."""
    if incumbent is None or incumbent.decoding not in ("scored", "constrained"):
        return []
    if bench.evaluator.engine(incumbent).abilities.decides:  # options are its only way
        return []
    if not worth_it(bench.evaluator, incumbent):
        return []
    return named(lettered(bench.evaluator, incumbent))


def search_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return what a search over instructions and examples finds, where it is worth it."""
    found = better_prompts(bench.evaluator, incumbent) if incumbent is not None else []
    return [c.but(description=f"{describe(c)}; {c.description}") for c in found]


def variants_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Return dearer ways to ask the winner: more than one request for an answer.

    Votes need answers that can be equal, and a rewrite an answer that can be checked from outside.
    """
    if (
        incumbent is None
        or incumbent.decoding != "free"
        or not worth_it(bench.evaluator, incumbent)
    ):
        return []
    found = []
    if _can_be_equal(bench):
        found.append(incumbent.but(votes=VOTES))
    if bench.task.answer.type in ("json", "number") or bench.data.labels:
        found.append(incumbent.but(rewrite=True))
    return named(found)


STAGES = (first_stage, second_stage)
CHALLENGERS: tuple[Stage, ...] = (letters_stage, search_stage, variants_stage)
"""What asks once for an answer comes first: its winner is what is asked dearly."""


def _can_be_equal(bench: Bench) -> bool:
    """Tell whether two right answers are likely to be the same text, number or value."""
    if bench.task.answer.type != "text":
        return True
    targets = [sample.target for sample in bench.data.train]
    short = sum(count_words(target) <= SHORT_WORDS for target in targets)
    return bool(targets) and 2 * short > len(targets)
