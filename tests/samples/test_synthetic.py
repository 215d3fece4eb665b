"""Synthetic rows beside held-out ones. Records and refusals: tests/synthesis."""

from __future__ import annotations

from ladder.samples.rows import Sample
from ladder.samples.synthetic import too_near


def test_a_held_out_row_is_found_in_an_answer_too():
    held = [Sample("h", "why does the ferry to the northern island leave so late today", "x")]
    rows = [
        Sample("a", "something else altogether", "x"),
        Sample("b", "quote it", f"You asked: {held[0].input.title()}?"),
        Sample("c", "Why does the ferry to the Northern Island leave so late, today!", "x"),
        Sample("d", "why does the ferry to the northern island leave so late today", "y"),
        Sample("e", "why does the ferry to the northern island leave so late today", "z"),
    ]  # fmt: skip
    assert too_near(rows, held) == dict.fromkeys(range(1, 5), "h")
    assert too_near(rows, []) == too_near([], held) == {}


def test_a_short_answer_that_is_a_held_out_input_is_no_leak():
    assert too_near([Sample("a", "what is it", "ferry")], [Sample("h", "ferry", "boat")]) == {}
