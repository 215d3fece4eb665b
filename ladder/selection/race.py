"""Choose among candidates on the dev split, dropping the hopeless ones early.

All candidates see the same rows, so they are compared pair by pair; after each round those that
are clearly behind the incumbent leave, and at most half stay (successive halving, Karnin et al.,
2013). The winner's dev score is flattered by the choice: it is measured anew on the eval examples.

A row that somebody gave no answer to tells nothing of who is better, so it is left out for all. A
candidate of whose requests too many failed leaves: refused by itself (its prompt is too long) it
has lost, otherwise it has neither won nor lost, and the rung cannot fail without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ladder.diagnosis.cut_answers import why_none_began
from ladder.errors import NoVerdictError
from ladder.evidence import Candidate, RaceLine
from ladder.gate.verdict import too_many_failed
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import describe, too_many_lost
from ladder.inference.outcome import Outcome
from ladder.progress import Watch

ROUNDS = (16, 48, 120)
CLEARLY_BEHIND = 1.64
"""Standard errors of the paired difference: one-sided 5 %."""
LEAST_KEPT = 3


def race(evaluator: Evaluator, candidates: Sequence[Candidate]) -> tuple[Candidate, list[RaceLine]]:
    """Return the winner and how each candidate did. Of equals the one with fewer tokens wins.

    Raises:
        NoVerdictError: of every candidate's requests too many failed.
    """
    dev = evaluator.data.dev
    if len(candidates) == 1:
        return candidates[0], []
    heard: dict[int, list[Outcome]] = {}

    def read(at: int, count: int) -> Standing:
        outcomes = heard[at] = answer(evaluator, candidates[at], dev[:count])
        scores = [o.score for o in outcomes]
        tokens = sum(o.completion.tokens_in for o in outcomes) / max(1, count)
        return Standing(scores, tokens, _out(outcomes, evaluator.task.gate.max_error_rate))

    winner, standings = best_of(len(candidates), len(dev), read, evaluator.watch)
    if winner is None:
        worst = max(heard, key=lambda at: sum(o.score is None for o in heard[at]))
        what = "no candidate could be compared with another on the dev examples"
        cut = why_none_began(evaluator, candidates[worst], heard[worst])
        raise NoVerdictError(cut or describe(what, heard[worst]))
    lines = [
        RaceLine(
            description=candidate.description,
            candidate=candidate.digest,
            score=standings[at].mean,
            n=standings[at].n,
            dropped=at != winner,
            tokens=_tokens(heard[at]),
            errors=len(standings[at].scores) - standings[at].n,
            unheard=too_many_lost(heard[at], evaluator.task.gate),
        )
        for at, candidate in enumerate(candidates)
    ]
    return candidates[winner], lines


def _tokens(outcomes: Sequence[Outcome]) -> float:
    answered = [o.completion for o in outcomes if o.completion.error is None]
    return sum(c.tokens_in + c.tokens_out for c in answered) / max(1, len(answered))


def _out(outcomes: Sequence[Outcome], limit: float) -> bool:
    return too_many_failed(sum(o.score is None for o in outcomes), len(outcomes), limit)


@dataclass(frozen=True)
class Standing:
    """How a candidate did on the first rows."""

    scores: Sequence[float | None]
    """Of each row; None where it gave no answer."""
    tokens: float
    """Of a row, on average."""
    out: bool = False
    """Too many of its requests failed: it leaves."""

    @property
    def n(self) -> int:
        """Rows that it answered."""
        return sum(score is not None for score in self.scores)

    @property
    def mean(self) -> float:
        """Its mean score over the rows that it answered; 0 where there are none."""
        known = [score for score in self.scores if score is not None]
        return math.fsum(known) / max(1, len(known))


def best_of(
    candidates: int, rows: int, read: Callable[[int, int], Standing], watch: Watch
) -> tuple[int | None, dict[int, Standing]]:
    """Return the winner among numbered candidates, and what each one was seen with last.

    No winner: of every candidate's requests too many failed.

    Args:
        candidates: how many there are.
        rows: how many rows there are to read.
        read: (candidate, count) -> how it does on the first `count` rows.
        watch: sees the rounds.
    """
    alive = list(range(candidates))
    seen: dict[int, Standing] = {}
    rounds = [count for count in ROUNDS if count < rows] + [rows]
    order: list[int] = []
    for number, count in enumerate(rounds, start=1):
        with watch.step(f"racing, round {number} of {len(rounds)}", len(alive)) as advance:
            for done, at in enumerate(alive, start=1):
                seen[at] = read(at, count)
                advance(done)
        alive = [at for at in alive if not seen[at].out]
        if not alive:
            return None, seen
        order = _by_merit({at: seen[at] for at in alive})
        if number < len(rounds):
            most = max(LEAST_KEPT, math.ceil(len(alive) / 2))
            incumbent = seen[order[0]].scores
            alive = [at for at in order[:most] if not _clearly_behind(incumbent, seen[at].scores)]
    return order[0], seen


def _by_merit(seen: Mapping[int, Standing]) -> list[int]:
    """Order candidates by their score on the rows that all of them answered, then by tokens."""
    columns = zip(*(standing.scores for standing in seen.values()), strict=True)
    shared = [row for row, column in enumerate(columns) if None not in column]

    def total(at: int) -> float:
        return math.fsum(seen[at].scores[row] or 0.0 for row in shared)

    return sorted(seen, key=lambda at: (-total(at), seen[at].tokens))


def _clearly_behind(incumbent: Sequence[float | None], other: Sequence[float | None]) -> bool:
    pairs = zip(incumbent, other, strict=True)
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    n = len(differences)
    if not n:
        return False
    mean = math.fsum(differences) / n
    variance = math.fsum((d - mean) ** 2 for d in differences) / max(1, n - 1)
    return mean > 0 and mean > CLEARLY_BEHIND * math.sqrt(variance / n)
