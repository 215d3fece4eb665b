"""The next token of each answer: the likeliest one, or a draw from the softmax."""

from __future__ import annotations

import numpy as np
import pytest

from ladder.engines.base import Request
from ladder.engines.local.growing import Growing, draws_of, next_tokens

torch = pytest.importorskip("torch")


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    """The shares of 20,000 draws are those of softmax(logits / temperature)."""
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -torch.inf]])
    answer = Growing(Request(text="x", temperature=temperature))
    answer.draws = draws_of(answer.request, [1, 2, 3])
    drawn = [next_tokens(logits, [answer])[0] for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    wanted = torch.softmax(logits[0] / temperature, -1).numpy()
    assert np.abs(shares - wanted).max() < 4 * np.sqrt(0.25 / len(drawn))
    assert shares[4] == 0


def test_draws_depend_on_the_request_and_its_prompt_alone():
    def first(prompt, **more):
        draws = draws_of(Request(text="x", **more), prompt)
        return None if draws is None else float(draws.random())

    assert first([1, 2]) is None, "without a temperature nothing is drawn"
    same = first([1, 2], temperature=0.7, sample=1)
    assert same == first((1, 2), temperature=0.9, sample=1)
    assert same != first([1, 3], temperature=0.7, sample=1)
    assert same != first([1, 2], temperature=0.7, sample=2)


def test_each_row_has_its_own_way_of_choosing():
    """A drawn answer beside it changes nothing for the likeliest one."""
    logits = torch.tensor([[0.0, 1.0, 0.5]] * 2)
    drawn = Growing(Request(text="x", temperature=50.0))
    drawn.draws = draws_of(drawn.request, [1])
    chosen = [next_tokens(logits, [Growing(Request(text="x")), drawn]) for _ in range(100)]
    assert {first for first, _ in chosen} == {1}
    assert {second for _, second in chosen} == {0, 1, 2}
