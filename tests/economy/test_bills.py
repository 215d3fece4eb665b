"""What the measured systems cost to own, and from which volume one is cheaper."""

from __future__ import annotations

from economy.billed import ATTEMPTS, TASK, attempt

from ladder.economy.bills import economics
from ladder.report.cost import break_even_sentence


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


def test_an_interval_without_a_width_is_not_said():
    found = economics(TASK, 300, 200, [attempt("prompt", 0.9), attempt("lora", 0.5, build=60.0)])
    (crossing,) = found.break_evens
    at = crossing.requests_per_month
    exact = crossing.model_copy(update={"low": at, "high": at})
    assert break_even_sentence(exact).endswith(" requests a month.")
    assert break_even_sentence(crossing).endswith(").")


def test_what_never_pays_is_said():
    found = economics(TASK, 300, 200, [attempt("prompt", 0.1), attempt("lora", 0.5, build=60.0)])
    assert (
        break_even_sentence(found.break_evens[0])
        == "lora becomes cheaper than prompt at no volume."
    )
