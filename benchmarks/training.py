"""Training with LoRA: `recipes/sft.py` beside `trl sft`, stock and tuned, in turns in one run.

    python benchmarks/training.py evalsets/public/contract_clauses.yaml --data FOLDER
    python benchmarks/training.py … --avx2        # an AVX2 processor, imitated on this one
    python benchmarks/training.py … --options     # each of TRL's options alone as well
    python benchmarks/training.py … --step        # where the time of one step goes, on both sides
    python benchmarks/training.py … --recipe qlora --shape 7b    # random weights, for a GPU

All read the same YAML (`recipes/lora.yaml`), rows, base and seed; their adapters then answer the
same held-out examples. Stock is the program behind `trl sft` with that YAML; tuned is the same with
what TRL's own documentation offers and a CPU has (`TUNED`). Tokens are those of prompts and
answers, padding not counted. Seconds are of the training alone, loading left out: the trainer's
own, and the processor's, which other work on the machine moves far less; with one thread and an
idle machine they are the same. Contenders take turns, and the least disturbed round of each counts:
other work only ever slows a round down. Peak memory is the process's resident set. FLOP are 4 for a
token and a layer's weight: forward, and back through frozen weights; over what the machine can do
they are the MFU.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from ladder.climb.opening import open_bench
from ladder.evaluation.units import as_units
from ladder.files import shipped, write_json_lines
from ladder.hardware import BF16_UNITS, hardware, precision, processor_flags
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
    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", hardware()["cores"]),
}
LAST = 5
"""The loss that is shown is the mean of so many last steps."""
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""What keeps PyTorch's own kernels, oneDNN and MKL to AVX2, on a processor that has more."""
PROBE = """
import torch
print("PyTorch:", torch.backends.cpu.get_cpu_capability())
torch.mm(torch.ones(64, 64), torch.ones(64, 64))
torch.ones(64, 64).to_mkldnn()
"""
SMALL = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
"""The same steps of 16 rows, in four parts."""
TUNED = {**SMALL, "padding_free": True, "max_length": None}
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""What `recipes/settings.py` sets for its own process; not TRL's, but anyone can set it."""


@dataclass(frozen=True)
class Contender:
    """A way to train the recipe's rows: a name, and what `trl sft` is told beside the recipe."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What all contenders are given."""

    recipe: Path
    base: Path
    rows: Path
    changed: Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """What a training took, and where it ended."""

    seconds: float
    tokens: int
    processor_seconds: float
    peak_mb: float
    gpu_mb: float
    loss: float

    @property
    def effort(self) -> float:
        """Processor seconds of a token."""
        return self.processor_seconds / self.tokens

    @property
    def pace(self) -> float:
        """Seconds of a token."""
        return self.seconds / self.tokens


def run(
    program: Path, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
) -> tuple[str, dict[str, float]]:
    """Run a training program; return what it wrote and what it took, as `training_side` says."""
    command = [sys.executable, str(Path(__file__).with_name("training_side.py")), str(program)]
    with log.open("w") as out:
        done = subprocess.run(
            [*command, *arguments], stdout=out, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, **QUIET, **environment},
        )  # fmt: skip
    text = log.read_text(errors="replace")
    if done.returncode:
        sys.exit(f"{program} failed:\n{text[-2000:]}")
    took: dict[str, float] = json.loads(re.findall(r"training took (.*)", text)[-1])
    return text, took


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


def ladder(work: Work, _: Contender, folder: Path) -> Trained:
    """Train with the shipped program."""
    told = {"config": work.recipe, "model_name_or_path": work.base, "train_file": work.rows}
    told |= {"output_dir": folder, **work.changed}
    words = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    program = work.recipe.parent / "sft.py"
    _, took = run(program, words, folder.with_suffix(".log"), {})
    record = json.loads((folder / "training.json").read_text())
    losses = [loss for _, loss in record["loss_curve"]]
    loss = mean(losses[-LAST:])
    return Trained(seconds=record["seconds"], tokens=record["tokens"], loss=loss, **took)


