"""The rows that a training program reads, as tokens, and which of them fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from settings import stop
from template import template_of

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


def tokenized(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], *answers: str
) -> list[tuple[list[int], ...]]:
    """Return of each row the tokens of its prompt, then those of its answers.

    A prompt has the tokens that the model will be asked with (`template.py`), whatever its answer
    is; TRL's own way leaves out what a chat template writes otherwise once a turn is answered.

    Args:
        tokenizer: the model's.
        rows: prompts and answers are texts, or turns of a chat.
        answers: names of the fields that hold an answer.
    """
    template = template_of(tokenizer)
    if not (template.chat or all(isinstance(row["prompt"], str) for row in rows)):
        stop(
            "the rows are turns of a chat, and the model has no chat template that takes them: "
            "name a model that was trained to chat, or write each prompt as one text"
        )
    found = []
    for number, row in enumerate(rows, 1):
        try:
            replies = [template.reply(row["prompt"], row[name]) for name in answers]
            found.append((template.prompt(row["prompt"]), *replies))
        except Exception as error:  # a template is a program: what it raises is its own
            stop(f"row {number}: the model's chat template refuses its turns ({error})")
    return found


def supervised(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], longest: int | None
) -> list[dict[str, list[int]]]:
    """Return the prompt/completion rows that fit, as TRL's SFTTrainer takes tokens.

    Args:
        tokenizer: the model's.
        rows: prompts and completions.
        longest: tokens that a row may have.
    """
    both = tokenized(tokenizer, rows, "completion")
    ready = [
        {"input_ids": prompt + reply, "completion_mask": [0] * len(prompt) + [1] * len(reply)}
        for prompt, reply in both
    ]
    lengths = [len(row["input_ids"]) for row in ready]
    return ready if longest is None else fitting(ready, lengths, longest)
