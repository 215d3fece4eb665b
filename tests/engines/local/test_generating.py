"""Answers generated in batches are those that plain `generate` gives one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from engines.local.questions import QUESTIONS, chat, in_float32
from habits import with_habit

from ladder.engines.base import CUT_BEFORE_TEXT, Completion, Request
from ladder.engines.local import LocalEngine
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_first_logprobs_are_those_of_a_plain_forward_pass(engine):
    requests = [chat(question) for question in QUESTIONS[:3]]
    found = Generating(engine).first_logprobs(requests)
    assert found.dtype == torch.float32
    for row, request in enumerate(requests):
        with torch.inference_mode():
            logits = engine.model(torch.tensor([engine.encode(request)])).logits[0, -1]
        assert torch.allclose(found[row], logits.float().log_softmax(-1), atol=1e-3)


# Cut answers, and thoughts


@pytest.mark.slow
def test_an_answer_that_reaches_its_limit_is_cut_and_one_that_ends_is_not(engine):
    short = Request(text="Input: a\nAnswer: b\n\nInput: c\nAnswer:", max_tokens=30, stop=("\n",))
    requests = [chat(QUESTIONS[0], max_tokens=3), chat(QUESTIONS[0], max_tokens=60), short]
    found = dict(engine.complete(requests))
    assert [found[at].cut for at in range(3)] == [True, False, False]
    assert found[0].text
    assert found[0].error is None
    exact = chat(QUESTIONS[0], max_tokens=found[1].tokens_out)
    (whole,) = dict(engine.complete([exact])).values()
    assert not whole.cut, "its last token is its end"
    assert whole.text == found[1].text


@pytest.mark.slow
def test_an_answer_that_its_schema_ends_at_the_limit_is_whole(engine):
    schema = json.dumps({"type": "boolean"})
    free = chat("Is ice cold?", schema=schema, max_tokens=20)
    (whole,) = dict(engine.complete([free])).values()
    assert (whole.text in ("true", "false"), whole.cut) == (True, False)
    exact = replace(free, max_tokens=whole.tokens_out)
    (found,) = dict(engine.complete([exact])).values()
    assert (found.text, found.cut) == (whole.text, False)
    number = json.dumps({"type": "string", "minLength": 40})
    (part,) = dict(engine.complete([chat("Say much.", schema=number, max_tokens=5)])).values()
    assert part.cut


def grown(engine, text: str, request: Request) -> Completion:
    """What is made of an answer of these tokens."""
    generating = Generating(engine)
    answer = generating.begin(request, engine.encode(request))
    answer.tokens = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
    return generating._completion(answer, 7, 0.5)


THOUGHT = "<think>\nBlue, as ever.\n</think>\n\n"


def test_a_thought_is_taken_off_and_its_tokens_are_counted(engine):
    found = grown(engine, f"{THOUGHT}blue<|im_end|>", chat("The sky?", max_tokens=50))
    assert (found.text, found.error, found.cut) == ("blue", None, False)
    assert 3 < found.thought_tokens < found.tokens_out
    bare = grown(engine, "blue<|im_end|>", chat("The sky?", max_tokens=50))
    assert (bare.text, bare.thought_tokens) == ("blue", 0)


@pytest.mark.parametrize("text", ["<think>\nBlue, as", THOUGHT, "<think>", " \n"])
def test_an_answer_cut_before_it_begins_is_an_error_that_was_paid(text, engine):
    size = len(engine.tokenizer(text)["input_ids"])
    found = grown(engine, text, chat("The sky?", max_tokens=size))
    assert found.kind == CUT_BEFORE_TEXT
    assert found.is_own_fault
    assert found.cut
    assert (found.text, found.tokens_out) == ("", size)


def test_an_empty_answer_that_the_model_ended_is_an_answer(engine):
    found = grown(engine, "<|im_end|>", chat("The sky?", max_tokens=50))
    assert (found.text, found.error, found.cut) == ("", None, False)


@pytest.mark.slow
def test_a_thought_that_the_template_begins_needs_no_mark_of_its_own(smollm, tmp_path):
    engine = LocalEngine(with_habit("begins a thought", smollm, tmp_path / "model"))
    request = chat("The sky?", max_tokens=50)
    found = grown(engine, "Blue, as ever.\n</think>\n\nblue<|im_end|>", request)
    assert found.text == "blue"
    assert found.thought_tokens > 2
    held = chat("The sky?", max_tokens=50, schema='{"type": "string"}')
    assert grown(engine, '"blue"<|im_end|>', held).text == '"blue"', "its thought is closed"


@pytest.mark.slow
def test_a_thought_that_special_tokens_mark_is_taken_off(smollm, tmp_path):
    """Decoding leaves special tokens out, and with them where the thought ends."""
    folder = with_habit("as it is", smollm, tmp_path / "model")
    path = folder / "tokenizer.json"
    text = path.read_text().replace("<file_sep>", "<think>").replace("<filename>", "</think>")
    path.write_text(text)
    engine = LocalEngine(folder)
    engine.__dict__["model"] = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=2))
    assert {"<think>", "</think>"} < set(engine.template.specials)
    for thought in (THOUGHT, "<think>\n\n</think>\n\n"):
        found = grown(engine, f"{thought}blue<|im_end|>", chat("The sky?", max_tokens=50))
        assert (found.text, found.cut) == ("blue", False)
    assert grown(engine, f"{THOUGHT}a", chat("The sky?", max_tokens=50)).thought_tokens > 2
