"""What the training programs here share: go on after a kill, show how far, stop on a fault, record.

A copied recipe takes this file along. Every program leaves, in its output folder:
    progress.jsonl   a line per step, with the loss where it was logged
    training.json    what was trained, for how long, on what, once it has ended well
    checkpoint-N     while it runs; a killed run goes on from the last one when started again
"""

from __future__ import annotations

import errno
import json
import math
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from settings import stop


def run(trainer: Any, notes: Callable[[], Mapping[str, Any]] = dict) -> int:
    """Train to the end, from the last checkpoint if there is one, and write the record.

    Args:
        trainer: a transformers Trainer.
        notes: returns what else the record should hold; asked once training has ended.
    """
    import torch

    output = Path(trainer.args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    trainer.args.logging_nan_inf_filter = False  # it would hide a loss that is not a number
    if trainer.args.ddp_find_unused_parameters is None:
        trainer.args.ddp_find_unused_parameters = False  # every trained weight is used
    first = trainer.is_world_process_zero()
    progress = Progress(output / "progress.jsonl", first, partial(_tokens, trainer))
    trainer.add_callback(as_callback(progress))
    started = time.perf_counter()
    try:
        trainer.train(resume_from_checkpoint=last_whole_checkpoint(output))
        seconds = time.perf_counter() - started
        if progress.broken_at is not None:
            stop(_broken(trainer, progress.broken_at, last_whole_checkpoint(output)))
        trainer.save_model(str(output))
        (output / "training_args.bin").unlink(missing_ok=True)  # a pickle; the record says the same
    except (RuntimeError, MemoryError, OSError) as error:
        stop(_fault(error, trainer.args))
    tokens = torch.tensor(_tokens(trainer))
    tokens = int(trainer.accelerator.reduce(tokens.to(trainer.args.device)))
    if first:
        _record(output, trainer, progress, seconds, {"tokens": tokens, **notes()})
        for checkpoint in output.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    return 0


def _tokens(trainer: Any) -> int:
    """Return how many tokens a trainer has learnt, padding left out; 0 where it does not count.

    TRL's trainers count for themselves, transformers' own where it is told to.
    """
    seen = getattr(trainer.state, "num_input_tokens_seen", 0)
    return int(getattr(trainer, "_total_train_tokens", seen))


def last_whole_checkpoint(output: Path) -> str | None:
    """Return the newest checkpoint that was written to its end; None where there is none.

    A run that is killed while it saves leaves a part of one. Its state is written last.
    """
    there = output.glob("checkpoint-*")
    for folder in sorted(there, key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            json.loads((folder / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return str(folder)
    return None


class Progress:
    """Append what is known at each logged step, for whoever watches."""

    def __init__(
        self, path: Path, writes: bool = True, tokens: Callable[[], int] = lambda: 0
    ) -> None:
        """Begin.

        Args:
            path: of the file.
            writes: no for all processes but one.
            tokens: returns how many this process has learnt so far, where it counts them.
        """
        self.path = path
        self.writes = writes
        self.tokens = tokens
        self.broken_at: int | None = None
        self.started = time.perf_counter()

    def write(self, step: int, steps: int, loss: float | None) -> None:
        """Append one line; the first loss that is not a number is where training broke."""
        if loss is not None and not math.isfinite(loss) and self.broken_at is None:
            self.broken_at = step
        if self.writes:
            seconds = round(time.perf_counter() - self.started, 2)
            line = {"step": step, "steps": steps, "loss": _or_none(loss), "seconds": seconds}
            line["tokens"] = self.tokens()
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def curve(self) -> list[list[float]]:
        """Return [step, loss] of every logged step; what a resumed run did again counts once."""
        lines = map(json.loads, self.path.read_text().splitlines())
        last = {line["step"]: line["loss"] for line in lines if line["loss"] is not None}
        return [[step, last[step]] for step in sorted(last)]


def as_callback(progress: Progress) -> Any:
    """Return the trainer callback that feeds a Progress, and ends a run whose loss is broken."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.write(state.global_step, state.max_steps, None)
            control.should_log |= control.should_save  # the loss is looked at before it is kept

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_log |= control.should_save

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                progress.write(state.global_step, state.max_steps, float(logs["loss"]))
            if progress.broken_at is not None:
                control.should_training_stop = True
                control.should_save = False

    return Callback()


def _or_none(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None


def _broken(trainer: Any, step: int, kept: str | None) -> str:
    there = f"{Path(kept).name} from before it is kept" if kept else "there is no checkpoint yet"
    rate = trainer.args.learning_rate
    return (
        f"the loss is not a number at step {step}: stopped; {there}. Lower learning_rate (it is "
        f"{rate:g}: try {rate / 10:g}), or look for rows that hold no answer"
    )


def _fault(error: BaseException, settings: Any) -> str:
    """Say what a fault of the machine was and which setting mends it; raise any other error."""
    import torch

    text = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate" in text:
        return f"out of memory: {smaller(settings)}"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in text or "os error 28" in text:
        return f"{settings.output_dir}: no space left on the device; free some and start again"
    raise error


def smaller(settings: Any) -> str:
    """Return the setting that takes less memory and trains the same model."""
    batch, parts = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    if batch > 1:
        half = batch // 2
        return (
            f"set per_device_train_batch_size to {half} and gradient_accumulation_steps to "
            f"{math.ceil(batch / half) * parts} (the same steps in smaller parts)"
        )
    return "set activation_checkpointing to true, or max_length lower; or take the qlora recipe"


def _record(
    output: Path, trainer: Any, progress: Progress, seconds: float, notes: Mapping[str, Any]
) -> None:
    """Write what was trained, for how long, on what."""
    model = trainer.model
    trained = {
        "steps": int(trainer.state.global_step),
        "rows": len(trainer.train_dataset),
        "loss_curve": progress.curve(),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "all_parameters": sum(p.numel() for p in model.parameters()),
        "seed": trainer.args.seed,
        "learning_rate": trainer.args.learning_rate,
        "precision": precision_used(trainer),
        "processes": trainer.args.world_size,
    }
    write_record(output, seconds, ("torch", "transformers", "trl", "peft"), {**trained, **notes})


def precision_used(trainer: Any) -> str:
    """Say which precision the weights were held and computed in."""
    given = getattr(trainer.args, "model_init_kwargs", None) or {}
    held = str(given.get("dtype", "float32")).removeprefix("torch.")
    autocast = "bfloat16" if trainer.args.bf16 else "float16" if trainer.args.fp16 else held
    if getattr(trainer.model, "is_loaded_in_4bit", False):
        return f"4-bit weights, computed in {autocast}"
    return held if autocast == held else f"{held}, computed in {autocast}"


def write_record(
    output: Path, seconds: float, libraries: Sequence[str], notes: Mapping[str, Any]
) -> None:
    """Write training.json: what the machine did, beside what the program knows of its training."""
    import torch

    gpu = torch.cuda.is_available()
    record = {
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1) if gpu else 0.0,
        "versions": {name: version(name) for name in libraries},
        # On a CPU every kernel here repeats bit for bit with as many threads; on a GPU the
        # backward pass of attention, and sums over atomics, do not.
        "not_deterministic": ["attention's backward pass", "sums by atomics"] if gpu else [],
        "threads": torch.get_num_threads(),
        **notes,
    }
    (output / "training.json").write_text(json.dumps(record, indent=2) + "\n")


def peak_memory_mb() -> float:
    """Return the most memory that this program has held.

    Linux hands `ru_maxrss` on from the process that started this one, which may have held more.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
