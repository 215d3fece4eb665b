"""Measured rungs with known costs."""

from __future__ import annotations

from ladder.evidence import Attempt, Build, Candidate, Estimate, Measurement, TokenUse
from ladder.task import Task

TASK = Task.model_validate(
    {
        "name": "t",
        "goal": "Sort the mail.",
        "data": {"test": "t.jsonl"},
        "score": "exact_match",
        "gate": {"min_score": 0.8},
        "use": {"requests_per_month": 50_000, "usd_per_label": 0.5},
    }
)


def attempt(rung: str, per_1k: float | None, build: float = 0.0, shots: int = 0) -> Attempt:
    return Attempt(
        rung=rung,
        status="passed",
        candidate=Candidate(
            rung=rung,
            description="x",
            model="replay:x",
            adapter="trained" if build else None,
            shots=tuple(map(str, range(shots))),
        ),
        measurement=Measurement(
            score=Estimate(mean=0.9, low=0.8, high=0.95, n=100),
            tokens=TokenUse(input_mean=1, output_mean=1),
            cost_usd_per_1k=per_1k,
            cost_error_usd_per_1k=0.01,
            build=Build(usd=build),
        ),
    )


ATTEMPTS = [attempt("prompt", 0.9, shots=4), attempt("lora", 0.5, build=60.0)]
