"""The tables of scorers. To add one: a module with a function, and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from ladder.errors import Problem, TaskError
from ladder.scorers.base import FittedScorer, ModelScorer, Score, Scorer, best_score, fitted
from ladder.scorers.contains import contains
from ladder.scorers.exact_match import exact_match
from ladder.scorers.hf_evaluate import hf_evaluate, metric_code
from ladder.scorers.json_fields import json_fields
from ladder.scorers.judge import judge
from ladder.scorers.number import number
from ladder.scorers.own import code_of, own_scorer
from ladder.scorers.token_f1 import token_f1
from ladder.task import ScorerChoice
from ladder.trust.code import Code, Consent

SCORERS: dict[str, Callable[..., Scorer]] = {
    "exact_match": exact_match,
    "contains": contains,
    "token_f1": token_f1,
    "number": number,
    "json_fields": json_fields,
}
MODEL_SCORERS: dict[str, Callable[..., ModelScorer]] = {"judge": judge}
"""Those that ask a model."""
EVALUATE_PREFIX = "evaluate:"
TRUSTED = Consent()
"""What the user's configuration trusts, and nothing else."""

__all__ = [
    "MODEL_SCORERS",
    "SCORERS",
    "FittedScorer",
    "ModelScorer",
    "Score",
    "Scorer",
    "best_score",
    "code_behind",
    "fitted",
    "make_scorer",
    "runs_code",
]


def make_scorer(
    choice: ScorerChoice, where: str = "score", consent: Consent = TRUSTED
) -> Scorer | ModelScorer:
    """Return the scorer a task names: from the table, `evaluate:<folder>` or `module:function`.

    The last two run code, and need a person's consent to it.

    Raises:
        TaskError: there is no such scorer, no consent, or a parameter does not fit.
        MissingExtraError: `evaluate:` is asked for and the library is not installed.
    """
    try:
        if choice.name in SCORERS:
            return SCORERS[choice.name](**choice.parameters)
        if choice.name in MODEL_SCORERS:
            return MODEL_SCORERS[choice.name](**choice.parameters)
        if choice.name.startswith(EVALUATE_PREFIX):
            metric = choice.name.removeprefix(EVALUATE_PREFIX)
            return hf_evaluate(metric, consent, where, **choice.parameters)
    except (TypeError, ValueError) as error:
        got = f"parameters {choice.parameters}"
        raise TaskError([Problem(f"{where}.{choice.name}", got, str(error))]) from None
    if runs_code(choice):
        return own_scorer(choice.name, choice.parameters, consent, where)
    known = [*SCORERS, *MODEL_SCORERS]
    near = difflib.get_close_matches(choice.name, known, n=1)
    fix = f"Did you mean `{near[0]}`?" if near else "A scorer of your own is `module:name`."
    raise TaskError([Problem(where, f"`{choice.name}`", f"one of {', '.join(known)}", fix)])


def runs_code(choice: ScorerChoice) -> bool:
    """Tell whether a scorer is code that the task brings or has fetched."""
    return ":" in choice.name


def code_behind(choice: ScorerChoice, consent: Consent, where: str = "score") -> Code | None:
    """Return the code that such a scorer would run; None where it is fetched, or is installed.

    Raises:
        TaskError: it is not there, or may not be named.
    """
    if choice.name.startswith(EVALUATE_PREFIX):
        return metric_code(choice.name.removeprefix(EVALUATE_PREFIX), consent, where)
    return code_of(choice.name, consent, where)
