"""How many tokens a model reads: what its config says, where the parts of it may be nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USUAL_CONTEXT = 2048
"""Where a config does not say."""
NAMES = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "n_ctx")
ALTERNATING = frozenset({"gemma2"})
"""Kinds of model that look beyond their window in every other layer, and do not say so."""
LONG_ALREADY = frozenset({"default", "su", "longrope", "llama3"})
"""Kinds of rope scaling whose `max_position_embeddings` is the scaled length."""


def context_of(config: Mapping[str, Any]) -> int | None:
    """Return the tokens that a model reads at most; None where its config does not say.

    Rope scaling makes it longer as vLLM reads it (its `_get_and_verify_max_len`). A window that
    every layer attends within makes it shorter: what is before it is not looked at.

    Args:
        config: the content of config.json; a model of several parts has its text model's in
            `text_config` or `llm_config`.
    """
    inner: Mapping[str, Any] = next(
        (config[n] for n in ("text_config", "llm_config") if config.get(n)), {}
    )
    text = {**config, **inner}
    said = next((text[name] for name in NAMES if isinstance(text.get(name), int)), None)
    if said is None:
        return None
    return min(round(_scaled(said, text)), _window(text) or said * 10**6)


def _scaled(said: int, text: Mapping[str, Any]) -> float:
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    factor = scaling.get("factor")
    if kind in LONG_ALREADY or not isinstance(factor, (int, float)):
        return said
    start = scaling.get("original_max_position_embeddings") if kind == "yarn" else None
    return float((start or said) * factor)


def _window(text: Mapping[str, Any]) -> int | None:
    """Return the window that all layers attend within; None where some attend to everything."""
    window = text.get("sliding_window")
    kinds = text.get("layer_types")
    mixed = set(kinds) != {"sliding_attention"} if kinds else "sliding_window_pattern" in text
    if mixed or text.get("model_type") in ALTERNATING or text.get("use_sliding_window") is False:
        return None
    return int(window) if window else None
