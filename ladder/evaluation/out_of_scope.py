"""Inputs that none of a task's labels answers: how surely are they answered all the same?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ladder.evaluation.calibration import Beyond
from ladder.evidence import Candidate
from ladder.inference.answer import answer, prior_of
from ladder.inference.chances import chance
from ladder.inference.evaluator import Evaluator
from ladder.samples.data import Data
from ladder.samples.rows import Sample


def beside(data: Data, dev: int, eval_rows: int) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Return the out-of-scope inputs that stand beside so many dev, and so many eval examples.

    In the share in which the task gives them beside its held-out examples. No input stands beside
    both; where there are too few, those beside the eval examples come first.

    Args:
        data: the task's.
        dev: dev examples that were answered.
        eval_rows: eval examples that were answered.
    """
    held = len(data.gate) + len(data.sealed) + len(data.reserve)
    share = len(data.out_of_scope) / max(1, held)
    judging = min(len(data.out_of_scope), round(share * eval_rows))
    choosing = min(len(data.out_of_scope) - judging, round(share * dev))
    return data.out_of_scope[judging : judging + choosing], data.out_of_scope[:judging]


def chances_beyond(evaluator: Evaluator, candidate: Candidate, dev: int, eval_rows: int) -> Beyond:
    """Return the chances of a candidate's answers to out-of-scope inputs; NaN: it gave none.

    Args:
        evaluator: the task, its data, models and scorers.
        candidate: what answers them.
        dev: dev examples that were answered.
        eval_rows: eval examples that were answered.
    """
    choosing, judging = beside(evaluator.data, dev, eval_rows)
    rows = [*choosing, *judging]
    if not rows:
        return (), ()
    found = _chances(evaluator, candidate, rows)
    return found[: len(choosing)], found[len(choosing) :]


def _chances(evaluator: Evaluator, candidate: Candidate, rows: Sequence[Sample]) -> list[float]:
    title = f"{candidate.rung} on out-of-scope inputs"
    outcomes = answer(evaluator, candidate, rows, title, scored=False)
    prior = prior_of(evaluator, candidate)
    known = (chance(candidate, outcome.completion, prior) for outcome in outcomes)
    return [math.nan if one is None else one for one in known]
