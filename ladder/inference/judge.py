"""Score answers, by a model where the task says so, and set the judge against people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ladder.engines.base import Completion, Request
from ladder.errors import GO_ON, NoVerdictError
from ladder.gate.verdict import too_many_failed
from ladder.inference.evaluator import Evaluator
from ladder.inference.exchanges import TIMES_ASKED
from ladder.inference.outcome import NoScore
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Score, best_score
from ladder.task import ModelRef

REPLY_SHOWN = 60

Given = tuple[Sample, str]
"""A sample and an answer to it."""


@dataclass(frozen=True)
class Scored:
    """What the task's scorers say of one answer."""

    score: float | None = None
    """Of the gated scorer; None where it is a judge and gave none."""
    others: Mapping[str, float | None] = field(default_factory=dict)
    """Scorer beside the gated one -> its score; None where a judge gave none."""
    fault: NoScore | None = None
    """Why there is no score."""


def score_all(evaluator: Evaluator, given: Sequence[Given]) -> list[Scored]:
    """Score answers with every scorer of the task."""
    columns: dict[str, list[Score | NoScore]] = {}
    for name, scorer in evaluator.scorers:
        if isinstance(scorer, ModelScorer):
            columns[name] = ask_judge(evaluator, scorer, given)
        else:
            columns[name] = [best_score(scorer, text, sample.targets) for sample, text in given]
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return [_scored(dict(zip(names, found, strict=True))) for found in rows]


def _scored(found: Mapping[str, Score | NoScore]) -> Scored:
    (_, gated), *others = found.items()
    if isinstance(gated, NoScore):
        return Scored(fault=gated)
    beside = {name: None if isinstance(by, NoScore) else by.value for name, by in others}
    return Scored(gated.value, beside)


def gated_scores(evaluator: Evaluator, given: Sequence[Given]) -> list[float | None]:
    """Return the gated score of each answer; None where the judge gave none.

    Raises:
        NoVerdictError: too many requests to the judge failed.
    """
    _, scorer = evaluator.scorers[0]
    if not isinstance(scorer, ModelScorer):
        return [best_score(scorer, text, sample.targets).value for sample, text in given]
    found = ask_judge(evaluator, scorer, given)
    lost = [one for one in found if isinstance(one, NoScore) and not one.is_own_fault]
    if too_many_failed(len(lost), len(found), evaluator.task.gate.max_error_rate):
        count = f"{len(lost):,} of {len(found):,} requests failed"
        raise NoVerdictError(f"judging: {count} ({lost[0].reason}). {GO_ON}")
    return [None if isinstance(score, NoScore) else score.value for score in found]


def ask_judge(
    evaluator: Evaluator, scorer: ModelScorer, given: Sequence[Given]
) -> list[Score | NoScore]:
    """Let a model score answers; where it gives no score, return why.

    Equal questions are asked once, and kept like every other completion.
    """
    model = judge_model(evaluator, scorer)
    engine = evaluator.models.engine(model)
    requests = [
        Request(
            messages=scorer.messages(sample.input, " / ".join(sample.targets), text),
            choices=scorer.choices,  # an engine that cannot score them answers freely
            max_tokens=scorer.max_tokens,
        )
        for sample, text in given
    ]
    scores: dict[int, Score | NoScore] = {}
    wanted = list(range(len(given)))
    with (
        evaluator.models.asking("judge"),
        evaluator.watch.step("judging", len(requests)) as advance,
    ):
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


def judge_model(evaluator: Evaluator, scorer: ModelScorer) -> ModelRef:
    """Return the engine reference that a judge is asked at."""
    return ModelRef(scorer.model) if scorer.model else evaluator.task.models.base


def judge_pins(evaluator: Evaluator) -> dict[str, str]:
    """Return what the judge's scores depend on: another judge is another scale."""
    judges = [scorer for _, scorer in evaluator.scorers if isinstance(scorer, ModelScorer)]
    return {
        f"judge: {name}": value
        for judge in judges
        for name, value in evaluator.models.engine(judge_model(evaluator, judge))
        .fingerprint()
        .items()
    }
