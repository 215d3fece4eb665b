"""What people say of the answers: how far the judge agrees with them, and what they would score."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ladder.evidence import Estimate, JudgeAgreement
from ladder.gate.bounds import estimate
from ladder.gate.judged import RIGHT_FROM, kappa, prediction_powered_mean, too_few
from ladder.inference.evaluator import Evaluator
from ladder.inference.judge import Given, ask_judge, judge_model
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Score


def judge_agreement(evaluator: Evaluator) -> JudgeAgreement | None:
    """Let the judge grade what people have graded; None where no judge is gated.

    Opens the judge's engine, so that a judge the rules forbid is refused before anything is spent.
    """
    _, scorer = evaluator.scorers[0]
    if not isinstance(scorer, ModelScorer):
        return None
    reference = judge_model(evaluator, scorer)
    engine = evaluator.models.engine(reference)
    found = ask_judge(evaluator, scorer, _graded(evaluator))
    pairs = [
        (row.human >= RIGHT_FROM, score.value >= RIGHT_FROM)
        for row, score in zip(evaluator.data.graded, found, strict=True)
        if isinstance(score, Score)
    ]
    confidence = evaluator.task.gate.confidence
    agree = estimate([float(human == judge) for human, judge in pairs], confidence)
    same = kappa([float(h) for h, _ in pairs], [float(j) for _, j in pairs], confidence)
    return JudgeAgreement(
        model=reference.label,
        n=len(pairs),
        unjudged=len(evaluator.data.graded) - len(pairs),
        agree=agree if pairs else None,
        kappa=same,
        fingerprint=engine.fingerprint(),
        is_base=reference == evaluator.task.models.base,
    )


def _graded(evaluator: Evaluator) -> list[Given]:
    """Return what people graded as the judge sees it in the climb: with the row's own target."""
    splits = evaluator.data
    rows = (*splits.train, *splits.dev, *splits.gate, *splits.sealed, *splits.reserve)
    known = {sample.input: sample.targets for sample in rows}
    given: list[Given] = []
    for row in evaluator.data.graded:
        first, *others = (row.target,) if row.target else known.get(row.input, ("",))
        given.append((Sample("", row.input, first, tuple(others)), row.answer))
    return given


def human_score(
    evaluator: Evaluator, scored: Sequence[tuple[Sample, str, float]]
) -> tuple[Estimate | None, int | None]:
    """Return what people would score a candidate, and how many units they labelled.

    An answer is labelled where people graded this very answer to this very input. A group counts
    once, and as labelled where all of its answers are. Kinds of row are not weighed.

    Args:
        evaluator: the task, its data, models and scorers.
        scored: rows with the candidate's answers and the judge's scores.

    Returns:
        the estimate, none where the labels are too few (`gate.judged.too_few`), and their number;
        neither where no judge is gated.
    """
    if not isinstance(evaluator.scorers[0][1], ModelScorer):
        return None, None
    human = {(row.input, row.answer): row.human for row in evaluator.data.graded}
    groups: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    for sample, text, score in scored:
        label = human.get((sample.input, text.strip()))
        groups.setdefault(sample.unit, []).append((score, label))
    labels, labelled, unlabelled = [], [], []
    for members in groups.values():
        judged = fmean(score for score, _ in members)
        known = [label for _, label in members if label is not None]
        if len(known) == len(members):
            labels.append(fmean(known))
            labelled.append(judged)
        else:
            unlabelled.append(judged)
    if too_few(len(labels)):
        return None, len(labels)
    confidence = evaluator.task.gate.confidence
    return prediction_powered_mean(labels, labelled, unlabelled, confidence), len(labels)
