"""Kahneman-Tversky optimisation (KTO; Ethayarajh et al., 2024) on single answers, wanted or not.

    python recipes/kto.py --config recipes/kto.yaml --model_name_or_path MODEL_FOLDER \
        --train_file graded.jsonl --output_dir OUT

Each row is {"prompt": text, "completion": text, "label": true for a wanted answer}, or turns of a
chat in the texts' place. Every field of the YAML is TRL's or PEFT's own (KTOConfig, ModelConfig).
The reference is the model itself with its adapter switched off, asked once before training. Leaves
the adapter (or the model) and training.json in OUT; `preference.py` says what is measured on rows
that are held out: here every wanted answer makes a couple with every unwanted one, where there are
such with its own prompt with those alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from preference import (
    compared,
    hold_out,
    log_probabilities,
    score_completions_only,
    with_ids,
)
from rows import read_rows
from running import run
from settings import Files, parse, stop, tokenizer_of, trainer_arguments


def main() -> int:
    """Train once and write the artefact."""
    from trl import KTOConfig, ModelConfig

    files, settings, model = parse((Files, KTOConfig, ModelConfig))
    trainer, held_out = make_trainer(files, settings, model)
    before = margins(trainer, held_out)
    return run(trainer, lambda: compared(before, margins(trainer, held_out)))


def make_trainer(files: Files, settings: Any, model: Any) -> tuple[Any, list[Any]]:
    """Return TRL's KTOTrainer, and the rows that it does not see."""
    from trl import KTOTrainer

    rows = read_rows(files.train_file, ("prompt", "completion", "label"))
    tokenizer = tokenizer_of(model, settings)
    rows = with_ids(tokenizer, rows, settings.max_length, "completion")
    _refuse_one_class(rows, files.train_file)
    learnt, held_out = hold_out(rows, lambda row: bool(row["label"]))
    _refuse_one_class(learnt, f"{files.train_file}, without the {len(held_out)} rows held out")
    # A row's completion stands in for "any other" after the next row's prompt (the KL term), so
    # the two answers of one prompt must not lie side by side, nor a row be alone in its batch.
    random.Random(settings.seed).shuffle(learnt)
    if len(learnt) % settings.per_device_train_batch_size == 1:
        learnt.pop()
    score_completions_only()

    class TokensTrainer(KTOTrainer):  # type: ignore[misc]
        """Take rows as they are cut here: TRL would cut them anew."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            size = settings.per_device_train_batch_size
            has_term = self.calculate_KL
            return dataset.map(_turned, batched=True, batch_size=size) if has_term else dataset

    return TokensTrainer(**trainer_arguments(settings, model, tokenizer, learnt)), held_out


def _turned(batch: Any) -> Any:
    """Give each row of a batch the completion of the row before it: the KL term's, as in TRL."""
    *others, last = batch["completion_ids"]
    return {"KL_completion_ids": [last, *others]}


def margins(trainer: Any, rows: Sequence[Any]) -> list[float]:
    """Return by how much a wanted answer is likelier than an unwanted one, per token, by couple."""
    asked = [(row["prompt"], row["completion"]) for row in rows]
    found = log_probabilities(trainer, asked, per_token=True)
    told = [(json.dumps(r["prompt"]), r["label"], v) for r, v in zip(rows, found, strict=True)]
    wanted = [(prompt, value) for prompt, label, value in told if label]
    unwanted = [(prompt, value) for prompt, label, value in told if not label]
    couples = [(a, b, good - bad) for a, good in wanted for b, bad in unwanted]
    same = [margin for a, b, margin in couples if a == b]
    return same or [margin for *_, margin in couples]


def _refuse_one_class(rows: Sequence[Any], where: str) -> None:
    wanted = sum(bool(row["label"]) for row in rows)
    if wanted in (0, len(rows)):
        kind, other = ("true", "false") if wanted else ("false", "true")
        stop(
            f"{where}: all {len(rows)} rows have `label: {kind}`; KTO learns from the difference: "
            f"add rows with `label: {other}`, or take an SFT recipe for wanted answers alone"
        )


if __name__ == "__main__":
    raise SystemExit(main())