def trl(work: Work, contender: Contender, folder: Path) -> Trained:
    """Train with the program behind `trl sft`, from the same fields and the contender's own."""
    from torch.cuda import is_available as gpu_is_there
    from trl.scripts import sft

    settings = yaml.safe_load(work.recipe.read_text())
    del settings["program"]
    settings |= {"dtype": precision(), **work.changed, **contender.options}
    settings |= {"model_name_or_path": str(work.base), "output_dir": str(folder)}
    settings["use_cpu"] = not gpu_is_there()
    settings["datasets"] = [{"path": "json", "data_files": str(work.rows)}]
    config = folder.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings))
    log, words = folder.with_suffix(".log"), ["--config", str(config)]
    text, took = run(Path(sft.__file__), words, log, contender.environment)
    lines = [ast.literal_eval(line) for line in text.splitlines() if line.startswith("{'")]
    losses = [line for line in lines if "loss" in line]
    seconds = next(float(line["train_runtime"]) for line in lines if "train_runtime" in line)
    loss = mean(float(line["loss"]) for line in losses[-LAST:])
    tokens = int(float(losses[-1]["num_tokens"]))
    return Trained(seconds=seconds, tokens=tokens, loss=loss, **took)


def held_out(bench: Bench, folder: Path, samples: Sequence[Sample]) -> str:
    """Return the score of an adapter on rows it has not seen."""
    candidate = plain_candidate(bench.evaluator, r3_lora.NAME).model_copy(
        update={"adapter": str(folder)}
    )
    outcomes = answer(bench.evaluator, candidate, samples)
    scored = [(o.sample, o.score) for o in outcomes if o.score is not None]
    found = as_units(scored, {}).estimate(0.95)
    return f"{found.mean:.3f} ({found.low:.3f}-{found.high:.3f}), n {found.n}"


def processor() -> str:
    """Say which instructions the libraries use, as they themselves tell, and whether by force."""
    verbose = {"ONEDNN_VERBOSE": "1", "MKL_VERBOSE": "1", **QUIET}
    command = [sys.executable, "-c", PROBE]
    told = subprocess.run(
        command, env={**os.environ, **verbose}, capture_output=True, text=True, check=True
    ).stdout
    capability = re.findall(r"PyTorch: (\w+)", told)
    onednn = re.findall(r"info,cpu,isa:(.*)", told)
    mkl = re.findall(r"\((Intel\(R\) AVX[^)]*)\)", told)
    forced = all(os.environ.get(name) == value for name, value in AVX2.items())
    flags = sorted(BF16_UNITS & processor_flags()) or ["no bfloat16"]
    found = (
        f"{hardware()['processor']}, {' '.join(flags)}, threads: {QUIET['OMP_NUM_THREADS']}; "
        f"PyTorch uses {', '.join(capability)}; oneDNN {', '.join(onednn)}; MKL {', '.join(mkl)}"
    )
    by = " ".join(f"{name}={value}" for name, value in AVX2.items())
    return f"{found}\nimitated: an AVX2 processor, by {by}" if forced else found


def contenders(each_option: bool) -> list[Contender]:
    """Return who takes part: the shipped recipe, stock TRL, and TRL tuned, in other ways too.

    What TRL's documentation offers beside: `chunked_nll` is TRL 1.16's own default under another
    name; liger, the kernels of the hub, flash attention and offloading are for GPUs; that entropy
    is computed for the log cannot be switched off.
    """
    found = [Contender("ladder"), Contender("trl sft"), Contender("trl tuned", TUNED)]
    if not each_option:
        return found
    packed = {"packing": True, "per_device_train_batch_size": 1}  # of max_length: about 13 rows
    return [
        *found,
        Contender("padded", SMALL),
        Contender("two rows", {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 8}),
        Contender("eager attention", {**SMALL, "attn_implementation": "eager"}),
        Contender("autocast", {**SMALL, "bf16": precision() == "bfloat16"}),
        Contender("packing", packed),
        Contender("allocator", TUNED, ALLOCATOR),
    ]


