"""A metric of the `evaluate` library, from a local folder (offline) or by name."""

from __future__ import annotations

from ladder.errors import MissingExtraError
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
    loaded = evaluate.load(metric)

    def score(answer: str, target: str) -> Score:
        results = loaded.compute(predictions=[answer], references=[target])
        value = float(results[field] if field else next(iter(results.values())))
        return Score(min(1.0, max(0.0, value)), f"{metric}: {value:g}")

    return score
