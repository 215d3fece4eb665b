"""A smaller vocabulary: the tokens that a narrow task uses, and all that any other text needs.

A small model spends much of its size and time on a vocabulary made for every language and trade.
Tokens go, with their rows of the embedding and the head; what is left gives the same logits.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ladder.engines.local.local_model import LocalModel
from ladder.errors import EngineError
from ladder.files import digest_of, file_digest

COMMON = 8192
"""The first merges are the commonest: so many tokens stay for words that no row has shown."""
TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"

Ranks = Mapping[tuple[str, str], int]
"""Two neighbouring parts -> which of all merges joins them; the lowest goes first."""


def trimmed_copy(
    source: Path, rows: Sequence[Mapping[str, Any]], artefacts: Path, texts: Sequence[str] = ()
) -> Path:
    """Return a copy of a model with the vocabulary of its rows, made on first use.

    Args:
        source: folder of the model.
        rows: prompt and completion, each a text or chat messages: what it is trained on.
        artefacts: where the copy is kept, in a folder named by what made it.
        texts: what else it will read or write.

    Raises:
        EngineError: the tokenizer is not one that can lose tokens (`refusal`).
    """
    shown = [*_as_texts(source, rows), *texts]
    weights = {path.name: file_digest(path) for path in source.glob("*.safetensors")}
    about = [weights, file_digest(source / TOKENIZER), COMMON, sorted(set(shown))]
    folder = artefacts / f"trimmed-{digest_of(about)[:16]}"
    if not (folder / "model.safetensors").is_file():
        trim_vocabulary(source, folder, shown)
    return folder


def refusal(source: Path) -> str | None:
    """Return why a model's vocabulary cannot be trimmed, or None."""
    if not (source / TOKENIZER).is_file():
        return f"{source}: its vocabulary cannot be trimmed: there is no {TOKENIZER} in it"
    kind = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))["model"]["type"]
    return None if kind == "BPE" else f"{source}: only a BPE vocabulary can be trimmed, not {kind}"


def trim_vocabulary(source: Path, target: Path, texts: Iterable[str], common: int = COMMON) -> None:
    """Write a copy of a model folder that has only the tokens which some texts need.

    It keeps the precision that the folder has: what loads a copy decides on its own.

    Args:
        source: folder of a model with a byte-pair-encoding tokenizer (tokenizer.json).
        target: folder of the copy.
        texts: what it must encode as the full model does.
        common: how many of the first tokens stay in any case.

    Raises:
        EngineError: it has another kind of tokenizer.
    """
    why = refusal(source)
    if why:
        raise EngineError(f"{why}; train the model as it is")
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    whole = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    encoder = Tokenizer.from_file(str(source / TOKENIZER))
    used = {at for text in set(texts) for at in encoder.encode(text, add_special_tokens=False).ids}
    kept = kept_tokens(whole, used | set(range(common)))
    model = AutoModelForCausalLM.from_pretrained(
        source, dtype="auto", local_files_only=True, use_safetensors=True
    )
    places = {old: new for new, old in enumerate(kept)}
    _slice(model, kept, places)
    model.save_pretrained(target)
    for path in source.iterdir():
        if path.name == "chat_template.jinja" or path.name == "special_tokens_map.json":
            shutil.copyfile(path, target / path.name)
    _write(target / TOKENIZER, without_others(whole, places))
    if (source / CONFIG).is_file():
        config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
        named = config.get("added_tokens_decoder", {})
        if named:
            config["added_tokens_decoder"] = {str(places[int(k)]): v for k, v in named.items()}
        _write(target / CONFIG, config)


