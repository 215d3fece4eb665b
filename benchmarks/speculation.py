"""Speculative decoding on a run's own answer: p50 and p95 with and without, and whether it is kept.

    python benchmarks/speculation.py RUN [--rows 40] [--draft FOLDER]

RUN is the folder of a run whose answer generates text with a model of this machine. Every eval
example is asked with the candidate's own prompt, one request at a time, by each way in turns, so
that other work disturbs all alike; which way is first changes from row to row. The ways are those
of transformers' `generate`, greedy: plain; prompt lookup (Saxena, 2023: continuations are copied
from the prompt); the model's own first layers as a draft (Zhang et al., 2024); and a draft model
(Leviathan et al., 2023), with --draft. A way is kept where all its answers are those of plain
decoding, token for token, and the median of its time over plain's, row by row, is below 1 with 95 %
confidence (order statistics); else it is refused, and the line says why.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from ladder.climb.opening import COMPLETIONS, open_bench
from ladder.engines.local import LocalEngine
from ladder.gate.quantiles import percentile, quantile_interval
from ladder.hardware import processor_flags
from ladder.inference.prompts import request_for
from ladder.lifecycle.plan import PLAN, load_plan, task_of
from ladder.progress import Quiet

FLAGS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
COPIED = 5
"""Tokens that are copied from the prompt at a time."""


class Decoder:
    """Decodes one prompt at a time with the model of an engine."""

    def __init__(self, engine: LocalEngine, limit: int) -> None:
        """Take the model and the most tokens of an answer."""
        self.model, self.tokenizer, self.limit = engine.model, engine.tokenizer, limit
        self.ends = sorted({*engine.ends, engine.line_end})

    def decode(self, prompt: list[int], way: Mapping[str, Any]) -> tuple[list[int], float]:
        """Return the tokens of an answer, and its seconds."""
        import torch

        ids = torch.tensor([prompt])
        started = time.perf_counter()
        with torch.inference_mode():
            whole = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=self.limit,
                eos_token_id=self.ends,
                pad_token_id=self.ends[0],
                **way,
            )
        return whole[0, len(prompt) :].tolist(), time.perf_counter() - started


def ways(model: Any, draft: Path | None) -> dict[str, dict[str, Any]]:
    """Return name -> what `generate` is told."""
    layers = model.config.num_hidden_layers
    found: dict[str, dict[str, Any]] = {
        "plain": {},
        "prompt lookup": {"prompt_lookup_num_tokens": COPIED},
        f"first {layers // 3} of {layers} layers": {"assistant_early_exit": layers // 3},
    }
    if draft:
        from transformers import AutoModelForCausalLM

        small = AutoModelForCausalLM.from_pretrained(draft, local_files_only=True).eval()
        found[f"draft {draft.name}"] = {"assistant_model": small.to(model.dtype)}
    return found


def prompts(run: Path, rows: int) -> tuple[LocalEngine, list[list[int]], int]:
    """Return the engine of a run's answer, its prompts as tokens, and the most tokens it writes."""
    path = run / PLAN
    plan = load_plan(path)
    if plan.candidate is None:
        raise SystemExit(f"{run}: its answer needs no language model")
    with tempfile.TemporaryDirectory() as made:
        bench = open_bench(task_of(path, plan), Path(made), Quiet(), cache=Path(made) / COMPLETIONS)
        asked = bench.evaluator.engine(plan.candidate)
        if not isinstance(asked.engine, LocalEngine):
            raise SystemExit(f"{run}: its answer is not of a model of this machine")
        requests = [
            request_for(bench.evaluator, plan.candidate, sample, asked)
            for sample in bench.data.gate[:rows]
        ]
        bench.evaluator.models.cache.close()
    if any(request.choices for request in requests):
        raise SystemExit(f"{run}: its answers are scored, not written: there is nothing to draft")
    if any(request.schema for request in requests):
        raise SystemExit(f"{run}: its answers are held to a schema, which a draft knows nothing of")
    encoded = [asked.engine.encode(request) for request in requests]
    return asked.engine, encoded, max(request.max_tokens for request in requests)


def main() -> None:
    """Ask each way, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--draft", type=Path)
    given = parser.parse_args()
    engine, encoded, limit = prompts(given.run, given.rows)
    decoder, known = Decoder(engine, limit), ways(engine.model, given.draft)
    for way in known.values():
        decoder.decode(encoded[0], way)  # warm
    found: dict[str, list[tuple[list[int], float]]] = {name: [] for name in known}
    for number, prompt in enumerate(encoded):
        names = list(known)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(decoder.decode(prompt, known[name]))
    written = sum(len(tokens) for tokens, _ in found["plain"])
    print(f"{' '.join(sorted(FLAGS & processor_flags()))}; {len(encoded)} rows, {written} tokens")
    for name, answers in found.items():
        print(line(name, answers, found["plain"]))


def line(
    name: str, answers: list[tuple[list[int], float]], plain: list[tuple[list[int], float]]
) -> str:
    """Say what a way takes, whether it writes the same, and whether it is kept."""
    times = [seconds for _, seconds in answers]
    said = f"{name:22} p50 {percentile(times, 0.5):.3f} s  p95 {percentile(times, 0.95):.3f} s"
    if answers is plain:
        return said
    same = sum(one == other for (one, _), (other, _) in zip(answers, plain, strict=True))
    ratios = [mine / others for (_, mine), (_, others) in zip(answers, plain, strict=True)]
    low, high = quantile_interval(ratios, 0.5, 0.95)
    said += f"  same {same} of {len(plain)}  time {median(ratios):.2f} of plain's"
    ends = f" ({low or 0:.2f}–{high:.2f})" if high is not None else ""
    if same < len(plain):
        return f"{said}{ends}  refused: other answers"
    return said + ends + ("  kept" if high is not None and high < 1 else "  refused: not faster")


if __name__ == "__main__":
    main()
