"""Score answers, by a model where the task says so, and set the judge against people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ladder.engines.base import Completion, Request
from ladder.errors import GO_ON, NoVerdictError
from ladder.gate.verdict import too_many_failed
from ladder.inference.evaluator import Climb
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Score

TIMES_ASKED = 2
"""What failed is asked again once all else has been asked: the trouble may have passed."""
REPLY_SHOWN = 60

Given = tuple[Sample, str]
"""A sample and an answer to it."""


@dataclass(frozen=True)
class NoScore:
    """Why a judge gave an answer no score."""

    reason: str
    kind: str
    is_own_fault: bool
    """It replied, and the reply is no grade: asked again it would say the same."""


@dataclass(frozen=True)
class Scored:
    """What the task's scorers say of one answer."""

    scores: tuple[float, ...] = ()
    """One per scorer; empty where the gated one, a judge, gave none. Not a number where one beside
    it gave none."""
    fault: NoScore | None = None
    """Why there is no score."""


def score_all(climb: Climb, given: Sequence[Given]) -> list[Scored]:
    """Score answers with every scorer of the task."""
    columns = []
    for _, scorer in climb.scorers:
        if isinstance(scorer, ModelScorer):
            columns.append(ask_judge(climb, scorer, given))
        else:
            columns.append([scorer(text, sample.target) for sample, text in given])
    return [_scored(found) for found in zip(*columns, strict=True)]


def _scored(found: Sequence[Score | NoScore]) -> Scored:
    gated, *others = found
    if isinstance(gated, NoScore):
        return Scored(fault=gated)
    beside = (math.nan if isinstance(score, NoScore) else score.value for score in others)
    return Scored((gated.value, *beside))


def gated_scores(climb: Climb, given: Sequence[Given]) -> list[float | None]:
    """Return the gated score of each answer; None where the judge gave none.

    Raises:
        NoVerdictError: too many requests to the judge failed.
    """
    _, scorer = climb.scorers[0]
    if not isinstance(scorer, ModelScorer):
        return [scorer(text, sample.target).value for sample, text in given]
    found = ask_judge(climb, scorer, given)
    lost = [one for one in found if isinstance(one, NoScore) and not one.is_own_fault]
    if too_many_failed(len(lost), len(found), climb.task.gate.max_error_rate):
        count = f"{len(lost):,} of {len(found):,} requests failed"
        raise NoVerdictError(f"judging: {count} ({lost[0].reason}). {GO_ON}")
    return [None if isinstance(score, NoScore) else score.value for score in found]


def ask_judge(climb: Climb, scorer: ModelScorer, given: Sequence[Given]) -> list[Score | NoScore]:
    """Let a model score answers; where it gives no score, return why.

    Equal questions are asked once, and kept like every other completion.
    """
    model = judge_model(climb, scorer)
    engine = climb.engine(model)
    requests = [
        Request(
            messages=scorer.messages(sample.input, sample.target, text),
            choices=scorer.choices,  # an engine that cannot score them answers freely
            max_tokens=scorer.max_tokens,
        )
        for sample, text in given
    ]
    scores: dict[int, Score | NoScore] = {}
    wanted = list(range(len(given)))
    with climb.watch.step("judging", len(requests)) as advance:
        for _ in range(TIMES_ASKED):
            for number, completion in engine.complete([requests[at] for at in wanted]):
                at = wanted[number]
                scores[at] = _read(scorer, requests[at], completion)
                advance(len(scores))
            wanted = [at for at in wanted if _may_pass(scores[at])]
            if not wanted:
                break
    return [scores[at] for at in range(len(given))]


def _may_pass(score: Score | NoScore) -> bool:
    return isinstance(score, NoScore) and not score.is_own_fault


def _read(scorer: ModelScorer, request: Request, completion: Completion) -> Score | NoScore:
    if completion.error is not None:
        reason = f"the judge gave no reply: {completion.error}"
        return NoScore(reason, completion.kind or "error", completion.is_own_fault)
    reply, logprobs = completion.text, completion.choice_logprobs
    if logprobs:
        reply = request.choices[max(range(len(logprobs)), key=logprobs.__getitem__)]
    score = scorer.read(reply)
    if score is None:
        reason = f"the judge's reply is no grade: {reply[:REPLY_SHOWN]!r}"
        return NoScore(reason, "no grade", is_own_fault=True)
    return score


def judge_model(climb: Climb, scorer: ModelScorer) -> str:
    """Return the engine reference that a judge is asked at."""
    return scorer.model or climb.task.models.base


def judge_pins(climb: Climb) -> dict[str, str]:
    """Return what the judge's scores depend on: another judge is another scale."""
    judges = [scorer for _, scorer in climb.scorers if isinstance(scorer, ModelScorer)]
    return {
        f"judge: {name}": value
        for judge in judges
        for name, value in climb.engine(judge_model(climb, judge)).fingerprint().items()
    }
