"""What is fixed, in which order, and what is not kept. The answers are given."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ladder.diagnosis.context_costs import knee
from ladder.engines.base import Completion
from ladder.evidence import Candidate, Comparison, Retrieval
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample
from ladder.selection import fixes as fixing

DEV = tuple(Sample(id=f"d{at}", input="x", target="y") for at in range(60))


@pytest.fixture
def bench():
    gate = SimpleNamespace(min_score=0.8, confidence=0.95, max_error_rate=0.02)
    return SimpleNamespace(
        splits=SimpleNamespace(dev=DEV, documents=(1,)), task=SimpleNamespace(gate=gate)
    )


def candidate(**how) -> Candidate:
    retrieval = Retrieval(**{"source": "documents", "k": 3, **how})
    return Candidate(rung="rag", description="t", model="bundled:none", retrieval=retrieval)


def unseen(difference: float) -> Comparison:
    numbers = {"difference": difference, "low": -1, "high": 1, "n": 60, "p_value": 0.5}
    return Comparison.model_validate({"other": "old", "claim": "no difference proven", **numbers})


def fixed(bench, monkeypatch, share_right, unseen_gain=0.1, start=None):
    """Fix where a candidate's share of right answers is given by its retrieval."""

    def answer(evaluator, way, samples, title=""):
        right = share_right(way.retrieval)
        tokens = 100 * way.retrieval.k
        return [
            Outcome(row, "", Completion(tokens_in=tokens), (float(at < right * len(samples)),))
            for at, row in enumerate(samples)
        ]

    def changes(evaluator, way):
        r = way.retrieval
        found = {}
        if not r.unique:
            found["unique"] = way.model_copy(
                update={"retrieval": r.model_copy(update={"unique": True})}
            )
        if r.k > 1:
            found["fewer"] = way.model_copy(update={"retrieval": r.model_copy(update={"k": 1})})
        return found

    monkeypatch.setattr(fixing, "answer", answer)
    monkeypatch.setattr(fixing, "changes", changes)
    monkeypatch.setattr(fixing, "oracle", lambda bench, way: None)
    monkeypatch.setattr(fixing, "compare_unseen", lambda bench, a, b: unseen(unseen_gain))
    return fixing.apply_fixes(bench.evaluator, start or candidate())


def test_what_helps_is_kept_and_named(bench, monkeypatch):
    found, fixes = fixed(bench, monkeypatch, lambda r: 0.9 if r.unique else 0.2)
    assert found.retrieval.unique
    assert [(fix.cause, fix.kept) for fix in fixes] == [("redundancy", True)]
    assert fixes[0].on_dev.difference == pytest.approx(0.7)
    assert "repeats left out" in found.description


def test_mends_are_applied_one_on_top_of_the_other(bench, monkeypatch):
    def share(r):
        return 0.2 + 0.4 * r.unique + (0.3 if r.k == 1 else 0.0)

    found, fixes = fixed(bench, monkeypatch, share)
    assert [fix.cause for fix in fixes] == ["redundancy", "distraction"]
    assert (found.retrieval.unique, found.retrieval.k) == (True, 1)
    assert fixes[1].on_dev.difference == pytest.approx(0.3)


def test_a_system_that_holds_the_score_is_left_alone(bench, monkeypatch):
    found, fixes = fixed(bench, monkeypatch, lambda r: 0.95 if r.unique else 0.85)
    assert (found, fixes) == (candidate(), ())


def test_a_gain_that_chance_allows_is_none(bench, monkeypatch):
    found, fixes = fixed(bench, monkeypatch, lambda r: 0.25 if r.unique else 0.2)
    assert (found, fixes) == (candidate(), ())


def test_what_does_not_win_on_unseen_rows_is_said_and_not_kept(bench, monkeypatch):
    found, fixes = fixed(bench, monkeypatch, lambda r: 0.9 if r.unique else 0.2, -0.01)
    assert found == candidate()
    assert [fix.kept for fix in fixes] == [False]


def test_of_equal_changes_the_cheaper_one_is_kept(bench, monkeypatch):
    found, _ = fixed(bench, monkeypatch, lambda r: 0.9 if r.unique or r.k == 1 else 0.2)
    assert found.retrieval.k == 1


def test_documents_have_another_chance_where_examples_won(bench, monkeypatch):
    """One change is not enough: reading documents, and leaving their copies out."""

    def share(r):
        return 0.95 if r.source == "documents" and r.unique else 0.2

    found, fixes = fixed(bench, monkeypatch, share, start=candidate(source="examples"))
    assert found.retrieval.source == "documents"
    assert [fix.cause for fix in fixes] == ["redundancy"]


def test_where_the_right_documents_fail_too_nothing_is_mended(bench, monkeypatch):
    bench.evaluator.retriever = SimpleNamespace(right_passages=lambda row: [row])
    start = candidate()
    oracle = start.model_copy(update={"retrieval": Retrieval(source="gold", k=1)})
    answered = []

    def share(r):
        answered.append(r.source)
        return 0.3 if r.source == "gold" else 0.9 if r.unique else 0.2

    with monkeypatch.context() as patch:
        given = fixed(bench, patch, share)  # without known documents it is fixed
        assert given[1]
        patch.setattr(fixing, "oracle", lambda bench, way: oracle)
        answered.clear()
        assert fixing.apply_fixes(bench.evaluator, start) == (start, ())
    assert set(answered) == {"documents", "gold"}


def test_a_change_that_is_clearly_better_wins_whatever_it_costs(bench, monkeypatch):
    found, fixes = fixed(
        bench, monkeypatch, lambda r: 0.95 if r.unique else 0.5 if r.k == 1 else 0.1
    )
    assert found.retrieval.unique
    assert fixes[0].cause == "redundancy"


def test_what_was_trained_is_not_mended(bench, monkeypatch):
    """Its training examples are no fresh training examples."""
    start = candidate().model_copy(update={"adapter": "here"})
    found = fixed(bench, monkeypatch, lambda r: 0.9 if r.unique else 0.2, start=start)
    assert found == (start, ())


def test_documents_take_over_only_with_a_mend_that_was_kept(bench, monkeypatch):
    def share(r):
        if r.source == "examples":
            return 0.5
        return 0.95 if r.unique else 0.55

    start = candidate(source="examples")
    assert fixed(bench, monkeypatch, share, unseen_gain=-0.1, start=start)[0] == start


def test_nothing_is_read_nothing_is_mended(bench):
    bare = Candidate(rung="prompt", description="t", model="bundled:none")
    assert fixing.apply_fixes(bench.evaluator, bare) == (bare, ())


def test_the_knee_is_the_smallest_that_cannot_be_told_from_the_best():
    def scores(right: int) -> dict[str, float]:
        return {str(at): float(at < right) for at in range(40)}

    assert knee({1: scores(10), 2: scores(30), 4: scores(30), 8: scores(31)}) == 2
    assert knee({1: scores(30), 2: scores(30)}) == 1
    assert knee({1: scores(5), 16: scores(39)}) == 16
