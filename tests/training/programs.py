"""Training programs as a user without ladder starts them, and what their adapters do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT


def started(
    name: str, rows: list[dict[str, Any]], base: Path, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """Run a recipe as a user without ladder would."""
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    recipe = ROOT / f"recipes/{name}.yaml"
    program = ROOT / "recipes" / yaml.safe_load(recipe.read_text())["program"]
    command = [sys.executable, program, "--config", recipe]
    command += ["--model_name_or_path", base, "--train_file", folder / "rows.jsonl"]
    command += ["--output_dir", folder, "--learning_rate", "1e-2", "--max_length", "200", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def largest_change(base: Path, adapter: Path) -> float:
    """Return the largest difference that an adapter, or a trained model, makes to any logit."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[5, 9, 40, 200]])
    with torch.no_grad():
        before = AutoModelForCausalLM.from_pretrained(base)(ids).logits
        if (adapter / "config.json").is_file():
            model = AutoModelForCausalLM.from_pretrained(adapter)
        else:
            model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
        return float((model(ids).logits - before).abs().max())
