"""Choose among candidates on the dev split, dropping the hopeless ones early.

All candidates see the same rows, so they are compared pair by pair. After each round those leave
that cannot reach the gate any more; from 16 rows on also those that are clearly behind the leader
or answer like a cheaper one, and at most half stay (successive halving, Karnin et al., 2013). The
race ends where nobody can reach the gate, and where the leader surely holds it: the gate asks for
enough, not for the best. The winner's dev score is flattered by the choice: it is measured anew on
the eval examples.

A row that somebody gave no answer to tells nothing of who is better, so it is left out for all. A
candidate of whose requests too many failed leaves: refused by itself (its prompt is too long) it
has lost, otherwise it has neither won nor lost, and the rung cannot fail without it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from ladder.diagnosis.cut_answers import why_none_began
from ladder.errors import NoVerdictError
from ladder.evidence import Candidate, RaceLine, Settled
from ladder.gate.early import surely_holds, surely_misses
from ladder.gate.verdict import too_many_failed
from ladder.inference.answer import answer
from ladder.inference.evaluator import Evaluator
from ladder.inference.failures import describe, too_many_lost
from ladder.inference.outcome import Outcome
from ladder.progress import CandidateLeft, CandidateStarted, Watch, Work, Worked

ROUNDS = (4, 8, 16, 32, 64, 120)
COMPARED_FROM = 16
"""Rows from which candidates are compared with each other."""
LEAST_PRIOR_ROWS = 8
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

    def leave(at: int, why: str, seen: Standing) -> None:
        each = candidates[at]
        evaluator.watch.tell(CandidateLeft(each.digest, each.description, why, seen.mean, seen.n))

    def read(at: int, count: int) -> Standing:
        # A batch's prior is read off as many rows as are asked about: few at first.
        prior = max(LEAST_PRIOR_ROWS, count)
        each = candidates[at]
        evaluator.watch.tell(CandidateStarted(each.digest, each.description, "race"))
        outcomes = heard[at] = answer(evaluator, each, dev[:count], prior_rows=prior)
        return Standing(
            scores=[o.score for o in outcomes],
            tokens=sum(o.completion.tokens_in for o in outcomes) / max(1, count),
            out=_out(outcomes, evaluator.task.gate.max_error_rate),
            answers=[o.text for o in outcomes],
        )

    min_score = evaluator.task.gate.min_score
    counts = len(candidates), len(dev)
    winner, standings = best_of(*counts, min_score, read, evaluator.watch, leave)
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
            least=least_tokens(heard[at]),
            asks=candidate.but(**_asked_as(candidate)).digest,
            settled=standings[at].settled(min_score),
            errors=len(standings[at].scores) - standings[at].n,
            unheard=too_many_lost(heard[at], evaluator.task.gate),
        )
        for at, candidate in enumerate(candidates)
    ]
    return candidates[winner], lines


def _asked_as(candidate: Candidate) -> dict[str, str]:
    """Return one set of fields for the ways to read the answers to the same requests."""
    decoding = "scored" if candidate.decoding == "constrained" else candidate.decoding
    scoring = "letter" if candidate.by_letter else "sum"
    return {"calibration": "none", "decoding": decoding, "scoring": scoring}


def _tokens(outcomes: Sequence[Outcome]) -> float:
    answered = [o.completion for o in outcomes if o.completion.error is None]
    return sum(c.tokens_in + c.tokens_out for c in answered) / max(1, len(answered))


def least_tokens(outcomes: Sequence[Outcome]) -> int:
    """Return prompt and answer of the shortest request that was answered; 0: none was."""
    answered = [o.completion for o in outcomes if o.completion.error is None]
    return min((c.tokens_in + c.tokens_out for c in answered), default=0)


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
    answers: Sequence[str] = ()
    """Of each row, where they are known."""

    @property
    def known(self) -> list[float]:
        """Scores of the rows that it answered."""
        return [score for score in self.scores if score is not None]

    @property
    def n(self) -> int:
        """Rows that it answered."""
        return len(self.known)

    @property
    def mean(self) -> float:
        """Its mean score over the rows that it answered; 0 where there are none."""
        return math.fsum(self.known) / max(1, self.n)

    def settled(self, min_score: float) -> Settled | None:
        """Return what these rows tell of the gate; None where they tell nothing."""
        if surely_misses(self.known, min_score):
            return "misses"
        return "holds" if surely_holds(self.known, min_score) else None


def best_of(
    candidates: int,
    rows: int,
    min_score: float,
    read: Callable[[int, int], Standing],
    watch: Watch,
    leave: Callable[[int, str, Standing], object] = lambda at, why, seen: None,
) -> tuple[int | None, dict[int, Standing]]:
    """Return the winner among numbered candidates, and what each one was seen with last.

    No winner: of every candidate's requests too many failed.

    Args:
        candidates: how many there are.
        rows: how many rows there are to read.
        min_score: that the gate asks for.
        read: (candidate, count) -> how it does on the first `count` rows.
        watch: sees the rounds.
        leave: is told of each candidate that leaves before the end, why, and how it did.
    """
    alive = list(range(candidates))
    seen: dict[int, Standing] = {}
    rounds = [count for count in ROUNDS if count < rows] + [rows]
    order: list[int] = []
    took: dict[int, float] = {}
    for number, (before, count) in enumerate(pairwise((0, *rounds)), start=1):
        title = f"racing, round {number} of {len(rounds)}, {count} rows each"
        _read_all(alive, partial(_read, read, count, seen), took, count - before, watch, title)
        began = alive
        alive = [at for at in alive if not seen[at].out]
        _leave(began, alive, "too many of its requests failed", leave, seen)
        if not alive:
            return None, seen
        order = _by_merit({at: seen[at] for at in alive})
        hopeful = [at for at in order if seen[at].settled(min_score) != "misses"]
        if not hopeful:
            again = seen if count <= COMPARED_FROM else order
            return _cheapest(seen[order[0]], again, seen), seen
        if count >= COMPARED_FROM and seen[order[0]].settled(min_score) == "holds":
            break
        _leave(alive, hopeful, "it cannot reach the gate", leave, seen)
        alive = _still_compared(hopeful, seen) if count >= COMPARED_FROM else hopeful
        _leave(hopeful, alive, "others are better, or answer alike for less", leave, seen)
    return order[0], seen


def _read(
    read: Callable[[int, int], Standing], count: int, seen: dict[int, Standing], at: int
) -> None:
    seen[at] = read(at, count)


def _read_all(
    alive: Sequence[int],
    read: Callable[[int], None],
    took: dict[int, float],
    rows: int,
    watch: Watch,
    title: str,
) -> None:
    """Read the rows of a round, candidate by candidate.

    Args:
        alive: those who are in it.
        read: one's rows.
        took: seconds that each took for a row in the round before; written anew.
        rows: that each reads more than before.
        watch: sees how far it is: what took longer in one round does so in the next.
        title: of the round.
    """
    costs = {at: rows * took[at] for at in alive if at in took}
    whole = math.fsum(costs.values())
    work = Work("", whole, whole) if whole > 0 and len(costs) == len(alive) else None
    parts = {at: costs[at] / whole if work else 1 / len(alive) for at in alive}
    amount, done = whole if work else float(len(alive)), 0.0
    with watch.step(title, len(alive), work) as advance:
        for number, at in enumerate(alive):
            advance(number, worked=Worked(done * amount, amount), part=parts[at])
            started = time.perf_counter()
            read(at)
            took[at] = (time.perf_counter() - started) / max(1, rows)
            done += parts[at]
        advance(len(alive), worked=Worked(amount, amount))


def _leave(
    before: Sequence[int],
    after: Sequence[int],
    why: str,
    leave: Callable[[int, str, Standing], object],
    seen: Mapping[int, Standing],
) -> None:
    for at in before:
        if at not in after:
            leave(at, why, seen[at])


def _still_compared(order: Sequence[int], seen: Mapping[int, Standing]) -> list[int]:
    """Return who stays: at most half, nobody who is clearly behind or answers like a cheaper one.

    Args:
        order: candidates, the best first.
        seen: how they did on the same rows.
    """
    most = max(LEAST_KEPT, math.ceil(len(order) / 2))
    stay: list[int] = []
    for at in order:
        behind = _clearly_behind(seen[order[0]].scores, seen[at].scores)
        if not behind and not any(_alike(seen[other], seen[at]) for other in stay):
            stay.append(at)
    return stay[:most]


def _cheapest(best: Standing, among: Iterable[int], seen: Mapping[int, Standing]) -> int:
    """Return who costs least of those that are not clearly behind, where nobody reaches the gate.

    So few rows choose by chance. A candidate that left only because it could not reach the gate is
    considered again: the one that was in the race longer may have been lucky.

    Args:
        best: who leads.
        among: who may stand for all.
        seen: how each did on its first rows.
    """

    def is_near(other: Standing) -> bool:
        first = best.scores[: len(other.scores)]
        return not other.out and not _clearly_behind(first, other.scores)

    near = (at for at in among if is_near(seen[at]))
    return min(near, key=lambda at: (seen[at].tokens, -seen[at].mean))


def _alike(one: Standing, other: Standing) -> bool:
    """Tell whether two gave the same answers, as far as they are known."""
    return bool(one.answers) and one.answers == other.answers and one.scores == other.scores


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
