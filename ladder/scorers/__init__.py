"""The tables of scorers. To add one: a module with a function, and a line here."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable
from typing import Any

from ladder.errors import Problem, TaskError
from ladder.scorers.base import ModelScorer, Score, Scorer
from ladder.scorers.contains import contains
from ladder.scorers.exact_match import exact_match
from ladder.scorers.hf_evaluate import hf_evaluate
from ladder.scorers.json_fields import json_fields
from ladder.scorers.judge import judge
from ladder.scorers.number import number
from ladder.scorers.token_f1 import token_f1
from ladder.task import ScorerChoice

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

__all__ = ["MODEL_SCORERS", "SCORERS", "ModelScorer", "Score", "Scorer", "make_scorer"]


def make_scorer(choice: ScorerChoice, where: str = "score") -> Scorer | ModelScorer:
    """Return the scorer a task names: from the table, `evaluate:<folder>` or `pkg.mod:function`.

    Raises:
        TaskError: there is no such scorer, or a parameter does not fit.
        MissingExtraError: `evaluate:` is asked for and the library is not installed.
    """
    try:
        if choice.name in SCORERS:
            return SCORERS[choice.name](**choice.parameters)
        if choice.name in MODEL_SCORERS:
            return MODEL_SCORERS[choice.name](**choice.parameters)
        if choice.name.startswith(EVALUATE_PREFIX):
            return hf_evaluate(choice.name.removeprefix(EVALUATE_PREFIX), **choice.parameters)
        if ":" in choice.name:
            return _own(choice.name, where)(**choice.parameters)
    except (TypeError, ValueError) as error:
        got = f"parameters {choice.parameters}"
        raise TaskError([Problem(f"{where}.{choice.name}", got, str(error))]) from None
    known = [*SCORERS, *MODEL_SCORERS]
    near = difflib.get_close_matches(choice.name, known, n=1)
    fix = f"Did you mean `{near[0]}`?" if near else "A scorer of your own is `package.module:name`."
    raise TaskError([Problem(where, f"`{choice.name}`", f"one of {', '.join(known)}", fix)])


def _own(name: str, where: str) -> Callable[..., Scorer | ModelScorer]:
    """Import a scorer by `package.module:name`; only what is installed can be named."""
    module, _, attribute = name.partition(":")
    if module.split(".")[0] in sys.stdlib_module_names:
        fix = "A task file from elsewhere could otherwise run any program."
        raise TaskError([Problem(where, f"`{name}`", "a scorer of a package of yours", fix)])
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise TaskError([Problem(where, f"`{name}` ({error})", "an importable scorer")]) from None
    factory: Callable[..., Scorer | ModelScorer] = found
    return factory
