"""A second try after an external check has found fault with an answer.

Only what can be checked without a model is: models asked to find their own mistakes talk
themselves out of right answers as readily (Huang et al., 2023, arXiv 2310.01798).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ladder.engines.base import Request
from ladder.inference.exchanges import Exchange, one_after_the_other
from ladder.samples.answer_schema import Schema, fault_in
from ladder.scorers.base import fold
from ladder.scorers.number import last_number
from ladder.task import AnswerForm
from ladder.wording import in_a_row

LABELS_NAMED = 30


def rewritten(first: Exchange, request: Request, check: Callable[[str], str]) -> Exchange:
    """Ask; where the check finds fault with the answer, show both and ask once more.

    Args:
        first: asks the first time.
        request: what it asks.
        check: answer -> what is wrong with it; empty: nothing.
    """
    answer = yield from first
    fault = check(answer.text) if answer.error is None else ""
    if not fault:
        return replace(answer, first_s=None)  # nothing is shown before it is checked
    [second] = yield [asked_again(request, answer.text, fault)]
    # Where the model has no second answer the first one stands.
    stands = second.error is not None and second.is_own_fault
    return one_after_the_other([answer, second], answer if stands else second)


def fault_of(form: AnswerForm, labels: Sequence[str], schema: Schema | None, text: str) -> str:
    """Return what is wrong with an answer for anyone to see; empty where nothing is."""
    if form.type == "json":
        return fault_in(text, schema)
    if form.type == "number":
        return "" if last_number(text) is not None else "there is no number in it"
    if not labels or fold(text, lowercase=True) in {fold(one, lowercase=True) for one in labels}:
        return ""
    more = ", …" if len(labels) > LABELS_NAMED else ""
    return f"it is none of: {in_a_row(labels[:LABELS_NAMED])}{more}"


def asked_again(request: Request, answer: str, fault: str) -> Request:
    """Return the request that shows an answer and what is wrong with it."""
    if request.messages:
        told = f"This answer was refused: {fault}. Answer again, with the answer alone."
        turns = (*request.messages, ("assistant", answer), ("user", told))
        return replace(request, messages=turns)
    asks = request.text.rsplit("\n", 1)[-1]
    told = f"{request.text} {' '.join(answer.split())}\nRefused: {fault}\n{asks}"
    return replace(request, text=told)
