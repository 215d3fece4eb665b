"""How many tokens a model reads: what its config says, where the parts of it may be nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USUAL_CONTEXT = 2048
"""Where a config does not say."""
NAMES = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "n_ctx")
INNER = ("text_config", "llm_config")
"""Where a model of several parts has its text model's config."""
ALTERNATING = frozenset({"gemma2"})
"""Kinds of model that look beyond their window in every other layer, and do not say so."""
LONG_ALREADY = frozenset({"default", "su", "longrope", "llama3"})
"""Kinds of rope scaling whose `max_position_embeddings` is the scaled length."""


def context_of(config: Mapping[str, Any]) -> int | None:
    """Return the tokens that a model reads at most; None where its config does not say.

    Rope scaling makes it longer as vLLM reads it (its `_get_and_verify_max_len`). A window that
    every layer attends within makes it shorter: what is before it is not looked at.

    Args:
        config: the content of config.json.
    """
    text = _text_model(config)
    said = next((text[name] for name in NAMES if isinstance(text.get(name), int)), None)
    if said is None:
        return None
    window = None if _looks_beyond(text) else window_of(config)
    scaled = round(_scaled(said, text))
    return min(scaled, window or scaled)


def window_of(config: Mapping[str, Any]) -> int | None:
    """Return the tokens that some layers attend within; None where all attend to everything."""
    text = _text_model(config)
    window = text.get("sliding_window")
    return int(window) if window and text.get("use_sliding_window") is not False else None


def _text_model(config: Mapping[str, Any]) -> dict[str, Any]:
    inner: Mapping[str, Any] = next((config[n] for n in INNER if config.get(n)), {})
    return {**config, **inner}


def _scaled(said: int, text: Mapping[str, Any]) -> float:
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    factor = scaling.get("factor")
    if kind in LONG_ALREADY or not isinstance(factor, (int, float)):
        return said
    start = scaling.get("original_max_position_embeddings") if kind == "yarn" else None
    return float((start or said) * factor)


def _looks_beyond(text: Mapping[str, Any]) -> bool:
    """Tell whether some layers attend to what is before the window."""
    kinds = text.get("layer_types")
    mixed = set(kinds) != {"sliding_attention"} if kinds else "sliding_window_pattern" in text
    return mixed or text.get("model_type") in ALTERNATING