def kept_tokens(whole: Mapping[str, Any], used: Iterable[int]) -> list[int]:
    """Return which tokens stay, in the order of their ids.

    Those that are used, every token that is joined on the way to one of them, the special ones,
    and the alphabet: all tokens that no merge makes, so that any text can still be written.
    """
    vocabulary: Mapping[str, int] = whole["model"]["vocab"]
    ranks = _ranks(whole)
    made = {first + second for first, second in ranks}
    kept = {at for token, at in vocabulary.items() if token not in made}
    kept |= {token["id"] for token in whole["added_tokens"]}
    token_of = {at: token for token, at in vocabulary.items()}
    for at in used:
        token = token_of.get(at)
        if token is not None:
            kept.add(at)
            kept |= {vocabulary[part] for part in joined(token, ranks)}
    return sorted(kept)


def joined(token: str, ranks: Ranks) -> list[str]:
    """Return what byte-pair encoding (Sennrich et al., 2016) joins on its way to a token.

    A word that holds the token takes the same way: a merge across its ends would have left others.
    So a tokenizer that keeps these merges, whatever else it loses, encodes the word as before.
    """
    parts, found = list(token), []
    while len(parts) > 1:
        best = min(
            (ranks.get(pair, math.inf), at) for at, pair in enumerate(pairwise(parts))
        )  # of equals the leftmost
        if best[0] == math.inf:
            break
        at = int(best[1])
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        found.append(parts[at])
    return found


def without_others(whole: Mapping[str, Any], places: Mapping[int, int]) -> dict[str, Any]:
    """Return a tokenizer.json with the kept tokens only, at their new places."""
    model = dict(whole["model"])
    model["vocab"] = {t: places[at] for t, at in model["vocab"].items() if at in places}
    has = model["vocab"].__contains__
    model["merges"] = [
        list(pair) for pair in _ranks(whole) if all(map(has, (*pair, "".join(pair))))
    ]
    added = [{**token, "id": places[token["id"]]} for token in whole["added_tokens"]]
    last = _with_places(whole.get("post_processor"), places)
    return {**whole, "model": model, "added_tokens": added, "post_processor": last}


def _with_places(node: Any, places: Mapping[int, int]) -> Any:
    """Move the ids that a template of special tokens names."""
    if isinstance(node, list):
        return [_with_places(each, places) for each in node]
    if not isinstance(node, dict):
        return node
    moved = {name: _with_places(value, places) for name, value in node.items()}
    if isinstance(node.get("ids"), list):
        moved["ids"] = [places[at] for at in node["ids"]]
    return moved


def _ranks(whole: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Return the merges in their order; older files write a pair as one text."""
    pairs = (m.split(" ") if isinstance(m, str) else m for m in whole["model"]["merges"])
    return {(first, second): rank for rank, (first, second) in enumerate(pairs)}


def _slice(model: Any, kept: Sequence[int], places: Mapping[int, int]) -> None:
    """Take the kept rows of the embedding and of the head, which may be the same tensor."""
    import torch

    rows = torch.tensor(kept)
    into, out = model.get_input_embeddings(), model.get_output_embeddings()
    tied = out.weight is into.weight
    into.weight = torch.nn.Parameter(into.weight.detach()[rows].clone())
    into.num_embeddings = len(kept)
    into.padding_idx = places.get(into.padding_idx)
    if tied:
        out.weight = into.weight
    else:
        out.weight = torch.nn.Parameter(out.weight.detach()[rows].clone())
    if out.bias is not None:
        out.bias = torch.nn.Parameter(out.bias.detach()[rows].clone())
    out.out_features = len(kept)
    model.config.get_text_config().vocab_size = len(kept)
    for settings in (model.config.get_text_config(), model.generation_config):
        for name in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"):
            old = getattr(settings, name, None)
            if old is not None:
                several = [places[at] for at in old if at in places] if _several(old) else None
                setattr(settings, name, several if _several(old) else places.get(old))


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _as_texts(source: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each row as the model reads it: asked, and with its answer."""
    template = LocalModel(source).template
    found = [template.no_thought]
    for row in rows:
        if isinstance(row["prompt"], str):
            found.append(template.inert(row["prompt"] + row["completion"]))
        else:
            asked = template.text(row["prompt"])
            found += [asked, asked + template.answer(row["prompt"], row["completion"])]
    return found


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
