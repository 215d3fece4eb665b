"""No card declares more than a run shows: its own never does, and another's is refused by line."""

from __future__ import annotations

import pytest
from assessments import assessment, full_assessment
from hypothesis import given
from hypothesis import strategies as st

from ladder.audit.pack.card import NOT_CERTIFIED, run_card
from ladder.audit.pack.certified import certified, declared
from ladder.audit.pack.declaring import overstated
from ladder.errors import DataError
from ladder.evidence import Assessment, Estimate

BOUND = 0.84 - 0.05
"""Of `assessment()`, on 150 held-out test examples: as floats have it, a little below 0.79."""


def found(text: str, a: Assessment | None = None) -> list[tuple[int, str]]:
    return [(one.line, one.declared) for one in overstated(text, a or assessment(), "card.md")]


def index(value: object, metric: str = "exact_match") -> str:
    return (
        "---\nmodel-index:\n- name: x\n  results:\n  - task: {type: other}\n"
        f"    metrics:\n    - type: {metric}\n      value: {value}\n---\n# x\n"
    )


@given(st.floats(0, 1))
def test_what_is_declared_is_never_above_the_bound(bound):
    assert declared(bound) <= bound


@pytest.mark.slow
@given(st.floats(0.01, 0.98), st.floats(0, 0.01))
def test_a_runs_own_card_is_never_refused(low, width):
    score = Estimate(mean=low + width / 2, low=low, high=low + width, n=150)
    a = assessment()
    a = a.but(recommendation=a.recommendation.but(confirmed=score))
    assert overstated(run_card(a), a, "card.md") == []


def test_the_card_of_a_run_with_everything_is_never_refused():
    a = full_assessment()
    assert overstated(run_card(a), a, "card.md") == []


@pytest.mark.parametrize("value", ["0.789", "78", '"78 %"', "0.5", "{overall: 0.7, other: 0.78}"])
def test_a_value_up_to_the_bound_holds(value):
    assert found(index(value)) == []


@pytest.mark.parametrize("value", ["0.791", "84", '"84 %"', "1.0", "{overall: 0.7, other: 0.8}"])
def test_a_value_above_it_is_refused_with_its_line(value):
    [one] = overstated(index(value), assessment(), "card.md")
    assert one.line == 8
    assert one.metric == "exact_match"
    assert one.bound == pytest.approx(BOUND)
    assert "line 8" in str(one)
    assert "0.79" in str(one)


def test_another_metric_is_held_against_its_own_interval_and_an_unknown_one_refused():
    assert found(index("0.60", "token_f1")) == []
    assert found(index("0.63", "token_f1")) == [(8, "0.63")]
    [one] = overstated(index("0.1", "bleu"), assessment(), "card.md")
    assert one.bound is None
    assert "certifies no value" in str(one)


@pytest.mark.parametrize("name", ["accuracy", "Accuracy", "exact match"])
def test_accuracy_is_exact_match(name):
    assert found(index("0.9", name)) == [(8, "0.9")]
    assert found(index("0.7", name)) == []


@pytest.mark.parametrize(
    "line",
    [
        "Its accuracy is 92 %.",
        "exact_match: 0.85",
        "- **Score**: 0,93",
        "It is correct in 99.5 percent of all cases.",
        "| metric | value |\n|---|---|\n| exact match | 0.91 |",
        "| accuracy | rows |\n|---|---|\n| 0.91 | 150 |",
    ],
)
def test_what_the_text_declares_is_refused(line):
    text = f"# A card\n\n{line}\n"
    [(number, _)] = found(text)
    assert number == len(text.splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "Its accuracy is at least 78.9 %.",
        "accuracy 0.84 (0.79–0.89) on 150 rows, 95 % interval",
        "The score has a confidence of 95 %, at a gate of 0.8.",
        "exact_match, 95% CI; n = 150; p < 0.05",
        "p95 250 ms, 99 % of requests in time",
        "Version 0.95 of the software.",
    ],
)
def test_measurements_intervals_and_other_figures_may_stay(line):
    assert found(f"# A card\n\n{line}\n") == []


def test_a_run_that_certifies_nothing_lets_nothing_be_declared():
    a = assessment()
    for change in ({"confirmed_verdict": "fail"}, {"withheld": True}, {"confirmed": None}):
        refuted = a.but(recommendation=a.recommendation.but(**change))
        assert certified(refuted) is None
        card = run_card(refuted)
        assert "model-index" not in card
        assert NOT_CERTIFIED in card
        assert overstated(card, refuted, "card.md") == []
        assert found(index("0.1"), refuted) == [(8, "0.1")]
        assert found("accuracy: 0.1", refuted) == [(1, "0.1")]


@pytest.mark.parametrize(
    "head", ["model-index: 5", "model-index: [5]", "a: [", "model-index: {a: b}"]
)
def test_metadata_that_is_none_is_told(head):
    with pytest.raises(DataError, match=r"card\.md"):
        found(f"---\n{head}\n---\n")


def test_the_hubs_own_reader_reads_the_card():
    from huggingface_hub import ModelCard

    [result] = ModelCard(run_card(assessment())).data.eval_results
    assert (result.metric_type, result.metric_value) == ("exact_match", 0.789)
