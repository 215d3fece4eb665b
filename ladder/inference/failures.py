"""When too many requests failed to choose, to compare or to explain.

A request that failed is no answer: its row is left out where systems are compared. Above the
gate's `max_error_rate` nothing is concluded at all, since what is left may be another kind of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ladder.engines.base import CUT_BEFORE_TEXT, Completion
from ladder.errors import GO_ON, NoVerdictError
from ladder.evidence import Failures
from ladder.gate.verdict import too_many_failed
from ladder.inference.outcome import Outcome
from ladder.task import GateLimits
from ladder.wording import counted

FIX_OF = {
    "too long": "Shorten the rows or the documents, write a lower answer.max_tokens, or name a "
    "model with a larger context.",
    CUT_BEFORE_TEXT: "Raise answer.max_tokens, or have the model answer without thinking first.",
}
"""What to do about failures that would come again, by their kind."""


def too_many_lost(outcomes: Sequence[Outcome], gate: GateLimits) -> bool:
    """Tell whether too many rows failed for reasons outside the system that was asked."""
    failed = sum(outcome.failed_externally for outcome in outcomes)
    return too_many_failed(failed, len(outcomes), gate.max_error_rate)


def require_conclusive(outcomes: Sequence[Outcome], gate: GateLimits, what: str) -> None:
    """Conclude nothing from answers of which too many failed.

    Raises:
        NoVerdictError: with what was to be found out, the counts, and the commonest error's words.
    """
    if too_many_lost(outcomes, gate):
        raise NoVerdictError(describe(what, outcomes))


def require_answers(completions: Sequence[Completion], gate: GateLimits, what: str) -> None:
    """Conclude nothing from completions of which too many failed (`require_conclusive`)."""
    failed = [c for c in completions if c.error is not None and not c.is_own_fault]
    if too_many_failed(len(failed), len(completions), gate.max_error_rate):
        kinds = Counter(c.kind or "error" for c in failed)
        words = str(failed[0].error)
        raise NoVerdictError(
            in_words(what, Failures(kinds=kinds, of=len(completions), words=words))
        )


def describe(what: str, outcomes: Sequence[Outcome]) -> str:
    """Say how many of the requests failed, how, and in which words."""
    return in_words(what, failures(outcomes))


def failures(outcomes: Sequence[Outcome]) -> Failures:
    """Return how many of the requests failed, how, and in which words."""
    return Failures(kinds=kinds_of(outcomes), of=len(outcomes), words=commonest(outcomes))


def kinds_of(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Count the kinds of error among outcomes."""
    return Counter(o.kind for o in outcomes if o.error is not None)


def commonest(outcomes: Sequence[Outcome]) -> str:
    """Return the words of the commonest kind of error; empty where nothing failed."""
    kinds = kinds_of(outcomes)
    if not kinds:
        return ""
    (kind, _), *_ = kinds.most_common(1)
    return next(o.error for o in outcomes if o.error is not None and o.kind == kind)


def in_words(what: str, failed: Failures) -> str:
    """Say what came of a step of which too many requests failed.

    Args:
        what: the step.
        failed: its requests.
    """
    kind = max(failed.kinds, key=failed.kinds.__getitem__, default="")
    return (
        f"{what}: {sum(failed.kinds.values()):,} of {failed.of:,} requests failed "
        f"({counted(failed.kinds)}: {failed.words}). {FIX_OF.get(kind, GO_ON)}"
    )
