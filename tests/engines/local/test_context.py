"""How many tokens a model reads, wherever its config says so."""

from __future__ import annotations

import json

import pytest
from habits import settings, with_habit

from ladder.engines.base import Request
from ladder.engines.context import beyond_context
from ladder.engines.local import LocalEngine
from ladder.engines.local.context import USUAL_CONTEXT, context_of, window_of

LONG = {"max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        (LONG, 32768),
        ({"n_positions": 1024, "n_ctx": 1024}, 1024),
        ({"max_seq_len": 2048}, 2048),
        ({"text_config": LONG, "vision_config": {"max_position_embeddings": 77}}, 32768),
        ({"llm_config": LONG, "max_position_embeddings": 512}, 32768),
        ({**LONG, "rope_scaling": None, "sliding_window": None}, 32768),
        ({**LONG, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 32768),
        ({**LONG, "rope_scaling": {"type": "linear", "factor": 4.0}}, 131072),
        ({**LONG, "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, 65536),
        ({**LONG, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 32768),
        ({**LONG, "rope_scaling": {"type": "longrope", "factor": 32.0}}, 32768),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {
                    "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,
                },
            },
            131072,
        ),
        ({**LONG, "sliding_window": 4096, "model_type": "mistral"}, 4096),
        ({**LONG, "sliding_window": 4096, "use_sliding_window": False}, 32768),
        ({**LONG, "sliding_window": 65536}, 32768),
        ({**LONG, "sliding_window": 512, "layer_types": ["sliding_attention"] * 3}, 512),
        (
            {**LONG, "sliding_window": 512,
             "layer_types": ["sliding_attention", "full_attention"]},
            32768,
        ),
        ({**LONG, "sliding_window": 512, "sliding_window_pattern": 6}, 32768),
        ({**LONG, "sliding_window": 4096, "model_type": "gemma2"}, 32768),
        ({}, None),
        ({"max_position_embeddings": None}, None),
    ],
)  # fmt: skip
def test_the_context_is_read_where_the_config_says_it(config, tokens):
    assert context_of(config) == tokens


def test_a_window_of_some_layers_bounds_what_is_scored_and_not_what_is_generated(smollm, tmp_path):
    """The tree of choices gives every layer the same view: beyond the window it would be wrong."""
    folder = with_habit("as it is", smollm, tmp_path / "model")
    settings(
        folder,
        "config.json",
        sliding_window=32,
        layer_types=["sliding_attention", "full_attention"] * 15,
    )
    engine = LocalEngine(folder)
    assert engine.abilities.context == 8192
    long = Request(text="word " * 40, choices=("a", "b"), max_tokens=4)
    (found,) = dict(engine.complete([long])).values()
    assert found.kind == "too long"
    assert "between 1 and 28 fit" in str(found.error)
    assert "model" not in vars(engine)
    assert window_of({**LONG, "sliding_window": 4096, "use_sliding_window": False}) is None
    assert window_of({"text_config": {"sliding_window": 512}}) == 512


def test_a_config_that_does_not_say_is_told(smollm, tmp_path):
    folder = with_habit("as it is", smollm, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    del config["max_position_embeddings"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match=r"does not say how many tokens it reads: 2,048 taken"):
        assert LocalEngine(folder).abilities.context == USUAL_CONTEXT


@pytest.mark.slow
def test_requests_beyond_the_context_are_named_before_any_is_asked(smollm, tmp_path):
    folder = with_habit("bos", smollm, tmp_path / "model")
    settings(folder, "config.json", max_position_embeddings=40)
    engine = LocalEngine(folder)
    size = len(engine.encode(Request(text="one two three")))
    requests = [
        Request(text="one two three", max_tokens=40 - size),
        Request(text="one two three", max_tokens=41 - size),
        Request(messages=(("user", "word " * 50),), max_tokens=1),
        Request(text="a", max_tokens=1),
    ]
    assert beyond_context(engine, requests) == [1, 2]
    assert "model" not in vars(engine)
    (late,) = dict(engine.complete([requests[2]])).values()
    assert late.kind == "too long"


class Counting:
    """An engine that counts words and does not make the prompts itself, as an endpoint's does."""

    def __init__(self, context: int) -> None:
        from ladder.engines.base import Abilities

        self.abilities = Abilities(context=context)

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_where_the_prompt_is_made_elsewhere_its_texts_are_counted():
    request = Request(messages=(("system", "a b c"), ("user", "d e")), max_tokens=5)
    assert beyond_context(Counting(100), [request]) == []
    assert beyond_context(Counting(9), [request]) == [0]
