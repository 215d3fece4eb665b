"""A GGUF file through llama.cpp beside the same weights through transformers: answers and times.

    python benchmarks/gguf_parity.py FILE.gguf MODEL TASK [--rows 60] [--margin 0.05]

MODEL is a reference as in a task file, e.g. `bundled:smollm2-135m`; TASK a folder with train.jsonl,
test.jsonl and task.yaml. Every row is asked with the same eight examples before it, of one engine
and then of the other, one request at a time, in turns, so that other work disturbs both alike.
Printed: how many answers are equal, the score of each, whether the file's is not worse by the
margin (exact, paired), and p50 and p95 of both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from ladder.engines import open_engine
from ladder.engines.base import Completion, Engine, Request
from ladder.gate.bounds import estimate
from ladder.gate.non_inferiority import Pairs, not_worse_by
from ladder.gate.quantiles import percentile
from ladder.hardware import processor_flags
from ladder.inference.prompts import one_line
from ladder.scorers.exact_match import exact_match
from ladder.task import load_task

SHOTS = 8
FLAGS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
ERROR = 0.05


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a file."""
    return [json.loads(line) for line in (folder / name).read_text().splitlines() if line.strip()]


def prompt(goal: str, shown: Sequence[dict[str, str]], text: str) -> str:
    """Return a few-shot prompt to be continued."""
    examples = [f"Input: {one_line(row['input'])}\nOutput: {row['target']}" for row in shown]
    return "\n\n".join([goal, *examples, f"Input: {one_line(text)}\nOutput:"])


def timed(engine: Engine, request: Request) -> tuple[Completion, float]:
    """Ask once; return the answer and its seconds by the clock."""
    start = time.perf_counter()
    [(_, answer)] = engine.complete([request])
    return answer, time.perf_counter() - start


def main() -> None:
    """Ask both, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("model")
    parser.add_argument("task", type=Path)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--margin", type=float, default=0.05)
    given = parser.parse_args()
    task, shown = load_task(given.task / "task.yaml"), rows_of(given.task, "train.jsonl")[:SHOTS]
    rows = rows_of(given.task, "test.jsonl")[: given.rows]
    limit = task.answer.max_tokens or 32
    requests = [
        Request(text=prompt(task.goal, shown, row["input"]), max_tokens=limit, stop=("\n",))
        for row in rows
    ]
    engines = [
        open_engine(reference, None, Path.cwd(), False)
        for reference in (f"gguf:{given.file}", given.model)
    ]
    for engine in engines:  # loaded, and warm
        timed(engine, requests[0])
    found = [[timed(engine, request) for engine in engines] for request in requests]
    errors = [answer.error for both in found for answer, _ in both if answer.error]
    if errors:
        raise SystemExit(f"{len(errors)} requests failed: {errors[0]}")
    score = exact_match()
    pairs = list(zip(found, rows, strict=True))
    scores = [
        [score(both[at][0].text, row["target"]).value for both, row in pairs] for at in (0, 1)
    ]
    equal = [float(both[0][0].text == both[1][0].text) for both in found]
    _print(engines, equal, scores, found, given.margin)


def _print(
    engines: Sequence[Engine],
    equal: Sequence[float],
    scores: Sequence[Sequence[float]],
    found: Sequence[Sequence[tuple[Completion, float]]],
    margin: float,
) -> None:
    same, n = estimate(equal, 1 - ERROR), len(equal)
    print(f"{' '.join(sorted(FLAGS & processor_flags()))}; {n} rows")
    print(f"file: {engines[0].fingerprint()}")
    print(f"equal answers {same.mean:.2f} ({same.low:.2f}-{same.high:.2f})")
    verdict = not_worse_by("all", Pairs(scores[0], scores[1]), margin, ERROR)
    means = [sum(each) / n for each in scores]
    print(
        f"score: file {means[0]:.2f}, model {means[1]:.2f}; {verdict.won} won, {verdict.lost} lost;"
        f" not worse by {margin}: {verdict.verdict}"
    )
    times = [[both[at][1] for both in found] for at in range(2)]
    for name, each in zip(("file", "model"), times, strict=True):
        print(f"{name}: p50 {percentile(each, 0.5):.2f} s, p95 {percentile(each, 0.95):.2f} s")
    ratio = median(b / a for a, b in zip(*times, strict=True))
    print(f"the model takes {ratio:.2f} times as long (median over rows)")


if __name__ == "__main__":
    main()
