"""Trained things as a training leaves them, on a tiny model: made in a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ladder.artefacts.issue import issue
from ladder.evidence import Attempt, Candidate, Measurement, Passport
from ladder.lifecycle.plan import make_plan
from ladder.rungs.protocol import Bench
from ladder.training.recipes import find_recipe

ROWS: list[dict[str, Any]] = [
    *({"prompt": f"Text: order number {at}\nLabel:", "completion": " bread\n"} for at in range(20)),
    *(
        {
            "prompt": [{"role": "user", "content": f"What is {at} plus one?"}],
            "completion": [{"role": "assistant", "content": str(at + 1)}],
        }
        for at in range(20)
    ),
]
TRAINING = {
    "seconds": 12.5, "tokens": 3210, "steps": 7, "rows": 40, "loss_curve": [[5, 4.25], [7, 1.5]],
    "peak_memory_mb": 512.0, "peak_gpu_memory_mb": 0.0, "trained_parameters": 1234,
}  # fmt: skip


def issued(folder: Path, base: Path) -> Passport:
    (folder / "training.json").write_text(json.dumps(TRAINING))
    recipe = find_recipe("lora", base)
    return issue(folder, base, recipe.name, recipe.files, ROWS, {"max_steps": "7"})


def make_adapter(base: Path, folder: Path, *, effect: bool = True) -> Path:
    """A random adapter; without effect its second matrix is zero, as before training."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(
        r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=not effect
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def perturb(path: Path, name: str, by: float) -> None:
    """Add noise to one tensor of a safetensors file."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    torch.manual_seed(2)
    [found] = [key for key in weights if name in key]
    weights[found] += by * torch.randn_like(weights[found])
    save_file(weights, path, {"format": "pt"})


def write_plan(bench: Bench, candidate: Candidate, measurement: Measurement) -> Path:
    """The plan that an assessment leaves in its run folder, of a candidate that passed."""
    chosen = Attempt(
        rung=candidate.rung, status="passed", candidate=candidate,
        measurement=measurement,
    )  # fmt: skip
    bench.folder.mkdir(parents=True)
    path = bench.folder / "revalidation.yaml"
    path.write_text(make_plan(bench, chosen, None), encoding="utf-8")
    bench.evaluator.models.cache.close()
    return path
