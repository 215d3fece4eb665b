"""Choose among candidates on the dev split, dropping the hopeless ones early.

All candidates see the same rows, so they are compared pair by pair; after each round those that
are clearly behind the leader leave, and at most half stay (successive halving, Karnin et al.,
2013). The winner's dev score is flattered by the choice: it is measured anew on the gate rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ladder.evidence import Candidate, RaceLine
from ladder.report.watch import Watch
from ladder.rungs.asking import answer
from ladder.rungs.base import Climb, Rung
from ladder.rungs.proving import compare_unseen, proving_rows

ROUNDS = (16, 48, 120)
CLEARLY_BEHIND = 1.64
"""Standard errors of the paired difference: one-sided 5 %."""
LEAST_KEPT = 3


def race_rung(climb: Climb, rung: Rung) -> tuple[Candidate | None, tuple[RaceLine, ...]]:
    """Race a rung's waves; each wave's candidates meet the winner of those before.

    A challenge's winner, costlier or found by much searching, must also be better on unseen rows.
    """
    leader: Candidate | None = None
    lines: dict[str, RaceLine] = {}
    # Without rows that chose nothing no challenger can win: none is tried.
    challenges = rung.CHALLENGES if rung.CHALLENGES and proving_rows(climb) else ()
    for wave in (*rung.WAVES, *challenges):
        candidates = wave(climb, leader)
        if leader is not None:
            candidates = [leader, *candidates]
        if len(candidates) > (leader is not None):
            before = leader
            leader, found = race(climb, candidates)
            lines |= {line.technique: line for line in found}
            if wave in challenges and before is not None and leader != before:
                unseen = compare_unseen(climb, before, leader)
                leader = leader if unseen and unseen.claim == "better" else before
    won = leader.technique if leader else ""
    last = [line.model_copy(update={"dropped": line.technique != won}) for line in lines.values()]
    return leader, tuple(sorted(last, key=lambda line: (-line.n, -line.score)))


def race(climb: Climb, candidates: Sequence[Candidate]) -> tuple[Candidate, list[RaceLine]]:
    """Return the winner and how each candidate did. Of equals the one with fewer tokens wins."""
    dev = climb.splits.dev
    if len(candidates) == 1:
        return candidates[0], []

    def read(at: int, count: int) -> tuple[list[float], float]:
        outcomes = answer(climb, candidates[at], dev[:count])
        # An answer that did not come wins no race; it is never counted as wrong elsewhere.
        scores = [o.scores[0] if o.scores else 0.0 for o in outcomes]
        return scores, sum(o.completion.tokens_in for o in outcomes) / max(1, count)

    winner, scores = best_of(len(candidates), len(dev), read, climb.watch)
    lines = [
        RaceLine(
            technique=candidate.technique,
            score=math.fsum(scores[at]) / max(1, len(scores[at])),
            n=len(scores[at]),
            dropped=at != winner,
        )
        for at, candidate in enumerate(candidates)
    ]
    return candidates[winner], lines


def best_of(
    candidates: int, rows: int, read: Callable[[int, int], tuple[list[float], float]], watch: Watch
) -> tuple[int, dict[int, list[float]]]:
    """Return the winner among numbered candidates, and the scores that each one was seen with.

    Args:
        candidates: how many there are.
        rows: how many rows there are to read.
        read: (candidate, count) -> its scores on the first `count` rows, and its tokens per row.
        watch: sees the rounds.
    """
    alive = list(range(candidates))
    scores: dict[int, list[float]] = {}
    tokens: dict[int, float] = {}
    rounds = [count for count in ROUNDS if count < rows] + [rows]
    for number, count in enumerate(rounds, start=1):
        with watch.step(f"racing, round {number} of {len(rounds)}", len(alive)) as advance:
            for done, at in enumerate(alive, start=1):
                scores[at], tokens[at] = read(at, count)
                advance(done)
        order = sorted(alive, key=lambda at: (-math.fsum(scores[at]), tokens[at]))
        if number < len(rounds):
            most = max(LEAST_KEPT, math.ceil(len(alive) / 2))
            leader = scores[order[0]]
            alive = [at for at in order[:most] if not _clearly_behind(leader, scores[at])]
    return order[0], scores


def _clearly_behind(leader: Sequence[float], other: Sequence[float]) -> bool:
    differences = [a - b for a, b in zip(leader, other, strict=True)]
    n = len(differences)
    mean = math.fsum(differences) / n
    variance = math.fsum((d - mean) ** 2 for d in differences) / max(1, n - 1)
    return mean > 0 and mean > CLEARLY_BEHIND * math.sqrt(variance / n)
