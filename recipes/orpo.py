"""Odds-ratio preference optimisation (ORPO; Hong et al., 2024) on pairs: prompt, chosen, rejected.

    python recipes/orpo.py --config recipes/orpo.yaml --model_name_or_path MODEL_FOLDER \
        --train_file pairs.jsonl --output_dir OUT

Each row is {"prompt": text, "chosen": text, "rejected": text}, or turns of a chat in their place.
Every field of the YAML is TRL's or PEFT's own (ORPOConfig, ModelConfig). No reference model: the
chosen text is learnt, and its odds over the rejected one are raised, in one go. Leaves the adapter
(or the model) and training.json in OUT; `preference.py` says what is measured on held-out pairs.
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
    from trl import ModelConfig
    from trl.experimental.orpo import ORPOConfig

    files, settings, model = parse((Files, ORPOConfig, ModelConfig))
    trainer, held_out = make_trainer(files, settings, model)
    before = paired_margins(trainer, held_out, per_token=True)
    return run(trainer, lambda: compared(before, paired_margins(trainer, held_out, per_token=True)))


def make_trainer(files: Files, settings: Any, model: Any) -> tuple[Any, list[Any]]:
    """Return TRL's ORPOTrainer, looking at completions only, and the pairs it does not see."""
    from trl.trainer.utils import add_fused_lm_head

    rows = read_rows(files.train_file, ("prompt", "chosen", "rejected"))
    refuse_equal(rows, files.train_file)
    tokenizer = tokenizer_of(model, settings)
    learnt, held_out = hold_out(rows)
    fit = with_ids(tokenizer, learnt, settings.max_length, "chosen", "rejected")
    arguments = trainer_arguments(settings, model, tokenizer, [_as_labels(row) for row in fit])
    quantized = arguments.pop("quantization_config")  # this trainer takes it with the model's own
    settings.model_init_kwargs |= {"quantization_config": quantized, "device_map": None}
    trainer = _completion_trainer()(**arguments)
    score_completions_only()
    add_fused_lm_head(
        trainer.model.get_base_model() if model.use_peft else trainer.model,
        outputs=("log_probs", "mean_logits"),
    )
    return trainer, held_out


def _completion_trainer() -> Any:
    """Return a kind of TRL's ORPOTrainer that looks at completions only."""
    from trl.experimental.orpo import ORPOTrainer

    class CompletionTrainer(ORPOTrainer):  # type: ignore[misc]
        """Run the head where a completion is, and learn completions alone, as the paper does.

        TRL scores every position and has the prompt learnt as well.
        """

        _total_train_tokens = 0

        def tokenize_row(self, feature: Any, model: Any = None) -> dict[str, Any]:
            """Leave a row as it is cut here: TRL may begin it with another token."""
            return {}

        def concatenated_forward(self, model: Any, batch: dict[str, Any]) -> tuple[Any, ...]:
            """Return mean log-probabilities and logits of both sides, and the chosen's loss."""
            both = self.concatenated_inputs(
                batch, padding_value=self.padding_value, device=self.accelerator.device
            )
            ids, mask = both["concatenated_input_ids"], both["concatenated_attention_mask"]
            labels = both["concatenated_labels"].to(ids.device)
            found = model(ids, attention_mask=mask, labels=labels, fused_lm_head=True)
            there, each = labels[:, 1:] != -100, found.log_probs
            means = each.sum(-1) / there.sum(-1)
            chosen = len(batch["chosen_labels"])
            loss = -each[:chosen].sum() / there[:chosen].sum()
            self._total_train_tokens += int(mask.sum())
            sides = (slice(chosen), slice(chosen, None))
            logits = [found.mean_logits[side][there[side]] for side in sides]
            return *(means[side] for side in sides), *logits, loss

    return CompletionTrainer


def _as_labels(row: Any) -> dict[str, list[int]]:
    """Return a pair as the trainer's collator takes it."""
    columns: dict[str, list[int]] = {}
    for side in ("chosen", "rejected"):
        prompt, completion = row["prompt_ids"], row[f"{side}_ids"]
        columns[f"{side}_input_ids"] = prompt + completion
        columns[f"{side}_attention_mask"] = [1] * len(prompt + completion)
        columns[f"{side}_labels"] = [-100] * len(prompt) + completion
    return columns


if __name__ == "__main__":
    raise SystemExit(main())
