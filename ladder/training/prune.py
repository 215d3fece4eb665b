"""A smaller student: a copy of a model with most of its layers taken out."""

from __future__ import annotations

import json
from pathlib import Path

from ladder.errors import EngineError
from ladder.files import file_digest

KEPT_SHARE = 0.27
LEAST_LAYERS = 4


def pruned_copy(base: Path, artefacts: Path) -> Path:
    """Return a shallow copy of a model, made on first use, in a folder named by what made it."""
    layers = int(json.loads((base / "config.json").read_text())["num_hidden_layers"])
    keep = max(LEAST_LAYERS, round(KEPT_SHARE * layers))
    folder = artefacts / f"pruned-{keep}-{file_digest(base / 'model.safetensors')[:16]}"
    if not (folder / "model.safetensors").is_file():
        prune_layers(base, folder, keep)
    return folder


def kept_layers(layers: int, keep: int) -> list[int]:
    """Return which layers to keep: the first ones and the last two.

    The first layers read the input and the last ones write the vocabulary; the middle is the most
    redundant (Gromov et al., 2024, "The Unreasonable Ineffectiveness of the Deeper Layers").
    """
    tail = 2 if keep > 3 else 1
    return (
        [*range(keep - tail), *range(layers - tail, layers)] if keep < layers else [*range(layers)]
    )


def prune_layers(source: Path, target: Path, keep: int) -> None:
    """Write a copy of a model folder with `keep` of its layers, in the precision that it has."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        source, dtype="auto", local_files_only=True, use_safetensors=True
    )
    layers = getattr(model.get_decoder(), "layers", None)
    if layers is None:
        raise EngineError(f"{source}: this model's layers cannot be pruned; name models.student")
    chosen = kept_layers(len(layers), keep)
    model.get_decoder().layers = torch.nn.ModuleList(layers[at] for at in chosen)
    for position, layer in enumerate(model.get_decoder().layers):
        layer.self_attn.layer_idx = position
    model.config.num_hidden_layers = len(chosen)
    kinds = getattr(model.config, "layer_types", None)
    if kinds:
        model.config.layer_types = [kinds[at] for at in chosen]
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, local_files_only=True).save_pretrained(target)
