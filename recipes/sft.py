"""Supervised fine-tuning on prompt/completion rows: LoRA, QLoRA, or a whole (small) student.

    python recipes/sft.py --config recipes/lora.yaml --model_name_or_path MODEL_FOLDER \
        --train_file rows.jsonl --output_dir OUT

Each row is {"prompt": text, "completion": text}; only the completion's tokens are learnt. Every
field of the YAML is TRL's or PEFT's own (SFTConfig, ModelConfig); an unknown key is an error.
Leaves the adapter (or student) and training.json in OUT, and appends a line per logged step to
OUT/progress.jsonl. A killed run goes on from its last checkpoint when started again.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

TOKENS_AT_ONCE = 2048
"""On a CPU; about 3 GB for a model of 135M parameters. A GPU takes its batches as they are."""


@dataclass
class Files:
    """What this program reads."""

    train_file: str = field(metadata={"help": "JSON lines of prompt and completion."})


def main() -> int:
    """Train once and write the artefact. Return 0, or 4 when the loss is not a number."""
    import torch
    from trl import ModelConfig, SFTConfig, TrlParser

    if not torch.cuda.is_available() and "--use_cpu" not in sys.argv:
        sys.argv += ["--use_cpu", "true"]
    torch.use_deterministic_algorithms(True, warn_only=True)
    parser = TrlParser((Files, SFTConfig, ModelConfig))
    files, settings, model = parser.parse_args_and_config()
    output = Path(settings.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    _reuse_freed_memory()
    trainer = make_trainer(files, settings, model)
    progress = Progress(output / "progress.jsonl")
    trainer.add_callback(as_callback(progress))
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=_last_checkpoint(output))
    seconds = time.perf_counter() - started
    if not progress.finite:
        print("the loss is not a number: lower the learning rate", file=sys.stderr)
        return 4
    trainer.save_model(str(output))
    _record(output, trainer, progress, seconds)
    for checkpoint in output.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    return 0


def make_trainer(files: Files, settings: Any, model: Any) -> Any:
    """Return TRL's SFTTrainer, with a loss that looks at completion positions only."""
    import torch
    from datasets import Dataset
    from trl import SFTTrainer, get_peft_config, get_quantization_config

    class CompletionTrainer(SFTTrainer):  # type: ignore[misc]
        """Run the language-model head where there is a label, and nowhere else.

        Prompts are most of the tokens, and the head (hidden size x vocabulary) is most of the
        work of a small model; TRL skips unlabelled positions only where Triton is at hand.
        """

        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            """Take long rows a few at a time: activations are most of a step's memory.

            Each part's loss is divided by the labels of the whole batch, so that the parts'
            gradients add up to the batch's own.
            """
            rows, width = inputs["input_ids"].shape
            fit = max(1, TOKENS_AT_ONCE // width)
            whole = rows <= fit or num_items_in_batch is None
            if whole or inputs["input_ids"].is_cuda:
                return super().training_step(model, inputs, num_items_in_batch)
            loss = torch.tensor(0.0)
            for start in range(0, rows, fit):
                part = {name: value[start : start + fit] for name, value in inputs.items()}
                loss += super().training_step(model, part, num_items_in_batch)
            return loss

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            if return_outputs or inputs["input_ids"].is_cuda:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            labels = inputs["labels"]
            inner = self.accelerator.unwrap_model(model)
            hidden = inner.get_decoder()(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                use_cache=False,
            ).last_hidden_state
            # The state at a position predicts the next token.
            wanted = labels[:, 1:]
            learnt = wanted != -100
            logits = inner.get_output_embeddings()(hidden[:, :-1][learnt]).float()
            loss = torch.nn.functional.cross_entropy(logits, wanted[learnt], reduction="sum")
            count = num_items_in_batch if num_items_in_batch is not None else learnt.sum()
            self._total_train_tokens += int(inputs["attention_mask"].sum())
            return loss / count

    rows = [json.loads(line) for line in Path(files.train_file).read_text().splitlines()]
    settings.model_init_kwargs = {
        "dtype": model.dtype,
        "attn_implementation": model.attn_implementation,
        "revision": model.model_revision,
        "local_files_only": Path(model.model_name_or_path).is_dir(),
    }
    trainer = CompletionTrainer(
        model=model.model_name_or_path,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        peft_config=get_peft_config(model),
        quantization_config=get_quantization_config(model),
    )
    if model.use_peft:
        # Adapters in the base's precision: on a CPU this is a third faster than float32.
        dtype = next(p.dtype for p in trainer.model.parameters() if not p.requires_grad)
        for parameter in trainer.model.parameters():
            if parameter.requires_grad and dtype.is_floating_point:
                parameter.data = parameter.data.to(dtype)
    return trainer


class Progress:
    """Append what is known at each logged step, for whoever watches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.finite = True
        self.started = time.perf_counter()

    def write(self, step: int, steps: int, loss: float | None) -> None:
        """Append one line; a loss that is not a number stops the run."""
        self.finite = self.finite and (loss is None or loss == loss)
        seconds = round(time.perf_counter() - self.started, 2)
        line = {"step": step, "steps": steps, "loss": loss, "seconds": seconds}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def curve(self) -> list[list[float]]:
        """Return [step, loss] of every logged step, resumed parts included."""
        lines = map(json.loads, self.path.read_text().splitlines())
        return [[line["step"], line["loss"]] for line in lines if line["loss"] is not None]


def as_callback(progress: Progress) -> Any:
    """Return the trainer callback that feeds a Progress."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                progress.write(state.global_step, state.max_steps, float(logs["loss"]))
                control.should_training_stop |= not progress.finite

    return Callback()


def _last_checkpoint(output: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    found: str | None = get_last_checkpoint(str(output))
    return found


def _record(output: Path, trainer: Any, progress: Progress, seconds: float) -> None:
    """Write training.json: what was trained, for how long, on what."""
    import torch

    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = trainer.model
    record = {
        "seconds": round(seconds, 2),
        "tokens": int(trainer._total_train_tokens),
        "steps": int(trainer.state.global_step),
        "rows": len(trainer.train_dataset),
        "loss_curve": progress.curve(),
        "peak_memory_mb": round(peak_kib / 1024, 1),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1)
        if torch.cuda.is_available()
        else 0.0,
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "all_parameters": sum(p.numel() for p in model.parameters()),
        "seed": trainer.args.seed,
        "learning_rate": trainer.args.learning_rate,
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }
    (output / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def _reuse_freed_memory() -> None:
    """Keep freed memory in the process (glibc): batches of varying length else fault it anew."""
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


if __name__ == "__main__":
    raise SystemExit(main())
