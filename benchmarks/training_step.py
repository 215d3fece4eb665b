"""Where the time of one LoRA step goes: every position scored, as stock TRL does, or labels only.

Called by `training.py --step`. The same batch of 16 rows passes forward and backward on both sides
under torch's profiler; times are of the operators themselves (children left out), in this process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parent.parent / "recipes"
STEPS = 3
SHOWN = 8


def explain(base: Path, rows: Path) -> None:
    """Print the dearest operators of a step on both sides."""
    sys.path.insert(0, str(RECIPES))
    import settings as recipe
    import sft
    import steps
    import torch
    from torch.profiler import ProfilerActivity, profile
    from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser

    given = ["--config", str(RECIPES / "lora.yaml"), "--model_name_or_path", str(base)]
    given += ["--train_file", str(rows), "--output_dir", str(rows.parent / "step")]
    given += ["--use_cpu", "true"]
    parser = TrlParser((recipe.Files, SFTConfig, ModelConfig))
    trainer = sft.make_trainer(*parser.parse_args_and_config(given))
    trainer.create_optimizer()
    batch = next(iter(trainer.get_train_dataloader()))
    labels = int((batch["labels"] != steps.UNLABELLED).sum())
    print(f"a batch of {tuple(batch['input_ids'].shape)} tokens, {labels} of them learnt")
    sides: dict[str, Any] = {
        "labels only": trainer.training_step,
        "every position": lambda *given: SFTTrainer.training_step(stock_loss(trainer), *given),
    }
    for name, step in sides.items():
        step(trainer.model, dict(batch), torch.tensor(labels))  # warm
        started = time.perf_counter()
        with profile(activities=[ProfilerActivity.CPU]) as found:
            for _ in range(STEPS):
                step(trainer.model, dict(batch), torch.tensor(labels))
        seconds = (time.perf_counter() - started) / STEPS
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        tokens = int(batch["attention_mask"].sum())
        rate = tokens / seconds
        print(f"\n{name}: {seconds:.2f} s a step, {rate:.0f} tokens/s, {peak:.0f} MB at the peak")
        dearest = sorted(found.key_averages(), key=lambda line: -line.self_cpu_time_total)
        whole = sum(line.self_cpu_time_total for line in dearest)
        for line in dearest[:SHOWN]:
            share = line.self_cpu_time_total / whole
            print(f"  {share:5.1%}  {line.self_cpu_time_total / 1e6 / STEPS:6.2f} s  {line.key}")


def stock_loss(trainer: Any) -> Any:
    """Return the trainer with TRL's own loss in place of ours."""
    from trl import SFTTrainer

    trainer.compute_loss = SFTTrainer.compute_loss.__get__(trainer)
    return trainer


if __name__ == "__main__":
    print(json.dumps({"use": "python benchmarks/training.py TASK --step"}))