def take_turns(
    work: Work, sides: Sequence[Contender], rounds: int, here: Path
) -> dict[str, list[Trained]]:
    """Train every side once a round; print and return what each took, round by round."""
    print(f"{'':16}tokens/s  of processor s  seconds  tokens  peak MB  last loss", flush=True)
    found: dict[str, list[Trained]] = {side.name: [] for side in sides}
    for at in range(rounds):
        for side in sides:
            train = ladder if side.name == "ladder" else trl
            one = train(work, side, here / f"{side.name.replace(' ', '-')}-{at}")
            found[side.name].append(one)
            print(
                f"{side.name:16}{1 / one.pace:8.0f} {1 / one.effort:15.0f} "
                f"{one.seconds:8.1f} {one.tokens:7} {one.peak_mb:8.0f} {one.loss:10.3f}",
                flush=True,
            )
    return found


def compare(found: Mapping[str, Sequence[Trained]], weights: float) -> None:
    """Print how ladder stands to each other side: round by round, and in their best rounds."""
    ours = found["ladder"]
    for name, theirs in found.items():
        if name == "ladder":
            continue
        rounds = [other.effort / mine.effort for mine, other in zip(ours, theirs, strict=True)]
        by_round = ", ".join(f"{each:.2f}" for each in rounds)
        best = {
            part: _least(theirs, part) / _least(ours, part)
            for part in ("effort", "pace", "peak_mb")
        }
        print(
            f"ladder beside {name}: {best['effort']:.2f} times the tokens of a processor second "
            f"(by round {by_round}), {best['pace']:.2f} times those of a second, "
            f"{1 / best['peak_mb']:.2f} times the memory"
        )
    for name, sides in found.items():
        rate = 1 / _least(sides, "pace")
        print(f"{name}: {4e-12 * weights * rate:.3f} TFLOP/s")


def _least(sides: Sequence[Trained], part: str) -> float:
    return float(min(getattr(one, part) for one in sides))


def parse() -> argparse.Namespace:
    """Read the command line; with --avx2 begin anew as a processor that has no more than that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--recipe", choices=["lora", "qlora", "dora"], default="lora")
    parser.add_argument("--shape", choices=list(SHAPES), help="random weights, not the task's base")
    parser.add_argument("--avx2", action="store_true", help="imitate a processor with AVX2 alone")
    parser.add_argument("--options", action="store_true", help="each of TRL's options alone too")
    parser.add_argument("--step", action="store_true")
    given = parser.parse_args()
    if given.avx2 and any(os.environ.get(name) != value for name, value in AVX2.items()):
        os.environ.update(AVX2)  # libraries read them as they load
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return given


def main() -> None:
    """Train in turns and compare; or look at one step."""
    given = parse()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        bench = open_bench(load_task(given.task, given.data), here / "runs", Quiet())
        samples = bench.data.train[: given.rows]
        file = here / "rows.jsonl"
        shown = [(sample, sample.target) for sample in samples]
        plain = plain_candidate(bench.evaluator, r3_lora.NAME)
        write_json_lines(file, training_rows(bench.evaluator, plain, shown))
        base = bench.trainer.base()
        if given.shape:
            base = random_base(base, given.shape, here / "base")
        print(f"{bench.task.name}: {len(samples)} rows, {given.epochs:g} epochs\n{processor()}")
        if given.step:
            from training_step import explain

            explain(base, file)
            return
        os.environ["HF_DATASETS_CACHE"] = str(here / "datasets")
        changed = {"num_train_epochs": given.epochs, "save_strategy": "no", "logging_steps": 1}
        recipe = shipped("recipes") / f"{given.recipe}.yaml"
        sides = contenders(given.options)
        for side in sides[1:]:
            told = {**side.options, **side.environment}
            print(
                f"{side.name}: {given.recipe}.yaml, dtype {precision()}", *map(_said, told.items())
            )
        found = take_turns(Work(recipe, base, file, changed), sides, given.rounds, here)
        compare(found, shape_of(base).linear)
        for side in [] if given.shape or not given.held_out else sides:
            folder = here / f"{side.name.replace(' ', '-')}-0"
            unseen = bench.data.gate[: given.held_out]
            print(f"{side.name}: held-out score {held_out(bench, folder, unseen)}", flush=True)
        bench.evaluator.models.cache.close()


def _said(option: tuple[str, Any]) -> str:
    return f"{option[0]}={option[1]}"


if __name__ == "__main__":
    main()
