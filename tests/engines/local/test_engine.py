"""The local engine answers every request, with an answer or an error, and says what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engines.local.questions import QUESTIONS, chat, in_float32

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.errors import EngineError
from ladder.testing import check_engine

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def engine(smollm):
    return in_float32(smollm)


@pytest.mark.slow
def test_contract(engine):
    check_engine(engine)


def test_tokens_are_counted_without_padding(engine):
    requests = [chat(question, max_tokens=4) for question in QUESTIONS]
    for at, completion in engine.complete(requests):
        assert completion.tokens_in == len(engine.encode(requests[at]))
        assert 1 <= completion.tokens_out <= 4


@pytest.mark.slow
def test_scored_and_generated_requests_keep_their_places(engine):
    requests = [
        chat(question, choices=("yes", "no") if at % 2 else (), max_tokens=3)
        for at, question in enumerate(QUESTIONS)
    ]
    answers = dict(engine.complete(requests))
    assert sorted(answers) == [*range(len(QUESTIONS))]
    assert [len(answers[at].choice_logprobs) for at in sorted(answers)] == [0, 2] * 3


def test_a_prompt_that_does_not_fit_is_an_error_and_not_an_answer(engine):
    answers = dict(engine.complete([Request(text="word " * 9000), chat(QUESTIONS[0])]))
    assert "fit this model" in answers[0].error
    assert answers[0].text == ""
    assert answers[1].error is None


def test_fingerprint_needs_no_model_and_changes_with_the_weights(smollm, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in smollm.iterdir():
        (other / path.name).write_bytes(path.read_bytes()[:10_000_000])
    first, second = LocalEngine(smollm).fingerprint(), LocalEngine(other).fingerprint()
    assert first["weights"] != second["weights"]
    assert first["tokenizer.json"] == second["tokenizer.json"]


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"config\.json"):
        LocalEngine(tmp_path)


def test_a_copy_answers_a_chunk_to_the_bit_as_the_call_that_it_was_cut_from(smollm):
    """What a chunk holds, and so the floats in it, does not hang on who answers it, and when."""
    asked = [
        *(chat(question, choices=("yes", "no", "not sure")) for question in QUESTIONS),
        *(Request(text=f"{question} Answer:", max_tokens=4) for question in QUESTIONS[:3]),
        Request(text=""),
    ]
    engine, copy = LocalEngine(smollm), LocalEngine(smollm)
    whole = dict(engine.complete(asked))
    errors, chunks = engine.cut(asked)
    assert [at for at, _ in errors] == [len(asked) - 1]
    assert sorted(at for chunk in chunks for at in chunk.places) == [*range(len(asked) - 1)]
    for chunk in reversed(chunks):
        answers = copy.answer([asked[at] for at in chunk.places], chunk)
        assert [_untimed(answer) for answer in answers] == [
            _untimed(whole[at]) for at in chunk.places
        ]


def _untimed(completion):
    return replace(completion, seconds=0.0)
