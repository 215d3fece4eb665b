"""Score answers, by a model where the task says so, and set the judge against people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ladder.engines.base import Completion, Request
from ladder.errors import GO_ON, NoVerdictError
from ladder.evidence import Estimate, JudgeAgreement
from ladder.gate.bounds import estimate
from ladder.gate.judged import kappa, prediction_powered_mean, too_few
from ladder.gate.verdict import too_many_failed
from ladder.inference.evaluator import Climb
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Score
from ladder.task import model_parts

TIMES_ASKED = 2
"""What failed is asked again once all else has been asked: the trouble may have passed."""
RIGHT_FROM = 0.5
"""A graded score counts as right from here on, where right and wrong are compared."""
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


def judge_agreement(climb: Climb) -> JudgeAgreement | None:
    """Let the judge grade what people have graded; None where no judge is gated.

    Opens the judge's engine, so that a judge the rules forbid is refused before anything is spent.
    """
    _, scorer = climb.scorers[0]
    if not isinstance(scorer, ModelScorer):
        return None
    reference = judge_model(climb, scorer)
    engine = climb.engine(reference)
    kind, name, _ = model_parts(reference)  # without the address: it may hold a password
    model = f"{kind}:{name}"
    found = ask_judge(climb, scorer, _graded(climb))
    pairs = [
        (row.human >= RIGHT_FROM, score.value >= RIGHT_FROM)
        for row, score in zip(climb.graded, found, strict=True)
        if isinstance(score, Score)
    ]
    confidence = climb.task.gate.confidence
    agree = estimate([float(human == judge) for human, judge in pairs], confidence)
    same = kappa([float(h) for h, _ in pairs], [float(j) for _, j in pairs], confidence)
    unjudged = len(climb.graded) - len(pairs)
    alone = reference == climb.task.models.base
    return JudgeAgreement(
        model=model,
        n=len(pairs),
        unjudged=unjudged,
        agree=agree if pairs else None,
        kappa=same,
        fingerprint=engine.fingerprint(),
        sentence=_sentence(model, agree, same, unjudged) + (_OWN_ANSWERS if alone else ""),
    )


_OWN_ANSWERS = (
    " It is the base model itself, and models favour their own answers: name another one under "
    "score.judge.model."
)


def _sentence(model: str, agree: Estimate, same: Estimate | None, unjudged: int) -> str:
    """Say how far the judge can be trusted."""
    if agree.n == 0:
        why = (
            f"it gave none of the {unjudged} answers that people graded a grade"
            if unjudged
            else "no answers graded by people are given (data.graded)"
        )
        return (
            f"The score is the opinion of a judge, {model}; its agreement with people is unknown: "
            f"{why}."
        )
    text = (
        f"The score is the opinion of a judge, {model}. It agrees with people on {agree.mean:.2f} "
        f"({agree.low:.2f}–{agree.high:.2f}) of {agree.n} answers that they graded; "
    )
    if same is None:
        text += "both graded all of them alike, which says nothing of chance (no kappa)."
    else:
        text += f"Cohen's kappa {same.mean:.2f} ({same.low:.2f}–{same.high:.2f})."
    return text + (f" It gave {unjudged} more no grade." if unjudged else "")


def _graded(climb: Climb) -> list[Given]:
    """Return what people graded as the judge sees it in the climb: with the row's own target."""
    splits = climb.splits
    rows = (*splits.train, *splits.dev, *splits.gate, *splits.sealed, *splits.reserve)
    targets = {sample.input: sample.target for sample in rows}
    return [
        (Sample("", row.input, row.target or targets.get(row.input, "")), row.answer)
        for row in climb.graded
    ]


def human_score(
    climb: Climb, scored: Sequence[tuple[Sample, str, float]]
) -> tuple[Estimate | None, str]:
    """Return what people would score a candidate, or why too few of their labels say so.

    An answer is labelled where people graded this very answer to this very input. A group counts
    once, and as labelled where all of its answers are. Kinds of row are not weighed.

    Args:
        climb: the assessment under way.
        scored: rows with the candidate's answers and the judge's scores.

    Returns:
        the estimate and no reason, or none and the reason; neither where no judge is gated.
    """
    if not isinstance(climb.scorers[0][1], ModelScorer):
        return None, ""
    human = {(row.input, row.answer): row.human for row in climb.graded}
    groups: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for sample, text, score in scored:
        label = human.get((sample.input, text.strip()))
        groups.setdefault(sample.witness, []).append((score, label))
    labels, labelled, unlabelled = [], [], []
    for members in groups.values():
        judged = fmean(score for score, _ in members)
        known = [label for _, label in members if label is not None]
        if len(known) == len(members):
            labels.append(fmean(known))
            labelled.append(judged)
        else:
            unlabelled.append(judged)
    refusal = too_few(len(labels))
    if refusal:
        return None, refusal
    confidence = climb.task.gate.confidence
    return prediction_powered_mean(labels, labelled, unlabelled, confidence), ""
