"""Training with LoRA: `recipes/sft.py` beside stock `trl sft`, one after the other in one run.

    python benchmarks/training.py evalsets/public/contract_clauses.yaml --data FOLDER
    python benchmarks/training.py … --step        # where the time of one step goes, on both sides
    python benchmarks/training.py … --recipe qlora --shape 7b    # random weights, for a GPU

Both read the same YAML (`recipes/lora.yaml`), rows, base and seed; both adapters then answer the
same held-out examples. Tokens are those of prompts and answers, padding not counted, over the
seconds that the trainer itself reports: loading and start-up are left out on both sides. The sides
take turns, and the fastest round of each counts: other work on the machine only ever slows a round
down. Peak memory is the process's resident set. FLOP are 4 for a token and a layer's weight:
forward, and back through frozen weights; over what the machine can do they are the MFU.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ladder.climb.opening import open_bench
from ladder.evaluation.units import as_units
from ladder.files import shipped, write_json_lines
from ladder.hardware import hardware, precision
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.rungs import r3_lora
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample
from ladder.task import load_task
from ladder.training.estimate import shape_of
from ladder.training.rows import plain_candidate, training_rows

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2},
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32},
}
HEAD_WIDTH = {"tiny": 16, "1b": 64, "7b": 128}
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
    # `trl sft` starts through accelerate, which else gives it half of two hyperthreads.
    "OMP_NUM_THREADS": hardware()["cores"],
}


def run(command: Sequence[str], log: Path) -> tuple[str, float]:
    """Run a training; return what it wrote and its peak memory in MB."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **QUIET}
        )
        _, status, usage = os.wait4(process.pid, 0)
    text = log.read_text(errors="replace")
    if status:
        sys.exit(f"{' '.join(command[:4])} failed:\n{text[-2000:]}")
    return text, usage.ru_maxrss / 1024


def random_base(like: Path, shape: str, folder: Path) -> Path:
    """Write a model of a shape, with random weights and another model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(like, local_files_only=True)
    heads = SHAPES[shape]["hidden_size"] // HEAD_WIDTH[shape]
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_attention_heads=heads, num_key_value_heads=heads,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        max_position_embeddings=4096, **SHAPES[shape],
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ours(
    recipe: Path, base: Path, rows: Path, folder: Path, changed: dict[str, Any]
) -> dict[str, float]:
    """Train with the shipped program."""
    command = [sys.executable, str(recipe.parent / "sft.py"), "--config", str(recipe)]
    command += ["--model_name_or_path", str(base), "--train_file", str(rows)]
    command += ["--output_dir", str(folder)]
    command += [word for name, value in changed.items() for word in (f"--{name}", str(value))]
    _, peak = run(command, folder.with_suffix(".log"))
    record = json.loads((folder / "training.json").read_text())
    loss = record["loss_curve"][-1][1]
    return {"seconds": record["seconds"], "tokens": record["tokens"], "peak": peak, "loss": loss}


def stock(
    recipe: Path, base: Path, rows: Path, folder: Path, changed: dict[str, Any]
) -> dict[str, float]:
    """Train with `trl sft`, from the same fields."""
    from torch.cuda import is_available as gpu_is_there

    settings = yaml.safe_load(recipe.read_text())
    del settings["program"]
    settings |= {"dtype": precision(), **changed}
    settings |= {"model_name_or_path": str(base), "output_dir": str(folder)}
    settings["use_cpu"] = not gpu_is_there()
    settings["datasets"] = [{"path": "json", "data_files": str(rows)}]
    config = folder.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings))
    command = [str(Path(sys.executable).parent / "trl"), "sft", "--config", str(config)]
    text, peak = run(command, folder.with_suffix(".log"))
    lines = [ast.literal_eval(line) for line in text.splitlines() if line.startswith("{'")]
    losses = [float(line["loss"]) for line in lines if "loss" in line]
    seconds = next(float(line["train_runtime"]) for line in lines if "train_runtime" in line)
    return {"seconds": seconds, "peak": peak, "loss": losses[-1]}


def held_out(bench: Bench, folder: Path, samples: Sequence[Sample]) -> str:
    """Return the score of an adapter on rows it has not seen."""
    candidate = plain_candidate(bench.evaluator, r3_lora.NAME).model_copy(
        update={"adapter": str(folder)}
    )
    outcomes = answer(bench.evaluator, candidate, samples)
    scored = [(o.sample, o.score) for o in outcomes if o.score is not None]
    found = as_units(scored, {}).estimate(0.95)
    return f"{found.mean:.3f} ({found.low:.3f}-{found.high:.3f}), n {found.n}"


def main() -> None:
    """Train twice and compare; or look at one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--recipe", choices=["lora", "qlora", "dora"], default="lora")
    parser.add_argument("--shape", choices=list(SHAPES), help="random weights, not the task's base")
    parser.add_argument("--step", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        bench = open_bench(load_task(given.task, given.data), here / "runs", Quiet())
        samples = bench.data.train[: given.rows]
        file = here / "rows.jsonl"
        shown = [(sample, sample.target) for sample in samples]
        write_json_lines(
            file,
            training_rows(bench.evaluator, plain_candidate(bench.evaluator, r3_lora.NAME), shown),
        )
        base = bench.trainer.base()
        if given.shape:
            base = random_base(base, given.shape, here / "base")
        recipe = shipped("recipes") / f"{given.recipe}.yaml"
        if given.step:
            from training_step import explain

            explain(base, file)
            return
        os.environ["HF_DATASETS_CACHE"] = str(here / "datasets")
        changed = {"num_train_epochs": given.epochs, "save_strategy": "no"}
        print(f"{bench.task.name}: {len(samples)} rows, {given.epochs:g} epochs, {hardware()}")
        print(f"{'':12}tokens/s  seconds  peak MB  last loss  held-out score")
        fastest: dict[str, float] = {}
        tokens, weights = 0.0, shape_of(base).linear
        for at in range(given.rounds):
            for name, train in (("ladder", ours), ("trl sft", stock)):
                folder = here / f"{name.replace(' ', '-')}-{at}"
                found = train(recipe, base, file, folder, changed)
                tokens = found.get("tokens", tokens)  # the same rows, epochs and base
                rate = tokens / found["seconds"]
                fastest[name] = max(fastest.get(name, 0.0), rate)
                unseen = bench.data.gate[: given.held_out]
                score = "as before" if at else "-"
                if not (at or given.shape):
                    score = held_out(bench, folder, unseen)
                print(
                    f"{name:10} {rate:9.0f} {found['seconds']:8.1f} "
                    f"{found['peak']:8.0f} {found['loss']:9.3f}  {score}",
                    flush=True,
                )
        mine, theirs = fastest["ladder"], fastest["trl sft"]
        print(f"{mine / theirs:.1f} times the tokens a second, each side's least disturbed round")
        print(f"{4e-12 * weights * mine:.3f} and {4e-12 * weights * theirs:.3f} TFLOP/s")
        bench.evaluator.models.cache.close()


if __name__ == "__main__":
    main()
