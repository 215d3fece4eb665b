"""Self-consistency (Wang et al., 2022): draw several answers, keep the most frequent one.

No more are drawn than the vote needs. It ends once the leading answer is very likely the more
frequent of the two in front, by the Beta posterior of Adaptive-Consistency (Aggarwal et al., 2023,
arXiv 2305.11860), or once the answers that are left could not overtake it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from scipy.special import betainc

from ladder.engines.base import Completion, Request
from ladder.files import canonical
from ladder.inference.exchanges import Exchange, taken_together
from ladder.samples.answer_schema import MISSING, parsed
from ladder.scorers.base import fold
from ladder.scorers.number import last_number
from ladder.task import AnswerForm

TEMPERATURE = 0.7
"""Of the draws, as in the papers."""
ENOUGH = 0.95
"""Four draws that agree reach it, three do not."""


def vote(
    request: Request, most: int, ballot: Callable[[str], str | None], *, in_parallel: bool
) -> Exchange:
    """Draw answers in batches until the vote is decided; the answer is the winner's first wording.

    Args:
        request: is asked anew for each draw.
        most: answers to draw at most.
        ballot: text -> what is counted as the same answer; None abstains.
        in_parallel: the draws of a batch are answered at the same time (an endpoint), so a batch
            takes as long as its slowest; else their shares of the machine add up.
    """
    heard: list[Completion] = []
    seconds = 0.0
    while more := draws_wanted(_counts(heard, ballot), len(heard), most):
        batch = yield [
            replace(request, temperature=TEMPERATURE, sample=len(heard) + number)
            for number in range(more)
        ]
        heard += batch
        lost = [one for one in batch if one.error is not None and not one.is_own_fault]
        if lost:  # a vote that an outage took part in is another vote
            return taken_together(heard, lost[0], seconds)
        took = [completion.seconds for completion in batch]
        seconds += max(took) if in_parallel else math.fsum(took)
    return taken_together(heard, _elected(heard, ballot), seconds)


def draws_wanted(counts: Sequence[int], drawn: int, most: int) -> int:
    """Return how many answers to draw next: the fewest that could decide; 0: it is decided.

    Args:
        counts: votes of each answer.
        drawn: answers drawn so far, abstentions included.
        most: answers to draw at most.
    """
    first, second = [*sorted(counts, reverse=True), 0, 0][:2]
    left = most - drawn
    decisive = (more for more in range(left) if decided(first + more, second, left - more))
    return next(decisive, left)


def decided(first: int, second: int, left: int) -> bool:
    """Tell whether the leading answer's lead over the next one will stand.

    The share that the first has of the two follows Beta(first + 1, second + 1) under a uniform
    prior; above one half with 95 % probability, it leads.
    """
    return first - second > left or 1 - betainc(first + 1, second + 1, 0.5) >= ENOUGH


def ballot(form: AnswerForm, labels: Sequence[str], text: str) -> str | None:
    """Return what an answer counts as: equal answers have equal ballots. None: no answer at all."""
    if form.type == "number":
        number = last_number(text)
        return None if number is None else repr(number)
    if form.type == "json":
        value = parsed(text)
        return None if value is MISSING else canonical(value)
    folded = fold(text, lowercase=True)
    if labels and folded not in {fold(label, lowercase=True) for label in labels}:
        return None
    return folded or None


def _counts(heard: Sequence[Completion], ballot: Callable[[str], str | None]) -> list[int]:
    return list(Counter(b for b in _ballots(heard, ballot) if b is not None).values())


def _elected(heard: Sequence[Completion], ballot: Callable[[str], str | None]) -> Completion:
    """Return the first answer with the most frequent ballot; of equals, the one heard first."""
    ballots = _ballots(heard, ballot)
    counts = Counter(b for b in ballots if b is not None)
    if counts:
        return heard[ballots.index(max(counts, key=counts.__getitem__))]
    return next((one for one in heard if one.error is None), heard[0])


def _ballots(heard: Sequence[Completion], ballot: Callable[[str], str | None]) -> list[str | None]:
    return [ballot(one.text) if one.error is None else None for one in heard]
