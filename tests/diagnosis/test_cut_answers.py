"""Cut answers: what longer ones tell of the cause, and what is refused for it. Pure rules."""

from __future__ import annotations

import pytest

from ladder.diagnosis.cut_answers import cut_in_words
from ladder.diagnosis.rules import Ablations, diagnose
from ladder.evidence import CutAnswers, LimitVerdict, Verdict
from ladder.rungs import fixes
from ladder.task import GateLimits

FOUND = CutAnswers(limit=64, count=10, of=10, asked=10, tried=256, needed=112)


def told(production: list[float], longer: list[float], cut: int):
    """Diagnose rows of which the first so many were cut, and scored so with a higher limit."""
    rows = [str(at) for at in range(len(production))]
    ablations = Ablations(
        production=dict(zip(rows, production, strict=True)),
        changed={"longer": dict(zip(rows, longer, strict=True))},
        cut=FOUND if cut else None,
        cut_rows=frozenset(rows[:cut]),
    )
    missed = LimitVerdict(limit="min_score", wanted=0.8, got=0.1, distance=-0.7, verdict="fail")
    verdict = Verdict(status="fail", limits=(missed,))
    return diagnose("prompted", verdict, ablations, GateLimits(min_score=0.8), fixes())


@pytest.mark.parametrize("before", [0.0, 0.55])  # part marks are no whole answer
def test_answers_that_are_right_once_whole_refuse_every_rung(before):
    found = told([before] * 10, [1.0] * 10, cut=10)
    assert [cause.name for cause in found.causes] == ["cut"]
    assert (found.causes[0].count, found.causes[0].of) == (10, 10)
    assert found.gap == "length"
    assert set(found.refuses) == set(fixes())
    assert found.cut == FOUND


def test_few_cut_answers_are_a_cause_and_refuse_nothing():
    found = told([0.0] * 10, [1.0] * 3 + [0.0] * 7, cut=3)
    assert {cause.name: cause.count for cause in found.causes} == {"skill": 7, "cut": 3}
    assert found.gap is None
    assert found.refuses == ()


def test_a_cut_answer_that_is_wrong_when_whole_has_another_cause():
    found = told([0.0] * 10, [0.0] * 10, cut=10)
    assert [cause.name for cause in found.causes] == ["skill"]
    assert found.refuses == ()


def test_the_limit_that_would_do_is_said():
    assert cut_in_words(FOUND) == (
        "10 of 10 answers are cut at 64 tokens: `answer.max_tokens: 112` would do (10 asked again "
        "with 256)."
    )
    still = cut_in_words(FOUND.but(needed=None))
    assert still.endswith("some do not end with 256 either (10 asked again with 256).")
