"""Asked of a real llama.cpp server: its answers, its limits, and its end in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.endpoint.llama_server import free_port, llama_server

from ladder.engines.base import Request
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.probing import probe, said

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(free_port(), tmp_path_factory.mktemp("llama") / "log") as url:
        yield url


def question(text: str, **more: object) -> Request:
    messages = (("system", "Answer in one word."), ("user", text))
    return Request(messages=messages, **{"max_tokens": 8, **more})  # type: ignore[arg-type]


def test_its_abilities_are_probed(served: str) -> None:
    found = probe("smollm2", served, 30)
    assert found.there
    assert found.context == 1024, "2048 tokens for two slots"
    assert [name for name in found.listed if name.endswith(".gguf")]
    assert "context of 1,024 tokens" in said(found, "smollm2")


def test_a_long_answer_is_cut_and_a_short_one_is_not(served: str) -> None:
    engine = EndpointEngine("smollm2", served)
    story = question("Tell me a long story about a ferry.", max_tokens=5)
    found = dict(engine.complete([story, question("Which colour is grass?", max_tokens=200)]))
    assert [found[0].cut, found[1].cut] == [True, False]
    assert found[0].tokens_out == 5
    assert found[0].thought_tokens == 0


def test_an_answer_keeps_to_a_schema(served: str) -> None:
    label = {"enum": ["parcel", "refund"]}
    schema = {"type": "object", "properties": {"label": label}, "required": ["label"],
              "additionalProperties": False}  # fmt: skip
    asked = [question(f"Ticket {at}: my parcel is late.", schema=json.dumps(schema), max_tokens=40)
             for at in range(3)]  # fmt: skip
    for _, answer in EndpointEngine("smollm2", served).complete(asked):
        assert json.loads(answer.text)["label"] in ("parcel", "refund")


def test_too_long_a_prompt_is_refused_in_its_own_words(served: str) -> None:
    [(_, answer)] = EndpointEngine("smollm2", served).complete([question("word " * 3000)])
    assert answer.kind == "too long"
    assert "exceed" in str(answer.error)
    assert answer.is_own_fault


def test_a_draw_is_repeatable_by_its_seed(served: str) -> None:
    engine = EndpointEngine("smollm2", served, concurrency=1)
    draws = [
        question("Name an animal.", temperature=1.5, sample=at, max_tokens=12) for at in (1, 2)
    ]
    first, again = dict(engine.complete(draws)), dict(engine.complete(draws))
    assert first[0].text == again[0].text
    assert first[0].text != first[1].text


def test_it_streams(served: str) -> None:
    timed = EndpointEngine("smollm2", served).streaming(1)
    [(_, answer)] = timed.complete([question("Count to twenty.", max_tokens=30)])
    assert answer.first_s is not None
    assert 0 < answer.first_s < answer.seconds
    assert answer.tokens_out <= 30
    assert timed.negotiated == {}


def test_a_server_that_dies_and_comes_back_answers_all(tmp_path: Path) -> None:
    port = free_port()
    asked = [question(f"Is {at} an even number?", max_tokens=24) for at in range(20)]
    patience = Patience(first_wait_s=0.1, first_probe_s=0.2, longest_probe_s=1.0)
    answers = {}
    with llama_server(port, tmp_path / "first") as url:
        engine = EndpointEngine("smollm2", url, concurrency=4, patience=patience)
        running = engine.complete(asked)
        for _ in range(3):
            at, answer = next(running)
            answers[at] = answer
    with llama_server(port, tmp_path / "second"):
        answers |= dict(running)
    assert sorted(answers) == list(range(20))
    assert [answer.error for answer in answers.values()] == [None] * 20
    assert engine.counts, "requests under way were lost with the first server, and asked again"
