"""Two-sample tests of inputs: their level, and what each of them sees."""

from __future__ import annotations

import numpy as np
import pytest

from ladder.lifecycle.shift import TESTS, Found, Permutations, Side, newness, shifts

WORDS = ("tide rope sail oar fog net buoy reef", "loan bank rate bond fund cash debt cost")


def side(
    count: int, seed: int, words: str = WORDS[0], *, longest: int = 9, shift: float = 0.0
) -> Side:
    draw = np.random.default_rng(seed)
    texts = [
        " ".join(draw.choice(words.split(), size=draw.integers(4, longest))) for _ in range(count)
    ]
    vectors = draw.normal(size=(count, 16)) + shift
    labels = draw.choice(["a", "b", "c"], size=count)
    return Side(tuple(texts), tuple(map(str, labels)), vectors)


def found(reference: Side, recent: Side, error: float = 0.05) -> dict[str, Found]:
    return {each.name: each for each in shifts(reference, recent, error)}


def alarmed(reference: Side, recent: Side) -> set[str]:
    return {name for name, each in found(reference, recent).items() if each.alarms}


@pytest.mark.slow
def test_nothing_is_seen_between_two_halves_of_one_traffic() -> None:
    alarms = sum(bool(alarmed(side(60, 2 * n), side(60, 2 * n + 1))) for n in range(30))
    assert alarms <= 5  # a level of 5 %: more than 5 of 30 has a chance of 3 in 1,000


def test_each_test_sees_its_own_shift() -> None:
    base = side(200, 0)
    assert alarmed(base, side(200, 1, WORDS[1])) == {"vocabulary"}
    assert alarmed(base, side(200, 1, longest=20)) == {"length"}
    assert {"embedding", "classifier"} <= alarmed(base, side(200, 1, shift=0.8))
    other = Side(base.inputs, tuple("a" for _ in base.inputs), base.vectors)
    assert alarmed(base, other) == {"labels"}
    german = Side(tuple(f"der {text} und die ist nicht" for text in base.inputs))
    assert "language" in alarmed(Side(base.inputs), german)
    russian = Side(tuple("где моя лодка и весло" for _ in base.inputs))
    assert "language" in alarmed(Side(base.inputs), russian)


@pytest.mark.slow
def test_a_shift_too_small_to_matter_is_no_alarm_at_any_number_of_rows() -> None:
    base, many = side(4_000, 0), side(4_000, 1, shift=0.05)
    seen = found(base, many)
    assert seen["classifier"].p_holm < 0.05
    assert seen["classifier"].effect < seen["classifier"].least
    assert not any(each.alarms for each in seen.values())


def test_without_vectors_and_labels_the_other_tests_are_left() -> None:
    base = side(50, 0)
    bare = Side(base.inputs)
    assert set(found(bare, bare)) == {"length", "vocabulary", "language"}
    assert newness(bare, bare) is None


@pytest.mark.slow
def test_a_small_error_can_still_be_met() -> None:
    seen = found(side(150, 0), side(150, 1, shift=2.0), error=1e-4)
    assert seen["embedding"].alarms
    assert seen["embedding"].p_holm <= 1e-4


def test_the_newest_rows_are_those_of_the_new_kind() -> None:
    reference, recent = side(120, 0), side(120, 1)
    vectors = recent.vectors.copy()
    vectors[:20] += 3.0
    scores = newness(reference, Side(recent.inputs, (), vectors))
    newest = set(np.argsort(-scores)[:15])
    assert newest <= set(range(20))


def test_equal_texts_are_judged_by_a_classifier_that_did_not_learn_them() -> None:
    texts = tuple(f"order {number % 10}" for number in range(60))
    draw = np.random.default_rng(0)
    places = {text: draw.normal(size=16) for text in texts}
    vectors = np.array([places[text] for text in texts])
    scores = newness(Side(texts, (), vectors), Side(texts, (), vectors + 1.0))
    assert len({round(float(score), 9) for score in scores}) == 10  # a text has one score


def test_rows_of_one_group_count_once() -> None:
    """A few groups of many rows look like a shift to tests that take rows for independent."""
    alarms = {False: 0, True: 0}
    for number in range(12):
        draw = np.random.default_rng(number)
        sides = []
        for _ in range(2):
            groups = np.repeat(np.arange(15), 12)
            vectors = draw.normal(size=(15, 8))[groups] + 0.1 * draw.normal(size=(180, 8))
            topics = np.array(WORDS[0].split())[draw.integers(0, 8, 15)][groups]
            texts = tuple(f"{topic} {draw.integers(99)}" for topic in topics)
            sides.append(Side(texts, tuple(topics), vectors, tuple(groups)))
        bare = [Side(side.inputs, side.labels, side.vectors) for side in sides]
        alarms[True] += any(each.alarms for each in shifts(*sides))
        alarms[False] += any(each.alarms for each in shifts(*bare))
    assert alarms[True] <= 3
    assert alarms[False] >= 10


def test_permutations_that_end_early_keep_the_level() -> None:
    """Of two sides of one distribution, p <= level with a chance of the level at most."""
    draw, ps = np.random.default_rng(0), []
    for _ in range(500):
        values = draw.normal(size=20)
        _, p = Permutations(draw, 400).test(10, 10, lambda weights, of=values: abs(weights @ of))
        ps.append(p)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(ps) <= level) <= level + 3 * np.sqrt(level / 500)


def test_every_test_has_a_least_effect() -> None:
    assert all(least > 0 for _, least in TESTS.values())


def test_how_many_permutations_are_drawn_together_changes_nothing(monkeypatch) -> None:
    def found() -> tuple[float, float]:
        values = np.random.default_rng(1).normal(size=60) + np.r_[np.zeros(30), np.full(30, 0.3)]
        draws = Permutations(np.random.default_rng(0), 3_000)
        return draws.test(30, 30, lambda weights: np.abs(weights @ values))

    together = found()
    monkeypatch.setattr("ladder.lifecycle.shift.MOST_WEIGHTS", 500)
    assert found() == together
