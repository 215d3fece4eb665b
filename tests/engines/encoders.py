"""A small encoder of drawn weights, and the words that it knows."""

from __future__ import annotations

from pathlib import Path

CODES = {"rolls": "KV", "rye": "QN", "buns": "RK", "scones": "NB"}
DAYS = {"monday": "A", "tuesday": "B", "sunday": "G"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 128


def write_encoder(folder: Path) -> None:
    """Write a small encoder of drawn weights, whose tokenizer knows words and letters."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", ",", "on", "for", *CODES, *DAYS]
    known += [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(known)))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(dict.fromkeys(known)), hidden_size=64, intermediate_size=128,
        num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=LONGEST,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
