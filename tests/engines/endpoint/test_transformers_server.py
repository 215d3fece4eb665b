"""Asked of the transformers library's server, which dies and comes back in the middle."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from engines.endpoint.llama_server import free_port
from engines.endpoint.transformers_server import transformers_server

from ladder.engines.base import Request
from ladder.engines.decisions import WIRES, DecisionEngine
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.endpoint.breaker import Patience
from ladder.engines.endpoint.probing import probe


@pytest.mark.slow
def test_all_are_answered_and_one_is_cut(smollm: Path, tmp_path: Path) -> None:
    port, model = free_port(), str(smollm)
    asked = [
        Request(messages=(("system", "Be brief."), ("user", f"Is {at} even?")), max_tokens=4)
        for at in range(20)
    ]
    patience = Patience(first_wait_s=0.1, first_probe_s=0.5, longest_probe_s=2.0)
    answers = {}
    with transformers_server(port, tmp_path / "first", smollm) as url:
        assert probe(model, url, 30).there
        engine = EndpointEngine(model, url, concurrency=2, patience=patience)
        running = engine.complete(asked)
        for _ in range(3):
            at, answer = next(running)
            answers[at] = answer
    with transformers_server(port, tmp_path / "second", smollm):
        answers |= dict(running)
    assert [answers[at].error for at in range(20)] == [None] * 20
    assert engine.counts, "requests under way were lost with the first server, and asked again"
    assert any(answer.cut for answer in answers.values())


@pytest.mark.slow
def test_its_typed_decisions_are_read(smollm: Path, tmp_path: Path) -> None:
    """A form that was not written here: its server, its prompt, its answers."""
    labels = ("green", "red", "yellow")
    asked = [
        Request(messages=(("system", "Which colour?"), ("user", f"It is {name}.")), choices=labels)
        for name in labels
    ]
    with transformers_server(free_port(), tmp_path / "log", smollm) as url:
        engine = DecisionEngine(str(smollm), url, wire=WIRES["systemone"])
        answers = dict(engine.complete(asked))
    for answer in answers.values():
        assert answer.error is None
        assert answer.text in labels
        assert sum(map(math.exp, answer.choice_logprobs)) == pytest.approx(1, abs=0.01)
        assert answer.tokens_in > 10
