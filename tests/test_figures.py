"""The picture of the costs: the same bytes for the same figures, and every rung in it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from ladder.economy.bills import economics
from ladder.evidence import Attempt, Build, Candidate, Estimate, Measurement, TokenUse
from ladder.figures import costs_svg, loss_svg
from ladder.report.cost import break_even_sentence
from ladder.task import Task

TASK = Task.model_validate(
    {
        "name": "t",
        "goal": "Sort the mail.",
        "data": {"test": "t.jsonl"},
        "score": "exact_match",
        "gate": {"min_score": 0.8},
        "use": {"requests_per_month": 50_000, "usd_per_label": 0.5},
    }
)


def attempt(rung: str, per_1k: float | None, build: float = 0.0, shots: int = 0) -> Attempt:
    return Attempt(
        rung=rung,
        status="passed",
        candidate=Candidate(
            rung=rung, description="x", model="replay:x", shots=tuple(map(str, range(shots)))
        ),
        measurement=Measurement(
            score=Estimate(mean=0.9, low=0.8, high=0.95, n=100),
            tokens=TokenUse(input_mean=1, output_mean=1),
            cost_usd_per_1k=per_1k,
            cost_error_usd_per_1k=0.01,
            build=Build(usd=build),
        ),
    )


ATTEMPTS = [attempt("prompt", 0.9, shots=4), attempt("lora", 0.5, build=60.0)]


def test_labels_build_and_revalidation_are_in_the_bill():
    found = economics(TASK, 300, 200, ATTEMPTS)
    prompt, lora = found.bills
    assert (prompt.labels, lora.labels) == (2.0, 150.0)
    assert prompt.revalidation_per_quarter == 0.18
    assert lora.fixed_per_month == (60 + 150) / 12 + 0.1 / 3
    assert lora.per_month == lora.fixed_per_month + 50 * 0.5
    (crossing,) = found.break_evens
    assert (crossing.rung, crossing.against) == ("lora", "prompt")
    assert crossing.requests_per_month is not None
    assert crossing.low is not None
    assert crossing.low < crossing.requests_per_month < (crossing.high or 0)
    assert "lora is cheaper than prompt from about" in break_even_sentence(crossing)


def test_a_rung_without_a_known_cost_has_no_bill():
    found = economics(TASK, 300, 200, [attempt("prompt", None), attempt("rag", 0.4)])
    assert [bill.rung for bill in found.bills] == ["rag"]
    assert found.break_evens == ()


def test_what_never_pays_is_said():
    found = economics(TASK, 300, 200, [attempt("prompt", 0.1), attempt("lora", 0.5, build=60.0)])
    assert (
        break_even_sentence(found.break_evens[0]) == "prompt is cheaper than lora at every volume."
    )


def test_the_picture_shows_every_rung_and_is_the_same_twice():
    found = economics(TASK, 300, 200, ATTEMPTS)
    failed = found.bills[0].model_copy(update={"passed": False})
    found = found.model_copy(update={"bills": (failed, found.bills[1])})
    picture = costs_svg(found)
    assert picture == costs_svg(found)
    ElementTree.fromstring(picture)
    for words in ("prompt, does not pass", "lora", "your volume", "requests a month"):
        assert words in picture


def test_a_loss_curve_is_drawn_the_same_each_time() -> None:
    curve = [[5, 2.5], [10, 1.25], [15, 0.8]]
    drawn = loss_svg(curve)
    assert drawn == loss_svg(curve) != loss_svg(curve[:2])
    assert "training loss" in drawn
    assert "step" in drawn
