"""The picture of the costs: the same bytes for the same figures, and every rung in it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from economy.billed import ATTEMPTS, TASK

from ladder.economy.bills import economics
from ladder.figures import WIDE, _costs_svg, costs_svg, loss_svg


def test_the_picture_shows_every_rung_and_is_the_same_twice():
    found = economics(TASK, 300, 200, ATTEMPTS)
    failed = found.bills[0].model_copy(update={"passed": False})
    found = found.model_copy(update={"bills": (failed, found.bills[1])})
    picture = costs_svg(found)
    assert costs_svg(found.model_copy(deep=True), WIDE) is picture, "drawn once for file and page"
    _costs_svg.cache_clear()
    assert picture == costs_svg(found)
    ElementTree.fromstring(picture)
    for words in ("prompt, does not pass", "lora", "50,000", "requests a month"):
        assert words in picture


def test_a_loss_curve_is_drawn_the_same_each_time() -> None:
    curve = [[5, 2.5], [10, 1.25], [15, 0.8]]
    drawn = loss_svg(curve)
    assert drawn == loss_svg(curve) != loss_svg(curve[:2])
    assert "training loss" in drawn
    assert "step" in drawn


def test_whole_machines_that_cost_alike_are_drawn_alike_up_to_the_second_one():
    """Bills that differ by a thousandth of a dollar filled the picture from top to bottom."""
    found = economics(TASK, 300, 200, ATTEMPTS)
    prompt, lora = (
        bill.but(capacity=5e6, rent_per_month=146.0, fixed_per_month=fixed)
        for bill, fixed in zip(found.bills, (0.0005, 0.0011), strict=True)
    )
    picture = costs_svg(found.but(bills=(prompt, lora), break_evens=()))
    labels = {text.text for text in ElementTree.fromstring(picture).iter() if text.text}
    assert {"100", "1000", "100M"} <= labels, "the axes reach the second machine"
    assert not any("1.46" in label for label in labels)
