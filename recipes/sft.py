"""Supervised fine-tuning on prompt/completion rows: LoRA, QLoRA, DoRA, or all of a (small) model.

    python recipes/sft.py --config recipes/lora.yaml --model_name_or_path MODEL_FOLDER \
        --train_file rows.jsonl --output_dir OUT

Each row is {"prompt": text, "completion": text}; only the completion's tokens are learnt. Every
field of the YAML is TRL's or PEFT's own (SFTConfig, ModelConfig); an unknown key is an error.
Leaves the adapter (or the model) and training.json in OUT (`running.py` says what else).
"""

from __future__ import annotations

from typing import Any

from running import (
    TOKENS_AT_ONCE,
    Files,
    completion_logits,
    fitting,
    in_parts,
    loading,
    local_only,
    parse,
    read_rows,
    row_tokens,
    run,
    same_precision,
)


def main() -> int:
    """Train once and write the artefact."""
    from trl import ModelConfig, SFTConfig

    files, settings, model = parse((Files, SFTConfig, ModelConfig))
    return run(make_trainer(files, settings, model))


def make_trainer(files: Files, settings: Any, model: Any) -> Any:
    """Return TRL's SFTTrainer, with a loss that looks at completion positions only."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTTrainer, get_peft_config, get_quantization_config

    class CompletionTrainer(SFTTrainer):  # type: ignore[misc]
        """Run the head where there is a label; TRL does so only where Triton is at hand."""

        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            """Take long rows a few at a time."""
            step = super().training_step

            def one(part: dict[str, Any]) -> Any:
                return step(model, part, num_items_in_batch)

            return in_parts(self, one, inputs, num_items_in_batch, TOKENS_AT_ONCE)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            if return_outputs or inputs["input_ids"].is_cuda:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            head = self.accelerator.unwrap_model(model).get_output_embeddings()
            logits, right = completion_logits(model, inputs, head)
            loss = torch.nn.functional.cross_entropy(logits, right, reduction="sum")
            self._total_train_tokens += int(inputs["attention_mask"].sum())
            if num_items_in_batch is None:
                return loss / len(right)
            # The count is of all processes, and their gradients are averaged.
            return loss / num_items_in_batch * self.accelerator.num_processes

    rows = read_rows(files.train_file, ("prompt", "completion"))
    settings.model_init_kwargs = loading(model)
    tokenizer = AutoTokenizer.from_pretrained(model.model_name_or_path, **local_only(model))
    if settings.max_length is not None:
        rows = fitting(rows, row_tokens(tokenizer, rows), settings.max_length)
    trainer = CompletionTrainer(
        model=model.model_name_or_path,
        args=settings,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        peft_config=get_peft_config(model),
        quantization_config=get_quantization_config(model),
    )
    if model.use_peft:
        same_precision(trainer.model)
    return trainer


if __name__ == "__main__":
    raise SystemExit(main())
