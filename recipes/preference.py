"""What the preference programs (dpo.py, orpo.py, kto.py) share: rows, held-out pairs, the metric.

Every program holds some of its prompts out and looks at them before and after it trains. What it
measures goes into training.json: the share of held-out (chosen, rejected) couples in which the
model finds the chosen text likelier, and the mean log-probability by which it does.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rows import fitting, tokenized
from settings import stop
from steps import TOKENS_AT_ONCE, like_lengths

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 100
"""Prompts, at most: their log-probabilities are looked at twice."""
LEAST_PROMPTS = 10
Row = Mapping[str, Any]


def refuse_equal(rows: Sequence[Row], path: str) -> None:
    """End the program where a chosen text is the rejected one: such a pair prefers nothing."""
    for number, row in enumerate(rows, 1):
        if row["chosen"] == row["rejected"]:
            stop(f"{path}, line {number}: `chosen` and `rejected` are the same text; take it out")


def hold_out(
    rows: Sequence[Row], kind: Callable[[Row], Any] = lambda row: None
) -> tuple[list[Row], list[Row]]:
    """Return the rows to learn from, and those held out: all rows of a prompt go one way.

    A prompt's place is its digest's, so that the same prompts are held out however the rows lie.

    Args:
        rows: each has a prompt.
        kind: the held-out examples have one of each kind at least.
    """
    by_digest: dict[str, list[Row]] = {}
    for row in rows:
        text = json.dumps(row["prompt"], sort_keys=True)
        by_digest.setdefault(hashlib.sha256(text.encode()).hexdigest(), []).append(row)
    if len(by_digest) < LEAST_PROMPTS:
        stop(
            f"{len(by_digest)} prompts are too few: {LEAST_PROMPTS} at least, as a tenth of them "
            "is held out to measure what was learnt"
        )
    prompts = [by_digest[digest] for digest in sorted(by_digest)]
    count = min(MOST_HELD_OUT, math.ceil(HELD_OUT_SHARE * len(prompts)))
    kinds = {kind(row) for row in rows}
    while {kind(row) for prompt in prompts[:count] for row in prompt} != kinds:
        count += 1
    held_out = [row for prompt in prompts[:count] for row in prompt]
    return [row for prompt in prompts[count:] for row in prompt], held_out


def with_ids(
    tokenizer: Any, rows: Sequence[Row], longest: int | None, *answers: str
) -> list[dict[str, Any]]:
    """Return the rows that fit, with the tokens of prompt and answers as TRL's trainers name them.

    Args:
        tokenizer: the model's.
        rows: each has a prompt.
        longest: tokens that a prompt and one of its answers may have together.
        answers: names of the fields that hold an answer.
    """
    names = [f"{name}_ids" for name in ("prompt", *answers)]
    ids = tokenized(tokenizer, rows, *answers)
    ready = [
        {**row, **dict(zip(names, each, strict=True))} for row, each in zip(rows, ids, strict=True)
    ]
    if longest is None:
        return ready
    lengths = [len(prompt) + max(map(len, replies)) for prompt, *replies in ids]
    return fitting(ready, lengths, longest)


def score_completions_only() -> None:
    """Let TRL's fused head skip the prompts' positions here as well.

    TRL does so only where Triton is at hand, because other accelerators compile anew for each
    shape. A CPU does not, and there the head (hidden size x vocabulary) is most of a small model's
    work.
    """
    from trl.trainer import utils

    utils._use_triton = lambda device: device.type in ("cpu", "cuda")


def log_probabilities(
    trainer: Any, asked: Sequence[tuple[Any, Any]], *, per_token: bool
) -> list[float]:
    """Return how likely the model finds each completion after its prompt, as a natural logarithm.

    Args:
        trainer: holds the model and its tokenizer.
        asked: (prompt, completion), each text or turns of a chat.
        per_token: the mean over the completion's tokens, not their sum.
    """
    import torch

    tokenizer = trainer.processing_class
    given = [{"prompt": prompt, "completion": completion} for prompt, completion in asked]
    rows = tokenized(tokenizer, given, "completion")
    found = [0.0] * len(rows)
    model = trainer.model
    was_training = model.training
    model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        lengths = [len(prompt) + len(completion) for prompt, completion in rows]
        for batch in like_lengths(lengths, TOKENS_AT_ONCE):
            summed = _summed(model, [rows[at] for at in batch], tokenizer.pad_token_id or 0)
            for at, value in zip(batch, summed, strict=True):
                found[at] = value / len(rows[at][1]) if per_token else value
    model.train(was_training)
    return found


def _summed(model: Any, rows: Sequence[tuple[list[int], ...]], pad: int) -> Iterator[float]:
    """Yield the summed log-probability of each completion; the batch is padded on the left."""
    import torch

    width = max(len(prompt) + len(completion) for prompt, completion in rows)
    keep = max(len(completion) for _, completion in rows)
    padded = [[pad] * (width - len(p) - len(c)) + p + c for p, c in rows]
    mask = [[0] * (width - len(p) - len(c)) + [1] * (len(p) + len(c)) for p, c in rows]
    ids, there = torch.tensor(padded), torch.tensor(mask)
    places = (there.cumsum(-1) - 1).clamp(min=0)
    sent = {"input_ids": ids, "attention_mask": there, "position_ids": places}
    sent = {name: value.to(model.device) for name, value in sent.items()}
    logits = model(**sent, logits_to_keep=keep + 1, use_cache=False).logits[:, :-1].float()
    wanted = sent["input_ids"][:, -keep:]
    each = logits.log_softmax(-1).gather(-1, wanted[..., None])[..., 0]
    for (_, completion), row in zip(rows, each, strict=True):
        yield float(row[-len(completion) :].sum())


def paired_margins(trainer: Any, rows: Sequence[Row], *, per_token: bool = False) -> list[float]:
    """Return log p(chosen) - log p(rejected) of each held-out pair."""
    asked = [(row["prompt"], row[side]) for side in ("chosen", "rejected") for row in rows]
    found = log_probabilities(trainer, asked, per_token=per_token)
    half = len(rows)
    return [chosen - rejected for chosen, rejected in zip(found[:half], found[half:], strict=True)]


def accuracy(margins: Sequence[float]) -> float:
    """Return the share of margins above 0; a tie counts half."""
    return sum((margin > 0) + 0.5 * (margin == 0) for margin in margins) / len(margins)


def compared(before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    """Return what the record says of held-out margins, one a couple, before and after.

    `reward_accuracy` is the share of couples whose margin has grown: the sign of DPO's implicit
    reward (Rafailov et al., 2023), which is 0 everywhere before training.
    """
    grown = [now - then for then, now in zip(before, after, strict=True)]
    return {
        "metric": "preference_accuracy",
        "before": round(accuracy(before), 4),
        "after": round(accuracy(after), 4),
        "held_out": len(before),
        "margin_before": round(sum(before) / len(before), 4),
        "margin_after": round(sum(after) / len(after), 4),
        "reward_accuracy": round(accuracy(grown), 4),
    }
