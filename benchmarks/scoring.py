"""Scoring labels on this processor: how near to its peak, beside lm-eval's `hf` on the same rows.

    python benchmarks/scoring.py FOLDER [--rows 40] [--labels 10] [--rounds 3]

FOLDER holds banking77/. lm-eval (`pip install lm-eval`) is measured where it is installed, with the
same weights, precision and prompts, in batches of 16. Its requests are one for each label, as its
multiple-choice tasks make them. In each round both are run once, in turn; medians.

FLOP are counted by torch (`FlopCounterMode`) in our forward passes; the peak is what the same
linear layers reach alone on as many tokens as a batch has. Same answers: the likeliest label of
each row, and the largest gap between the two log-probabilities of a label.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ladder.engines import open_engine
from ladder.engines.base import Request
from ladder.engines.local.local_model import BATCH_TOKENS
from ladder.hardware import hardware

MODEL = "bundled:smollm2-135m"
SHOTS = 8
BATCH = 16

Scores = list[list[float]]
"""Of each row the log-probability of each label."""


def requests_of(folder: Path, rows: int, labels: int) -> list[Request]:
    """Return so many rows, each asked for one of so many labels behind the same examples."""
    lines = (folder / "banking77/train.jsonl").read_text().splitlines()
    known = [json.loads(line) for line in lines]
    names = sorted({each["target"] for each in known})[:labels]
    mine = [each for each in known if each["target"] in names]
    shown = "\n\n".join(f"Input: {each['input']}\nLabel: {each['target']}" for each in mine[:SHOTS])
    start = f"Name the intent of the customer's message: {', '.join(names)}.\n\n{shown}"
    asked = mine[SHOTS :: max(1, len(mine) // rows)][:rows]
    texts = (f"{start}\n\nInput: {each['input']}\nLabel:" for each in asked)
    return [Request(text=text, choices=tuple(names)) for text in texts]


def ours(engine: Any, requests: Sequence[Request]) -> Scores:
    """Score by the tree of labels behind the prompt that all rows share."""
    found = dict(engine.complete(requests))
    return [list(found[at].choice_logprobs) for at in range(len(requests))]


def theirs(engine: Any, requests: Sequence[Request]) -> Scores:
    """Score by lm-eval's `hf`: a request for each label, its end of line included."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(
        pretrained=engine.model, tokenizer=engine.tokenizer, batch_size=BATCH, device="cpu"
    )
    asked = [
        Instance("loglikelihood", {}, (request.text, f" {choice}\n"), at)
        for at, request in enumerate(requests)
        for choice in request.choices
    ]
    said = [score for score, _ in model.loglikelihood(asked, disable_tqdm=True)]
    width = len(requests[0].choices)
    return [said[at : at + width] for at in range(0, len(said), width)]


def timed(run: Callable[[], Scores]) -> tuple[float, Scores]:
    """Return the seconds of a run, and what it found."""
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def counted(engine: Any, requests: Sequence[Request]) -> float:
    """Return the FLOP of our forward passes."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        ours(engine, requests)
    return float(counter.get_total_flops())


def peak(engine: Any, rounds: int) -> float:
    """Return the FLOP/s that the model's linear layers reach alone, a full batch of tokens each."""
    import torch

    layers = [each for each in engine.model.modules() if isinstance(each, torch.nn.Linear)]
    layers = [each for each in layers if each is not engine.model.get_output_embeddings()]
    inputs = {each.in_features: torch.randn(BATCH_TOKENS // 4, each.in_features) for each in layers}
    inputs = {width: each.to(engine.model.dtype) for width, each in inputs.items()}
    flop = sum(2 * len(inputs[e.in_features]) * e.in_features * e.out_features for e in layers)

    def once() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for each in layers:
                each(inputs[each.in_features])
        return time.perf_counter() - started

    once()
    return flop / statistics.median(once() for _ in range(rounds + 2))


def main() -> None:
    """Print rates, ratios, and whether the answers are the same."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("folder", type=Path)
    given.add_argument("--rows", type=int, default=40)
    given.add_argument("--labels", type=int, default=10)
    given.add_argument("--rounds", type=int, default=3)
    options = given.parse_args()
    requests = requests_of(options.folder, options.rows, options.labels)
    engine: Any = open_engine(MODEL)
    runs: dict[str, Callable[[], Scores]] = {"ladder": lambda: ours(engine, requests)}
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        print("lm-eval is not installed: not measured")
    else:
        runs[f"lm-eval hf, batches of {BATCH}"] = lambda: theirs(engine, requests)
    ours(engine, requests[:2])  # the weights are read
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    found: dict[str, Scores] = {}
    for _ in range(options.rounds):
        for name, run in runs.items():
            took, found[name] = timed(run)
            seconds[name].append(took)
    tokens = engine.count_tokens(requests[0].text)
    print(
        f"{len(requests)} rows of about {tokens} tokens, {options.labels} labels each, {hardware()}"
    )
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    mine = middle["ladder"]
    for name, took in middle.items():
        rate = len(requests) * options.labels / took
        said = f"{took:7.2f} s  {rate:7.1f} labels/s  {took / mine:5.1f} x"
        print(f"{name:26} {said}  {_same(found, name)}")
    reached, possible = counted(engine, requests) / mine, peak(engine, options.rounds)
    print(
        f"{reached / 1e9:.1f} GFLOP/s reached, {possible / 1e9:.1f} by its linear layers alone: "
        f"{possible / reached:.2f} x ({str(engine.model.dtype).removeprefix('torch.')})"
    )


def _same(found: dict[str, Scores], name: str) -> str:
    pairs = list(zip(found["ladder"], found[name], strict=True))
    same = sum(one.index(max(one)) == other.index(max(other)) for one, other in pairs)
    apart = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    return f"same answer {same} of {len(pairs)}, at most {apart:.4f} apart"


if __name__ == "__main__":
    main()
