"""A metric of the `evaluate` library, from a local folder (offline) or by name."""

from __future__ import annotations

from ladder.errors import MissingExtraError, Problem, TaskError
from ladder.scorers.base import Score, Scorer


def hf_evaluate(metric: str, *, field: str | None = None) -> Scorer:
    """Score rows one by one with an `evaluate` metric.

    A metric is a program: a folder runs the code in it, and a name fetches code from the hub.
    Both happen only because the task names them.

    Args:
        metric: the folder of the metric's script, or its name.
        field: which of its results to read; the first by default.
    """
    try:
        import evaluate
    except ImportError:
        raise MissingExtraError("evaluate", 'pip install "escalation-ladder[evaluate]"') from None
    try:
        loaded = evaluate.load(metric)
    except Exception as error:  # the library raises many kinds; all mean: no such metric
        got = f"{type(error).__name__}: {str(error)[:120]}"
        fix = "Name a folder that holds the metric's script, or be online for a name."
        raise TaskError([Problem(f"score.evaluate:{metric}", got, "a metric", fix)]) from None

    def score(answer: str, target: str) -> Score:
        results = loaded.compute(predictions=[answer], references=[target])
        value = float(results[field] if field else next(iter(results.values())))
        return Score(min(1.0, max(0.0, value)), f"{metric}: {value:g}")

    return score
