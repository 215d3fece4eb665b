"""Answers to the same prompts, compared: the level holds, and other models are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from ladder.gate.repeats import logprob_distance, text_distance

PROMPTS, BEFORE, NOW = 8, 16, 4


def told(draw, shift=0.0, noise=0.05, repeats=NOW):
    """First tokens of one model; the fifth place is told of one of two tokens."""
    centres = np.linspace(-1, -4, 6)[None].repeat(PROMPTS, 0)
    answers = []
    for prompt in range(PROMPTS):
        found = []
        for _ in range(repeats):
            values = centres[prompt] + noise * draw.standard_normal(6)
            values[0] -= shift
            order = np.argsort(-values)[:5]
            found.append({f"t{at}": float(values[at]) for at in order})
        answers.append(found)
    return answers


def said(draw, share, prompts=20, repeats=8):
    return [["yes" if draw.random() < share else "no" for _ in range(repeats)]
            for _ in range(prompts)]  # fmt: skip


def test_the_same_model_is_hardly_ever_told_apart():
    hits = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        found = logprob_distance(told(draw, repeats=BEFORE), told(draw), 0.05, seed)
        hits += found.p <= 0.05
    assert hits <= 20  # 10 expected; more than 20 of 200 at 5 % has a chance of 0.1 %


def test_a_shift_below_the_noise_of_one_answer_is_found():
    draw = np.random.default_rng(0)
    found = logprob_distance(told(draw, repeats=BEFORE), told(draw, 0.3), 1e-4)
    assert found.p <= 1e-4
    assert found.effect == pytest.approx(0.3 / 5, abs=0.03)


def test_a_model_without_noise_is_exactly_itself():
    draw = np.random.default_rng(0)
    before, now = told(draw, noise=0, repeats=BEFORE), told(draw, noise=0)
    assert logprob_distance(before, now, 1e-4) == (0, 1)
    assert text_distance([["a", "a"]], [["a"]], 1e-4) == (0, 1)


def test_texts_of_one_model_keep_the_level_and_others_are_found():
    hits = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        hits += text_distance(said(draw, 0.5), said(draw, 0.5), 0.05, seed).p <= 0.05
    assert hits <= 12
    draw = np.random.default_rng(0)
    other = text_distance(said(draw, 0.5, repeats=40), said(draw, 0.9), 1e-4)
    assert other.p <= 1e-4
    assert other.effect == pytest.approx(0.16, abs=0.08)


def test_constant_texts_that_all_change_are_as_far_as_can_be():
    found = text_distance([["aa"] * 8] * 20, [["bb"] * 2] * 20, 1e-4)
    assert found.effect == 1
    assert found.p <= 1e-4


def test_prompts_without_an_answer_on_one_side_say_nothing():
    assert logprob_distance([[]], [[{"a": -1.0}]], 0.05) == (0, 1)
    assert text_distance([["a"]], [[]], 0.05) == (0, 1)


def test_an_early_end_is_no_small_p():
    draw = np.random.default_rng(1)
    found = logprob_distance(told(draw, repeats=BEFORE), told(draw), 1e-5)
    assert found.p > 1e-3


def test_the_p_of_texts_is_that_of_all_exchanges():
    """Of two texts and one prompt it can be counted out: the numbers are hypergeometric."""
    before, now = ["yes"] * 20 + ["no"] * 20, ["yes"] * 7 + ["no"]
    at = np.arange(9)
    apart = np.abs(at / 8 - (27 - at) / 40)
    chances = hypergeom(48, 27, 8).pmf(at)
    exact = chances[apart >= apart[7] - 1e-9].sum()
    found = text_distance([before], [now], 1e-3)
    assert found.p == pytest.approx(exact, rel=0.35)  # twenty as large end the drawing
    many = [text_distance([before], [now], 1e-3, seed).p for seed in range(40)]
    assert np.mean(many) == pytest.approx(exact, rel=0.1)
