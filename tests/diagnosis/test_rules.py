"""From what the arms measured to causes and refusals."""

from __future__ import annotations

from ladder.diagnosis.rules import Arms, diagnose
from ladder.evidence import LimitVerdict, Verdict
from ladder.gate.verdict import combine


def verdict(score: str = "fail", latency: str = "pass") -> Verdict:
    return combine(
        [
            LimitVerdict(limit="min_score", wanted=0.8, got=0.5, distance=-0.3, verdict=score, reason="s"),
            LimitVerdict(limit="max_p95_ms", wanted=9, got=9, distance=0, verdict=latency, reason="slow"),
        ]
    )  # fmt: skip


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
