"""What synthetic rows bring: the same system with and without them, on the same dev examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from ladder.errors import Problem, TaskError
from ladder.evaluation.comparing import comparison
from ladder.evaluation.ways import linear
from ladder.evidence import Candidate, Comparison
from ladder.inference.answer import answer
from ladder.inference.failures import require_conclusive
from ladder.inference.judge import gated_scores
from ladder.rungs import r3_lora
from ladder.rungs.protocol import Bench
from ladder.rungs.r3_lora import needs, unavailable, with_adapter
from ladder.samples.rows import Sample
from ladder.synthesis.filters import answerer
from ladder.training.rows import plain_candidate

Scores = list[float | None]
"""Of the dev examples, in their order; none where a row got no score."""
Way = Callable[[Bench], Scores]


@dataclass(frozen=True)
class Gain:
    """The measured difference."""

    measured: str
    scores: tuple[float, float]
    """Means with the rows and without."""
    comparison: Comparison

    @property
    def proven(self) -> bool:
        """The lower end of the interval is above nothing."""
        return self.comparison.low > 0


def measure_gain(bench: Bench, rows: Sequence[Sample], way: str) -> Gain:
    """Measure a way's system with the rows among its training examples and without.

    Args:
        bench: without the rows.
        rows: to add to its training examples.
        way: a key of WAYS; empty: the usual one of the task.
    """
    name = way or ("linear" if _can_be_fitted(bench) else "rag")
    train = (*bench.data.train, *rows)
    data = replace(bench.data, train=train, synthetic=tuple(rows))
    richer = replace(bench, evaluator=bench.evaluator.with_data(data))
    measured, scores_of = WAYS[name]
    pairs = zip(bench.data.dev, scores_of(richer), scores_of(bench), strict=True)
    both = [(row, a, b) for row, a, b in pairs if a is not None and b is not None]
    groups = [row.unit for row, _, _ in both] if any(row.group for row, _, _ in both) else ()
    new, old = [a for _, a, _ in both], [b for _, _, b in both]
    confidence = bench.task.gate.confidence
    found = comparison("without the synthetic rows", new, old, confidence, groups)
    means = (fmean(new), fmean(old)) if both else (0.0, 0.0)
    return Gain(measured, means, found)


def refuse_way(bench: Bench, way: str) -> None:
    """Refuse a way to measure that this task has not, before anything is asked.

    Raises:
        TaskError: with the reason.
    """
    why = ""
    if way == "linear" and not _can_be_fitted(bench):
        why = "training examples without two labels"
    if way == "lora":
        why = needs(bench.task, bench.data) or unavailable(bench) or ""
    if why:
        fix = "Leave --measure out for the usual way, or name another one."
        raise TaskError([Problem(f"--measure {way}", why, "rows and models it can use", fix)])


def _can_be_fitted(bench: Bench) -> bool:
    return bool(bench.data.labels) and len({row.target for row in bench.data.train}) > 1


def _linear(bench: Bench) -> Scores:
    dev = bench.data.dev
    answers = linear(bench.data.train)([row.input for row in dev])
    return gated_scores(bench.evaluator, list(zip(dev, answers, strict=True)))


def _rag(bench: Bench) -> Scores:
    return _answered(bench, answerer(bench, bench.task.models.base))


def _lora(bench: Bench) -> Scores:
    samples = bench.data.train[: bench.task.training.max_rows]
    return _answered(
        bench, with_adapter(bench, plain_candidate(bench.evaluator, r3_lora.NAME), samples)
    )


def _answered(bench: Bench, candidate: Candidate) -> Scores:
    outcomes = answer(bench.evaluator, candidate, bench.data.dev, "dev examples")
    require_conclusive(outcomes, bench.task.gate, "measuring the gain")
    return [outcome.score for outcome in outcomes]


WAYS: dict[str, tuple[str, Way]] = {
    "linear": ("TF-IDF + logistic regression", _linear),
    "rag": ("the base model, shown the nearest training examples", _rag),
    "lora": ("an adapter", _lora),
}
