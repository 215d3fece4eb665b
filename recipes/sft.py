"""Supervised fine-tuning on prompt/completion rows: LoRA, QLoRA, DoRA, or all of a (small) model.

    python recipes/sft.py --config recipes/lora.yaml --model_name_or_path MODEL_FOLDER \
        --train_file rows.jsonl --output_dir OUT

Each row is {"prompt": text, "completion": text}; only the completion's tokens are learnt. Every
field of the YAML is TRL's or PEFT's own (SFTConfig, ModelConfig); an unknown key is an error.
Leaves the adapter (or the model) and training.json in OUT (`running.py` says what else).
"""

from __future__ import annotations

from typing import Any

from rows import read_rows, supervised
from running import run
from settings import Files, parse, stop, tokenizer_of, trainer_arguments, without_padding
from steps import add_in_one_pass, completion_trainer, same_precision


def main() -> int:
    """Train once and write the artefact."""
    from trl import ModelConfig, SFTConfig

    files, settings, model = parse((Files, SFTConfig, ModelConfig))
    return run(make_trainer(files, settings, model))


def make_trainer(files: Files, settings: Any, model: Any) -> Any:
    """Return TRL's SFTTrainer; on a CPU with a loss that looks at completion positions only.

    Rows without padding between them, which a GPU likes, are left to TRL's own loss.
    """
    from trl import SFTTrainer

    rows = read_rows(files.train_file, ("prompt", "completion"))
    tokenizer = tokenizer_of(model, settings)
    if settings.assistant_only_loss:
        _refuse_whole_chats(settings)
    rows = supervised(tokenizer, rows, settings.max_length)
    as_it_is = without_padding(settings, model) or settings.device.type == "cuda"
    kind = SFTTrainer if as_it_is else completion_trainer(cross_entropy)
    trainer = kind(**trainer_arguments(settings, model, tokenizer, rows))
    if model.use_peft:
        same_precision(trainer)
        add_in_one_pass(trainer.model)
    return trainer


def _refuse_whole_chats(settings: Any) -> None:
    """Take a completion for all that an assistant says, or end the program."""
    if settings.completion_only_loss is False:
        stop(
            "assistant_only_loss: the turns of a prompt cannot be learnt from rows that have a "
            "prompt and a completion; leave it out, or set completion_only_loss to true"
        )
    settings.assistant_only_loss = False  # a completion is nothing else


def cross_entropy(logits: Any, wanted: Any, _: Any) -> Any:
    """Return the loss of next-token prediction, summed over positions."""
    import torch

    return torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")


if __name__ == "__main__":
    raise SystemExit(main())
