"""One GPU in one call, in under ten minutes: training and answering at the shape of a 7B model.

    python benchmarks/gpu.py TASK --data FOLDER [--shape 7b] [--steps 12] [--out gpu.json]
    python benchmarks/gpu.py … --shape tiny --steps 2   # without a GPU: whether the program runs

Random weights, the rows of the task. LoRA and QLoRA by the shipped recipes beside `trl sft`, stock
and tuned by TRL's documentation (packing without padding, the kernels of liger where they are
installed): tokens/s, memory on the GPU, and FLOP/s over what one large matrix product reaches here
(4 FLOP for a token and a layer's weight). Then labels scored and texts written by ladder's own
engine, and by vLLM where it is installed. What there is no time or no package for is named, never
left out. The JSON is written after each part: whatever ends the program, the parts before are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training import SHAPES, Contender, Work, ladder, random_base, trl

from ladder.climb.opening import open_bench
from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.files import shipped, write_json_lines, write_whole
from ladder.hardware import hardware, precision
from ladder.progress import Quiet
from ladder.rungs import r3_lora
from ladder.task import load_task
from ladder.training.estimate import shape_of
from ladder.training.rows import plain_candidate, training_rows

SECONDS = 560
"""After which no further part begins."""
LABELS = tuple(f"label number {at}" for at in range(10))
SCORED, WRITTEN, LONG = 64, 32, 128
"""Rows whose labels are scored, rows that are answered, and tokens of an answer."""
MATRIX = 8192


def tuned() -> Contender:
    """Return TRL as its documentation tunes it for a GPU."""
    options: dict[str, Any] = {"packing": True, "padding_free": True, "max_length": 1024}
    if find_spec("liger_kernel"):
        options["use_liger_kernel"] = True
    if find_spec("flash_attn"):
        options["attn_implementation"] = "flash_attention_2"
    return Contender("trl tuned", options)


def rate_of_matrices() -> float:
    """Return the FLOP/s of one large matrix product in the precision of a training."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = MATRIX if device == "cuda" else 512
    kind = torch.bfloat16 if device == "cuda" else torch.float32
    one = torch.randn(size, size, device=device, dtype=kind)
    times = []
    for _ in range(8):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        one @ one
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times)


def trained(work: Work, side: Contender, folder: Path, weights: float, peak: float) -> Any:
    """Train by one side; return tokens/s, memory, and the share of the peak."""
    found = (ladder if side.name == "ladder" else trl)(work, side, folder)
    rate = 1 / found.pace
    return {**asdict(found), "tokens_per_s": rate, "share_of_peak": 4 * weights * rate / peak}


def answered(base: Path, texts: list[str]) -> dict[str, float]:
    """Score labels and write texts by our engine; rows a second."""
    engine = LocalEngine(base)
    scored = [Request(text=text, choices=LABELS) for text in texts[:SCORED]]
    written = [Request(text=text, max_tokens=LONG) for text in texts[:WRITTEN]]
    list(engine.complete(scored[:2]))  # the weights are read
    rates = {}
    for name, asked in (("scored_per_s", scored), ("written_per_s", written)):
        started = time.perf_counter()
        list(engine.complete(asked))
        rates[name] = len(asked) / (time.perf_counter() - started)
    return rates


def by_vllm(base: Path, texts: list[str]) -> dict[str, float]:
    """Write the same texts by vLLM; rows a second."""
    from vllm import LLM, SamplingParams

    model = LLM(str(base), dtype="bfloat16", max_model_len=2048, gpu_memory_utilization=0.6)
    wanted = SamplingParams(temperature=0, max_tokens=LONG)
    model.generate(texts[:2], wanted)
    started = time.perf_counter()
    model.generate(texts[:WRITTEN], wanted)
    return {"written_per_s": WRITTEN / (time.perf_counter() - started)}


def parts(given: argparse.Namespace, here: Path) -> Iterator[tuple[str, Callable[[], Any] | str]]:
    """Yield each part: a name, and what measures it, or why nothing does."""
    bench = open_bench(load_task(given.task, given.data), here / "runs", Quiet())
    samples = bench.data.train[: given.rows]
    plain = plain_candidate(bench.evaluator, r3_lora.NAME)
    rows = training_rows(bench.evaluator, plain, [(one, one.target) for one in samples])
    write_json_lines(here / "rows.jsonl", rows)
    base = random_base(bench.trainer.base(), given.shape, here / "base")
    bench.evaluator.models.cache.close()
    texts = [f"Input: {one.input}\nAnswer:" for one in samples]
    weights, peak = shape_of(base).linear, rate_of_matrices()
    yield "matrix product", lambda: {"flop_per_s": peak}
    changed = {"max_steps": given.steps, "save_strategy": "no", "logging_steps": 1}
    for recipe in given.recipes.split(","):
        work = Work(shipped("recipes") / f"{recipe}.yaml", base, here / "rows.jsonl", changed)
        for side in (Contender("ladder"), Contender("trl sft"), tuned()):
            folder = here / f"{recipe}-{side.name}".replace(" ", "-")
            yield (
                f"{recipe}: {side.name}",
                lambda w=work, s=side, f=folder: trained(w, s, f, weights, peak),
            )
        yield f"{recipe}: unsloth", "not measured: no program for it yet"
    yield "answers: ladder", lambda: answered(base, texts)
    there = find_spec("vllm") is not None
    yield "answers: vllm", (lambda: by_vllm(base, texts)) if there else "not installed"


def main() -> None:
    """Measure part by part, and write each down at once."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("task", type=Path)
    given.add_argument("--data", type=Path)
    given.add_argument("--shape", choices=list(SHAPES), default="7b")
    given.add_argument("--rows", type=int, default=200)
    given.add_argument("--steps", type=int, default=12)
    given.add_argument("--recipes", default="lora,qlora")
    given.add_argument("--out", type=Path, default=Path("gpu.json"))
    options = given.parse_args()
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: a trial"
    found: dict[str, Any] = {
        "gpu": name, "machine": hardware(), "precision": precision(),
        "shape": options.shape, "steps": options.steps, "parts": {},
    }  # fmt: skip
    print(name, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HF_DATASETS_CACHE"] = f"{scratch}/datasets"
        for part, measure in parts(options, Path(scratch)):
            if isinstance(measure, str):
                said: Any = measure
            elif time.monotonic() - started > SECONDS:
                said = "not measured: no time left"
            else:
                try:
                    said = measure()
                except (Exception, SystemExit) as error:  # the other parts are wanted all the same
                    said = f"failed: {type(error).__name__}: {str(error)[-600:]}"
            found["parts"][part] = said
            write_whole(options.out, json.dumps(found, indent=1) + "\n")
            print(f"{part}: {json.dumps(said)[:300]}", flush=True)


if __name__ == "__main__":
    main()
