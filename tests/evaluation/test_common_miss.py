"""The wrong answer that stands for most mistakes is named; a handful of unlike ones is not."""

from __future__ import annotations

import pytest

from ladder.engines.base import Completion
from ladder.evaluation.measure import common_miss
from ladder.inference.outcome import Outcome
from ladder.samples.rows import Sample


def outcomes(*texts: str, right: int = 3) -> list[Outcome]:
    given = [(text, 0.0) for text in texts] + [("yes", 1.0)] * right
    return [
        Outcome(Sample(str(at), "asked", "yes"), text, Completion(text, 1, 1, 0.0), score)
        for at, (text, score) in enumerate(given)
    ]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["", "", " ", "", "no", "perhaps"], ("", 4, 6)),
        (["no"] * 6 + ["perhaps"] * 2, ("no", 6, 8)),
        (["no"] * 3, None),
        (["no", "no", "a", "b", "c"], None),
        ([], None),
    ],
)
def test_the_commonest_wrong_answer_is_half_of_them_or_more(texts, said):
    found = common_miss(outcomes(*texts))
    assert said == (found and (found.answer, found.count, found.of))


def test_a_request_that_failed_is_no_wrong_answer():
    failed = [
        Outcome(Sample(str(at), "asked", "yes"), "", Completion("", 1, 0, 0.0, error="HTTP 500"))
        for at in range(9)
    ]
    assert common_miss(failed) is None


def test_a_long_answer_is_named_by_its_beginning():
    found = common_miss(outcomes(*["x" * 500] * 5))
    assert found is not None
    assert len(found.answer) == 80
