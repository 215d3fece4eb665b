"""Runs as an assessment leaves them, made by hand: a plan, its record, and release checks."""

from __future__ import annotations

from pathlib import Path

import yaml
from assessments import assessment, estimate, record

from ladder.evidence import Baseline, Candidate, ReleaseRecord, RevalidationPlan
from ladder.files import append_line
from ladder.lifecycle.promotion import RELEASES, read_certified

CREATED = "2026-10-01T08:00:00+00:00"


def made_run(
    runs: Path,
    stamp: str,
    *,
    model: str = "bundled:smollm2-135m",
    verdict: str | None = "pass",
    task: str = "shop",
    control: str = "",
) -> Path:
    """Write a run's folder: RUNS/TASK/STAMP with its plan and its assessment."""
    folder = runs / task / stamp
    folder.mkdir(parents=True)
    found = assessment(task=record(name=task))
    answer = found.recommendation.but(confirmed_verdict=verdict)
    (folder / "assessment.json").write_text(found.but(recommendation=answer).model_dump_json())
    candidate = Candidate(rung="prompt", description=f"the prompt of {stamp}", model=model)
    plan = RevalidationPlan(
        task="../../../task.yaml",
        data_root=None,
        created=CREATED,
        candidate=None if control else candidate,
        control=control,
        baseline=Baseline(
            gate_rows=estimate(0.85, 200),
            sealed_rows=answer.confirmed,
            cost_usd_per_1k=0.01,
            latency_ms=None,
            hardware={},
        ),
        gate={"min_score": 0.8, "confidence": 0.9},
        pinned={"data: test": "fedc", "task": "ab12"},
        every_days=91,
        due=(),
        triggers=(),
        command="ladder revalidate revalidation.yaml",
    )
    (folder / "revalidation.yaml").write_text(yaml.safe_dump(plan.model_dump(mode="json")))
    return folder


def checked(
    candidate: Path, champion: Path, *, passed: bool = True, at: str = CREATED
) -> ReleaseRecord:
    """Write what a release check of two runs leaves."""
    found = ReleaseRecord(
        at=at,
        candidate=read_certified(candidate).system,
        champion=read_certified(champion).system,
        passed=passed,
    )
    append_line(candidate / RELEASES, found.model_dump_json())
    return found
