"""Direct preference optimisation (Rafailov et al., 2023) on pairs: prompt, chosen, rejected.

    python recipes/dpo.py --config recipes/dpo.yaml --model_name_or_path MODEL_FOLDER \
        --train_file pairs.jsonl --output_dir OUT

Each row is {"prompt": text, "chosen": text, "rejected": text}, or turns of a chat in their place.
Every field of the YAML is TRL's or PEFT's own (DPOConfig, ModelConfig). The reference is the model
itself with its adapter switched off, asked once before training. Leaves the adapter (or the model)
and training.json in OUT; `preference.py` says what is measured on the pairs that are held out.
"""

from __future__ import annotations

from typing import Any

from preference import (
    compared,
    hold_out,
    paired_margins,
    refuse_equal,
    score_completions_only,
    with_ids,
)
from rows import read_rows
from running import run
from settings import Files, parse, tokenizer_of, trainer_arguments


def main() -> int:
    """Train once and write the artefact."""
    from trl import DPOConfig, ModelConfig

    files, settings, model = parse((Files, DPOConfig, ModelConfig))
    trainer, held_out = make_trainer(files, settings, model)
    before = paired_margins(trainer, held_out)
    return run(trainer, lambda: compared(before, paired_margins(trainer, held_out)))


def make_trainer(files: Files, settings: Any, model: Any) -> tuple[Any, list[Any]]:
    """Return TRL's DPOTrainer, and the pairs that it does not see."""
    from trl import DPOTrainer

    rows = read_rows(files.train_file, ("prompt", "chosen", "rejected"))
    refuse_equal(rows, files.train_file)
    tokenizer = tokenizer_of(model, settings)
    rows = with_ids(tokenizer, rows, settings.max_length, "chosen", "rejected")
    learnt, held_out = hold_out(rows)
    score_completions_only()

    class TokensTrainer(DPOTrainer):  # type: ignore[misc]
        """Take rows as they are cut here: TRL would cut them anew."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    return TokensTrainer(**trainer_arguments(settings, model, tokenizer, learnt)), held_out


if __name__ == "__main__":
    raise SystemExit(main())
