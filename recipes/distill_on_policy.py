"""On-policy distillation: the student writes, the teacher judges each of its tokens.

    python recipes/distill_on_policy.py --config recipes/distill_on_policy.yaml \
        --model_name_or_path STUDENT --teacher_model_name_or_path TEACHER \
        --train_file rows.jsonl --output_dir OUT

Each row is {"prompt": text}, or chat messages. Every field of the YAML is TRL's or PEFT's own
(DistillationConfig, ModelConfig); the trainer is TRL's DistillationTrainer (generalised knowledge
distillation, Agarwal et al., 2024, "On-Policy Distillation of Language Models"). Leaves the model
and training.json in OUT (`running.py` says what else).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rows import read_rows
from running import run
from settings import Files, parse, precision, stop, tokenizer_of, trainer_arguments, usual_attention
from steps import same_precision, same_vocabulary
from template import template_of


def main() -> int:
    """Train once and write the artefact."""
    from trl import DistillationConfig, ModelConfig

    files, settings, model = parse((Files, DistillationConfig, ModelConfig))
    trainer = make_trainer(files, settings, model)
    return run(trainer, lambda: {"tokens": int(trainer.state.num_input_tokens_seen)})


def make_trainer(files: Files, settings: Any, model: Any) -> Any:
    """Return TRL's DistillationTrainer."""
    from transformers import AutoTokenizer
    from trl import DistillationTrainer

    rows = read_rows(files.train_file, ("prompt",))
    folder = settings.teacher_model_name_or_path
    if folder is None or not Path(folder).is_dir():
        stop(f"no teacher: teacher_model_name_or_path is {folder}, wanted the folder of a model")
    tokenizer = tokenizer_of(model, settings, padding_side="left")
    same_vocabulary(tokenizer, AutoTokenizer.from_pretrained(folder, local_files_only=True))
    dtype = precision()
    settings.teacher_model_init_kwargs = {
        "dtype": dtype,
        "attn_implementation": model.attn_implementation or usual_attention(dtype),
        "use_safetensors": True,
        "local_files_only": True,
    }
    prompts = [{"prompt": row["prompt"]} for row in rows]
    arguments = trainer_arguments(settings, model, tokenizer, prompts)
    template = template_of(tokenizer)

    class TokensTrainer(DistillationTrainer):  # type: ignore[misc]
        """Ask with the tokens that the model will be asked with."""

        def _tokenize_prompts(
            self, prompts: list[Any]
        ) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [template.prompt(prompt) for prompt in prompts], None, {}

    trainer = TokensTrainer(teacher_model=folder, **arguments)
    if model.use_peft:
        same_precision(trainer)
    return trainer


if __name__ == "__main__":
    raise SystemExit(main())
