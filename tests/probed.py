"""Plans whose model is probed: on this machine, and behind a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import yaml
from trained import write_plan

from ladder.climb.opening import open_bench
from ladder.evidence import Candidate, Estimate, Measurement, TokenUse
from ladder.progress import Quiet
from ladder.task import load_task

SCORE = Estimate(mean=0.9, low=0.8, high=0.95, n=60)
MEASURED = Measurement(score=SCORE, tokens=TokenUse(input_mean=1, output_mean=1))


def plan_in(
    folder: Path,
    model: str,
    adapter: Path | None = None,
    decoding: Literal["free", "scored"] = "free",
    **more: Any,
) -> Path:
    """A plan that an assessment of a model would leave; nothing is asked for it."""
    rows = [{"input": f"{at} loaves", "target": ("bread", "cake")[at % 2]} for at in range(60)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": "shop", "goal": "Sort the orders.", "data": {"test": "test.jsonl"},
        "answer": {"type": "label", "labels": ["bread", "cake"]}, "score": "exact_match",
        "gate": {"min_score": 0.5}, "models": {"base": model},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump(task | more))
    bench = open_bench(load_task(folder / "task.yaml"), folder / "runs", Quiet())
    candidate = Candidate(
        rung="lora" if adapter else "prompt", description="probed", model=model,
        adapter=str(adapter) if adapter else None, form="chat", max_tokens=6, decoding=decoding,
    )  # fmt: skip
    return write_plan(bench, candidate, MEASURED)
