"""From what the arms measured to causes and refusals."""

from __future__ import annotations

import pytest

from ladder.diagnosis.rules import Arms, diagnose
from ladder.evidence import LimitVerdict, Verdict
from ladder.gate.verdict import combine


def verdict(score: str = "fail", latency: str = "pass") -> Verdict:
    limits = {"min_score": score, "max_p95_ms": latency}
    return combine(
        [
            LimitVerdict(limit=name, wanted=0.8, got=0.5, distance=-0.3, verdict=word, reason="r")
            for name, word in limits.items()
        ]
    )


def scores(right: int, wrong: int) -> dict[str, float]:
    return {str(at): float(at < right) for at in range(right + wrong)}


def test_a_gap_that_the_right_document_closes_refuses_training():
    arms = Arms(scores(4, 6), scores(4, 6), scores(10, 0))
    found = diagnose("rag", verdict(), arms, 0.8, 0.95)
    assert found.refuses == ("lora", "distill")
    assert found.causes[0].name == "retrieval"
    assert "training is refused" in found.sentence
    assert found.causes[0].recoverable.mean == 1.0


def test_a_gap_that_stays_with_the_right_document_is_skill():
    arms = Arms(scores(2, 8), scores(2, 8), scores(3, 7))
    found = diagnose("rag", verdict(), arms, 0.8, 0.95)
    assert found.refuses == ()
    assert found.causes[0].name == "skill"


def test_the_prompt_rung_lacks_knowledge_and_refuses_nothing():
    arms = Arms(scores(0, 10), scores(0, 10), scores(10, 0))
    found = diagnose("prompt", verdict(), arms, 0.8, 0.95)
    assert found.causes[0].name == "knowledge"
    assert found.refuses == ()


def test_an_answer_in_another_form_is_format():
    found = diagnose("prompt", verdict(), Arms(scores(0, 10), scores(9, 1), None), 0.8, 0.95)
    assert found.causes[0].name == "format"
    assert found.causes[0].share == 0.9


def test_without_known_documents_it_says_what_it_cannot_tell():
    found = diagnose("prompt", verdict(), Arms(scores(0, 9), scores(0, 9), None), 0.8, 0.95)
    assert "cannot be told apart" in found.sentence


def test_latency_alone_points_at_a_smaller_model():
    arms = Arms(scores(9, 1), scores(9, 1), None)
    found = diagnose("lora", verdict("pass", "fail"), arms, 0.8, 0.95)
    assert found.refuses == ("rag", "lora")
    assert [cause.name for cause in found.causes] == ["latency"]


def test_fifty_misses_of_one_cause_are_not_called_skill_as_well():
    """A cause lists at most 20 rows; those it leaves out are explained all the same."""
    found = diagnose("prompt", verdict(), Arms(scores(0, 50), scores(50, 0), None), 0.8, 0.95)
    assert [cause.name for cause in found.causes] == ["format"]
    assert found.causes[0].share == 1
    assert len(found.causes[0].sample_ids) == 20
    arms = Arms(scores(0, 50), scores(0, 50), scores(50, 0))
    found = diagnose("prompt", verdict(), arms, 0.8, 0.95)
    assert [cause.name for cause in found.causes] == ["knowledge"]


def test_a_cause_behind_few_misses_is_left_out_and_its_rows_stay_unexplained():
    found = diagnose("prompt", verdict(), Arms(scores(0, 50), scores(4, 46), None), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [("skill", 1)]


def test_half_right_answers_below_the_limit_are_no_misses():
    graded = {str(at): 0.6 for at in range(10)}
    found = diagnose("prompt", verdict(), Arms(graded, graded, None), 0.8, 0.95)
    assert found.causes == ()
    assert found.sentence == "No single cause stands out."


def test_an_oracle_below_the_limit_refuses_no_training():
    arms = Arms(scores(2, 8), scores(2, 8), scores(7, 3))
    found = diagnose("rag", verdict(), arms, 0.8, 0.95)
    assert found.refuses == ()
    assert {cause.name for cause in found.causes} == {"retrieval", "skill"}


def over(**words: str) -> Verdict:
    values = {"wanted": 1, "got": 0.5, "distance": 0.1}
    return combine(
        [
            LimitVerdict.model_validate(
                {**values, "limit": name, "verdict": word, "reason": f"why {name}"}
            )
            for name, word in words.items()
        ]
    )


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        ({"max_cost_usd_per_1k": "fail"}, ["cost"]),
        ({"max_cost_usd_per_1k": "undecided", "max_p95_ms": "fail"}, ["cost", "latency"]),
    ],
)
def test_cost_with_or_without_latency_asks_for_a_smaller_model(limits, names):
    arms = Arms(scores(9, 1), scores(9, 1), None)
    found = diagnose("prompt", over(min_score="pass", **limits), arms, 0.8, 0.95)
    assert [cause.name for cause in found.causes] == names
    assert found.refuses == ("rag", "lora")
    assert " and ".join(names) in found.sentence
    assert all(f"why {limit}" in str(found.causes) for limit in limits)


def test_too_many_errors_are_no_cause():
    given = over(min_score="pass", max_error_rate="none")
    found = diagnose("prompt", given, Arms(scores(9, 1), scores(9, 1), None), 0.8, 0.95)
    assert (found.causes, found.refuses) == ((), ())
    assert "failed" in found.sentence


def test_a_short_oracle_arm_speaks_for_its_own_rows():
    """Only some rows name their documents: the share counts those rows alone."""
    oracle = {str(at): float(at % 2) for at in range(10)}
    found = diagnose("prompt", verdict(), Arms(scores(0, 40), scores(0, 40), oracle), 0.8, 0.95)
    shares = {cause.name: cause.share for cause in found.causes}
    assert shares == {"knowledge": 0.5, "skill": 35 / 40}


def test_two_causes_stand_the_larger_first_and_share_no_row():
    found = diagnose("prompt", verdict(), Arms(scores(0, 40), scores(10, 30), None), 0.8, 0.95)
    assert [(cause.name, cause.share) for cause in found.causes] == [
        ("skill", 0.75),
        ("format", 0.25),
    ]
    assert not set(found.causes[0].sample_ids) & set(found.causes[1].sample_ids)
