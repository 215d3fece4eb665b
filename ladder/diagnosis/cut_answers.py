"""Answers that are cut: whether longer ones would do, and how many tokens they take.

A cut answer is asked for again with a higher limit. What it then says is the same answer, whole: at
temperature 0 nothing else has changed, so no proof against chance is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ladder.engines.base import CUT_BEFORE_TEXT, Completion
from ladder.evidence import Candidate, CutAnswers
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Outcome, Scores, scores_of
from ladder.inference.prompts import answer_tokens

MOST_ASKED = 80
FEW_ASKED = 5
"""Where no answer began, so many tell the limit that would do."""
TIMES_LONGER = 4
LEAST_LONGER = 256
THINKING_LONGER = 4096
"""Of an endpoint whose model thinks before it answers. Another one that has not ended after
`LEAST_LONGER` tokens writes on for ever, and is paid for it."""
STEP = 16
"""A limit that is named is a multiple of it."""


@dataclass(frozen=True)
class Longer:
    """What came of asking for longer answers."""

    found: CutAnswers
    scores: Scores
    """Of the rows that were asked again."""


def is_cut(completion: Completion) -> bool:
    """Tell whether an answer reached its limit of tokens before it ended, or before it began."""
    return completion.cut or completion.kind == CUT_BEFORE_TEXT


def _may_think(completion: Completion) -> bool:
    return completion.thought_tokens > 0 or completion.kind == CUT_BEFORE_TEXT


def ask_for_longer(
    evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome], most: int = MOST_ASKED
) -> Longer | None:
    """Ask again, with a higher limit, for the first answers that were cut.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: whose answers they are.
        outcomes: its answers.
        most: how many are asked for again.

    Returns:
        what came of it; None where no answer was cut, or the model has no room for longer ones.
    """
    those = [outcome for outcome in outcomes if is_cut(outcome.completion)]
    cut = [outcome.sample for outcome in those]
    engine = evaluator.engine(candidate)
    limit = answer_tokens(evaluator, candidate, engine)
    thinks = engine.abilities.served and any(_may_think(one.completion) for one in those)
    longer = max(TIMES_LONGER * limit, THINKING_LONGER if thinks else LEAST_LONGER)
    longer = min(longer, engine.abilities.context // 2)
    if not cut or longer <= limit:
        return None
    with evaluator.models.asking("diagnosis"):
        again = answer(
            evaluator, candidate.but(max_tokens=longer), cut[:most], "asking for longer answers"
        )
    ended = [o.completion for o in again if o.completion.error is None and not o.completion.cut]
    took = max((completion.tokens_out for completion in ended), default=0)
    found = CutAnswers(
        limit=limit,
        count=len(cut),
        of=len(outcomes),
        asked=len(again),
        tried=longer,
        needed=_rounded_up(took + took // 4) if len(ended) == len(again) else None,
    )
    return Longer(found, scores_of(again))


def why_none_began(evaluator: Evaluator, candidate: Candidate, outcomes: Sequence[Outcome]) -> str:
    """Say which limit would do where most requests failed because answers were cut too early.

    Empty where they failed for another reason.
    """
    failed = [outcome for outcome in outcomes if outcome.completion.error is not None]
    never_began = [o for o in failed if o.completion.kind == CUT_BEFORE_TEXT]
    if not never_began or 2 * len(never_began) < len(failed):
        return ""
    longer = ask_for_longer(evaluator, candidate, outcomes, FEW_ASKED)
    return cut_in_words(longer.found) if longer else ""


def cut_in_words(cut: CutAnswers) -> str:
    """Say how many answers were cut at which limit, and the limit that would do."""
    again = f"{cut.asked} asked again with {cut.tried:,}"
    would = f"`answer.max_tokens: {cut.needed}` would do ({again})"
    if cut.needed is None:
        would = f"some do not end with {cut.tried:,} either ({again})"
    return f"{cut.count} of {cut.of} answers are cut at {cut.limit:,} tokens: {would}."


def _rounded_up(tokens: int) -> int:
    return -(-tokens // STEP) * STEP
