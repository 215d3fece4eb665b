"""A metric of the `evaluate` library, from a folder beside the task or by name: it is a program."""

from __future__ import annotations

from ladder.errors import MissingExtraError, Problem, TaskError
from ladder.scorers.base import Score, Scorer
from ladder.trust.code import Code, Consent, read_code
from ladder.trust.egress import fetching
from ladder.wording import harmless


def metric_code(metric: str, consent: Consent, where: str) -> Code | None:
    """Return the code of a metric's folder; None for one that is fetched by name.

    Raises:
        TaskError: a link leads out of the folder.
    """
    folder = consent.folder / metric
    return read_code(folder, where) if folder.is_dir() else None


def hf_evaluate(
    metric: str, consent: Consent, where: str = "score", *, field: str | None = None
) -> Scorer:
    """Score rows one by one with an `evaluate` metric.

    A folder runs the code in it; a name fetches code from the hub and runs that. A folder needs
    consent to its digest, or to all code; a name needs consent to all code.

    Args:
        metric: the folder of the metric's script, beside the task, or its name.
        consent: what may run.
        where: what a mistake is said of.
        field: which of its results to read; the first by default.
    """
    code = metric_code(metric, consent, where)
    if not consent.holds_for(code):
        raise TaskError([consent.missing(where, f"evaluate:{metric}", code)])
    try:
        import evaluate
    except ImportError:
        raise MissingExtraError("evaluate", 'pip install "escalation-ladder[evaluate]"') from None
    try:
        if code:
            loaded = evaluate.load(str(code.place.resolve()))
        else:
            with fetching():
                loaded = evaluate.load(metric)
    except Exception as error:  # the library raises many kinds; all mean: no such metric
        got = f"{type(error).__name__}: {harmless(str(error), 120)}"
        fix = "Name a folder that holds the metric's script, or be online for a name."
        raise TaskError([Problem(f"{where}.evaluate:{metric}", got, "a metric", fix)]) from None

    def score(answer: str, target: str) -> Score:
        results = loaded.compute(predictions=[answer], references=[target])
        value = float(results[field] if field else next(iter(results.values())))
        return Score(min(1.0, max(0.0, value)), f"{metric}: {value:g}")

    return score
