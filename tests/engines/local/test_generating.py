"""Answers generated in batches are those that plain `generate` gives one by one."""

from __future__ import annotations

import pytest
from engines.local.questions import QUESTIONS, chat, in_float32

from ladder.engines.base import Request
from ladder.engines.local.generating import Generating

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def engine(smollm):
    return in_float32(smollm)


@pytest.mark.slow
def test_greedy_answers_equal_plain_generate(engine):
    requests = [chat(question, max_tokens=12) for question in QUESTIONS]
    ours = dict(engine.complete(requests))
    for at, request in enumerate(requests):
        prompt = torch.tensor([engine.encode(request)])
        with torch.inference_mode():
            plain = engine.model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False
            )
        tokens = plain[0, prompt.shape[1] :].tolist()
        assert ours[at].text == engine.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        assert ours[at].tokens_in == prompt.shape[1]


def test_generation_ends_before_a_stop_string(engine):
    request = Request(text="Input: a\nAnswer: b\n\nInput: c\nAnswer:", max_tokens=30, stop=("\n",))
    _, completion = next(iter(engine.complete([request])))
    assert completion.error is None
    assert "\n" not in completion.text
    assert completion.tokens_out < 30


def test_each_answer_ends_at_its_own_limit(engine):
    """An answer that has ended leaves the batch; the others go on as if it had not been there."""
    limits = (1, 9, 4)
    requests = [
        chat(question, max_tokens=most)
        for question, most in zip(QUESTIONS[:3], limits, strict=True)
    ]
    together = dict(engine.complete(requests))
    for at, request in enumerate(requests):
        _, alone = next(iter(engine.complete([request])))
        assert together[at].text == alone.text
        assert together[at].tokens_out == alone.tokens_out <= limits[at]
    assert together[0].tokens_out == 1


def test_first_logprobs_are_those_of_a_plain_forward_pass(engine):
    requests = [chat(question) for question in QUESTIONS[:3]]
    found = Generating(engine).first_logprobs(requests)
    assert found.dtype == torch.float32
    for row, request in enumerate(requests):
        with torch.inference_mode():
            logits = engine.model(torch.tensor([engine.encode(request)])).logits[0, -1]
        assert torch.allclose(found[row], logits.float().log_softmax(-1), atol=1e-3)
