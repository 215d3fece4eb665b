"""Which training examples to show before the question, and in what order.

Which examples a prompt shows and which comes last move a small model by many points (Zhao et al.,
2021; Lu et al., 2022), and nothing tells in advance which are good: so sets are made in several
ways, and a search tries them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from ladder.inference.evaluator import Evaluator
from ladder.samples.rows import Sample

COUNTS = (4, 8, 16)
ROUNDS_OF_LABELS = (1, 2)
MOST_ROWS = 32
DRAWS = 4
ORDERS = 2
"""Of a set that is not drawn: what stands last weighs most."""
SHOWN_CHARACTERS = 6_000
"""Of all rows in a set: longer ones would slow every request."""
MOST_RANKED = 2_000


class Shown(NamedTuple):
    """A set of training examples, in the order in which they are shown."""

    name: str
    shots: tuple[str, ...]


def demonstrations(
    evaluator: Evaluator, rows: Sequence[Sample], wrong: Sequence[Sample], seed: str
) -> list[Shown]:
    """Return sets of rows to show, each once; the same seed gives the same sets.

    Args:
        evaluator: knows the labels; each set goes round them.
        rows: what may be shown.
        wrong: those that the system got wrong: the hard ones.
        seed: of the draws and the orders.
    """
    found: dict[tuple[str, ...], str] = {}
    for name, ranked, orders in _rankings(rows[:MOST_RANKED], wrong, seed):
        for count in _counts(len(evaluator.data.labels)):
            shots = _fitting(evaluator, spread_shots(evaluator, count, ranked))
            for order in range(orders):
                arranged = list(shots)
                Random(f"{seed} {name} {count} {order}").shuffle(arranged)
                again = f", order {order + 1}" if order else ""
                found.setdefault(tuple(arranged), f"{len(arranged)} {name} rows{again}")
    return [Shown(name, shots) for shots, name in found.items() if shots]


def _counts(labels: int) -> list[int]:
    """Return how many rows to show: where labels are many each is shown, or the rest look wrong."""
    if labels <= min(COUNTS):
        return list(COUNTS)
    return sorted({min(MOST_ROWS, rounds * labels) for rounds in ROUNDS_OF_LABELS})


def _rankings(
    rows: Sequence[Sample], wrong: Sequence[Sample], seed: str
) -> Iterator[tuple[str, Sequence[Sample], int]]:
    """Yield a name, the rows with those to be shown first in front, and how many orders to try."""
    if not rows:
        return
    for draw in range(DRAWS):
        mixed = list(rows)
        Random(f"{seed} {draw}").shuffle(mixed)
        yield f"drawn ({draw + 1})", mixed, 1
    yield "short", sorted(rows, key=lambda row: len(row.input) + len(row.target)), ORDERS
    typical = _typical(rows)
    if typical:
        yield "typical", typical, ORDERS
    if wrong:
        missed = {row.id for row in wrong}
        yield "hard", sorted(rows, key=lambda row: row.id not in missed), ORDERS


def _typical(rows: Sequence[Sample]) -> list[Sample]:
    """Rank rows by their likeness to the mean of all rows with the same answer (TF-IDF, cosine).

    Answers that stand once are their own mean, so free texts are ranked against all rows.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        found = TfidfVectorizer(sublinear_tf=True).fit_transform([row.input for row in rows])
    except ValueError:  # no row has a word in it
        return []
    places: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        places.setdefault(row.target, []).append(at)
    if len(places) > len(rows) // 2:
        places = {"": list(range(len(rows)))}
    near: dict[int, float] = {}
    for group in places.values():
        centre = found[group].mean(axis=0).A1
        centre /= (centre @ centre) ** 0.5 or 1.0
        near |= dict(zip(group, (found[group] @ centre).tolist(), strict=True))
    return [rows[at] for at in sorted(near, key=lambda at: (-near[at], at))]


def _fitting(evaluator: Evaluator, shots: Sequence[str]) -> list[str]:
    """Leave out what would make the set too long."""
    kept, room = [], SHOWN_CHARACTERS
    for shot in shots:
        row = evaluator.train_by_id[shot]
        size = len(row.input) + len(row.target)
        if size <= room:
            kept.append(shot)
            room -= size
    return kept


def spread_shots(evaluator: Evaluator, count: int, rows: Sequence[Sample] = ()) -> tuple[str, ...]:
    """Choose training samples to show: one label after the other, in the order of the rows."""
    by_label: dict[str, list[Sample]] = {}
    for sample in rows or evaluator.data.train:
        key = sample.target if evaluator.data.labels else ""
        by_label.setdefault(key, []).append(sample)
    chosen: list[str] = []
    depth = 0
    while len(chosen) < count and any(len(rows) > depth for rows in by_label.values()):
        chosen += [rows[depth].id for rows in by_label.values() if len(rows) > depth]
        depth += 1
    return tuple(chosen[:count])
