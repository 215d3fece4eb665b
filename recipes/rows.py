"""The rows that a training program reads, and which of them fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from settings import stop

MOST_LEFT_OUT = 0.1
"""More rows than this share that are too long: the recipe does not fit the data."""


def read_rows(path: str | Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON-lines file, each with the fields that the program needs.

    A file without rows, a broken line, and a row without a field end the program with the line.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            stop(f"{path}, line {number}: not JSON ({error.msg})")
        for name in needed:
            if not isinstance(row, dict) or name not in row:
                stop(f"{path}, line {number}: no `{name}`; each row needs {', '.join(needed)}")
        rows.append(row)
    if not rows:
        stop(f"{path}: no rows to train on")
    return rows


def fitting(rows: Sequence[Any], lengths: Sequence[int], longest: int) -> list[Any]:
    """Return the rows that fit, and say how many do not; a cut row would teach a cut answer.

    Args:
        rows: anything.
        lengths: tokens of each row, prompt and answer.
        longest: the recipe's `max_length`, or the model's context.
    """
    kept = [row for row, tokens in zip(rows, lengths, strict=True) if tokens <= longest]
    left_out = len(rows) - len(kept)
    if left_out > MOST_LEFT_OUT * len(rows):
        stop(
            f"{left_out} of {len(rows)} rows are longer than {longest} tokens (the longest has "
            f"{max(lengths)}): set max_length to that if the model's context allows it, or shorten "
            "the rows"
        )
    if left_out:
        print(f"{left_out} of {len(rows)} rows are longer than {longest} tokens: left out")
    return kept


def row_tokens(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return how many tokens the prompt and the completion of each row take together."""
    if isinstance(rows[0]["prompt"], str):
        texts = [row["prompt"] + row["completion"] for row in rows]
    else:
        turns = [[*row["prompt"], *row["completion"]] for row in rows]
        texts = [tokenizer.apply_chat_template(each, tokenize=False) for each in turns]
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
