"""The race of a rung's candidates, and what the words mean that a candidate is described with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ladder.evidence import Attempt, RaceLine
from ladder.report.blocks import Block, Folded, say, tabled

RACE = ("candidate", "score", "rows", "without a score")
HOW = (
    "All candidates answer the same few dev examples. Those that cannot reach the gate, or are "
    "clearly behind, leave early: they have fewer rows. Of those that so few rows cannot tell "
    "apart, the one with the fewest tokens wins."
)
WORDS: dict[str, str] = {
    r"^(.*, )?[^,;/]+/[^,;/]+(?=,| after |$)": "A/B: the prompt calls the input A and the answer B",
    r"^(.*, )?chat\b": "chat: the input is a turn of a chat",
    r"\bafter the goal\b": "after the goal: the prompt begins with the task's goal",
    r"\bafter an own instruction\b": "after an own instruction: the prompt begins with one that a "
    "search found",
    r"\b\d+ shots\b": "shots: training examples in the prompt",
    r"\b\d+ documents?\b": "documents: so many that a search found for the input are in the prompt",
    r"\bnearest examples?\b": "nearest examples: the training examples most like the input are in "
    "the prompt",
    r"(?<!-)\blabel log-likelihood\b": "label log-likelihood: each allowed label is scored by its "
    "probability, and the likeliest is the answer",
    r"\bretrieved-label log-likelihood\b": "retrieved-label log-likelihood: the same, among the "
    "labels of the nearest examples",
    r"\boption-letter log-likelihood\b": "option-letter log-likelihood: the labels are listed with "
    "letters, and the letters are scored",
    r"\bby the byte\b": "by the byte: the log-likelihood is divided by the label's length, which "
    "holds long labels back less",
    r"\blabel-constrained\b": "label-constrained: the model writes, and can write nothing but a "
    "label",
    r"\bschema-constrained\b": "schema-constrained: the model writes, and can write only JSON that "
    "the schema allows",
    r"\bfree text\b": "free text: the model writes what it likes",
    r"\bcalibrated on\b": "calibrated: label scores are corrected by what the model prefers "
    "whatever the input, read off the dev set or an empty input",
    r"\bmajority of up to\b": "majority: answers are drawn until the vote is decided",
    r"\brewritten once\b": "rewritten: an answer that a check finds fault with is asked for again",
}
"""How a term looks in a description (`inference.forms.describe`) -> what it means."""


def race_blocks(attempt: Attempt) -> Iterator[Block]:
    """Yield the race of a rung's candidates."""
    if attempt.measurement and attempt.candidate and attempt.race:
        meant = meaning(line.description for line in attempt.race)
        table = tabled(RACE, *map(_race_row, attempt.race))
        yield Folded("The race on dev examples", (say(HOW, *([meant] if meant else [])), table))


def meaning(descriptions: Iterable[str]) -> str:
    """Say what the terms in descriptions of candidates mean; nothing where none is there."""
    said = list(descriptions)
    found = [words for term, words in WORDS.items() if any(re.search(term, one) for one in said)]
    return f"{'; '.join(found)}." if found else ""


def _race_row(line: RaceLine) -> tuple[str, ...]:
    mark = "" if line.dropped else " ← won"
    score = f"{line.score:.2f}" if line.n else "–"
    lost = f"{line.errors}: neither won nor lost" if line.unheard else str(line.errors)
    return (f"{line.description}{mark}", score, str(line.n), lost)
