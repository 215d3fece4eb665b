"""Write a model of the Llama architecture as one GGUF file, as llama.cpp reads it.

The layout is that of llama.cpp's own converter: tensor names by the `gguf` package's table, rows of
the query and key projections reordered (it rotates neighbouring pairs where transformers rotates
halves), vectors in float32, the tokenizer as lists of tokens, kinds and merges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ladder.engines.local.template import template_of
from ladder.errors import EngineError, MissingExtraError

ARCHITECTURE = "LlamaForCausalLM"
BYTES = {"type": "ByteLevel", "add_prefix_space": False}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS: Mapping[str, list[dict[str, Any]]] = {
    "gpt-2": [{**BYTES, "use_regex": True}],
    "smollm": [{"type": "Digits", "individual_digits": True}, {**BYTES, "use_regex": True}],
    "llama-bpe": [
        {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
        {**BYTES, "use_regex": False},
    ],
}
"""llama.cpp's name of a way to cut text before merging -> the same in tokenizer.json."""
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def write_gguf(model: Any, tokenizer: Any, folder: Path, target: Path, name: str) -> None:
    """Write weights, settings, tokenizer and chat template into one file.

    Args:
        model: the model in memory; its precision (bfloat16 or float32) becomes the file's.
        tokenizer: that of the model, with the chat template.
        folder: where its tokenizer.json is.
        target: the file to write.
        name: of the model.

    Raises:
        EngineError: another architecture, or a tokenizer that GGUF has no name for here.
        MissingExtraError: the `gguf` package is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise MissingExtraError("gguf", 'pip install "escalation-ladder[local]"') from None
    _refuse_others(model.config)
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    split = split_name(words, folder)
    _refuse_other_beginnings(tokenizer, folder)
    writer = gguf.GGUFWriter(target, "llama")
    _write_settings(writer, model, name)
    _write_tokenizer(writer, words, tokenizer, split, model.config.vocab_size)
    _write_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _refuse_others(config: Any) -> None:
    found = (config.architectures or ["no architecture"])[0]
    if found != ARCHITECTURE:
        fix = "Export it `--to merged`, and convert that with llama.cpp's convert_hf_to_gguf.py"
        raise EngineError(f"got {found}, wanted {ARCHITECTURE} for GGUF. {fix}")
    kind = config.rope_parameters.get("rope_type", "default")
    if kind != "default" or config.attention_bias or config.mlp_bias:
        odd = f"rope of type {kind}" if kind != "default" else "biases in its layers"
        raise EngineError(f"got {odd}, wanted a plain Llama for GGUF. Export it `--to merged`")


def _refuse_other_beginnings(tokenizer: Any, folder: Path) -> None:
    before = template_of(tokenizer).before
    if before not in ((), (tokenizer.bos_token_id,)):
        found = tokenizer.decode(before)
        raise EngineError(
            f"{folder}: got a tokenizer that puts `{found}` before each text, wanted its BOS or "
            "nothing for GGUF. Export it `--to merged`"
        )


def split_name(words: Mapping[str, Any], folder: Path) -> str:
    """Return llama.cpp's name for how a tokenizer.json cuts text before merging.

    Raises:
        EngineError: it is another kind of tokenizer, or cuts in another way.
    """
    found = words.get("pre_tokenizer") or {}
    steps = found["pretokenizers"] if found.get("type") == "Sequence" else [found]
    if words["model"]["type"] == "BPE" and not words.get("normalizer"):
        for name, wanted in SPLITS.items():
            if len(steps) == len(wanted) and all(
                _says(a, b) for a, b in zip(steps, wanted, strict=True)
            ):
                return name
    raise EngineError(
        f"{folder}: got a {words['model']['type']} tokenizer that cuts text by "
        f"{[step.get('type') for step in steps]}, wanted a byte-level one as of "
        f"{', '.join(SPLITS)} for GGUF. Export it `--to merged`, and convert that with llama.cpp"
    )


def _says(step: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(step.get(key) == value for key, value in wanted.items())


def _write_settings(writer: Any, model: Any, name: str) -> None:
    import gguf
    import torch

    config = model.config
    whole = model.dtype == torch.float32
    writer.add_type("model")
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if whole else gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(
    writer: Any, words: Mapping[str, Any], tokenizer: Any, split: str, size: int
) -> None:
    added = {each["id"]: each for each in words.get("added_tokens", ())}
    by_id = {at: token for token, at in words["model"]["vocab"].items()}
    by_id.update({at: each["content"] for at, each in added.items()})
    kinds = []
    for at in range(size):
        if at in added:
            kinds.append(CONTROL if added[at]["special"] else USER_DEFINED)
        else:
            kinds.append(NORMAL if at in by_id else UNUSED)
    merges = words["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list([by_id.get(at, f"[PAD{at}]") for at in range(size)])
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    for add, at in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if at is not None:
            add(at)
    writer.add_add_bos_token(bool(template_of(tokenizer).before))
    writer.add_add_eos_token(False)  # a prompt goes on
    writer.add_add_space_prefix(False)
    written = tokenizer.chat_template
    if isinstance(written, dict):  # several by name
        written = written.get("default")
    if written:
        writer.add_chat_template(written)


def _write_tensors(writer: Any, model: Any) -> None:
    import gguf
    import torch

    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    wide = gguf.GGMLQuantizationType.F32
    if model.dtype != torch.float32:
        wide = gguf.GGMLQuantizationType.BF16
    for name, weights in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue  # it is the embedding again
        if name.endswith("q_proj.weight"):
            weights = in_pairs(weights, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            weights = in_pairs(weights, config.num_key_value_heads)
        kind = wide if weights.dim() > 1 else gguf.GGMLQuantizationType.F32
        array = gguf.quants.quantize(weights.float().cpu().contiguous().numpy(), kind)
        writer.add_tensor(names.get_name(name, (".weight",)), array, raw_dtype=kind)


def in_pairs(weights: Any, heads: int) -> Any:
    """Reorder a projection's rows: transformers rotates (i, i + half) of a head, GGUF (2i, 2i+1).

    Args:
        weights: [heads x head size, hidden size].
        heads: of queries, or of keys.
    """
    size = weights.shape[0] // heads
    parts = weights.reshape(heads, 2, size // 2, weights.shape[1])
    return parts.transpose(1, 2).reshape(weights.shape)
