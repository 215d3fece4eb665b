"""An assessment as a tracker takes it: parameters, figures, words and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from ladder import __version__
from ladder.evidence import Assessment, Attempt, Estimate
from ladder.hardware import hardware
from ladder.task import Task
from ladder.tracking.base import Ended, Rung


def params_of(task: Task, digests: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what a run was started with.

    Args:
        task: the user's job.
        digests: of its data, by role.
        folder: of the run.
    """
    models = {f"model.{role}": name for role, name in task.models.model_dump().items() if name}
    gate = {f"gate.{limit}": f"{value}" for limit, value in task.gate if value is not None}
    return {
        "task": task.name,
        "task.digest": task.digest,
        "goal": task.goal,
        **{f"data.{role}": digest for role, digest in digests.items()},
        **{role: str(name) for role, name in models.items()},
        "score": ", ".join(choice.name for choice in task.score),
        **gate,
        "rungs": ", ".join(task.rungs),
        "seed": str(task.seed),
        "ladder": __version__,
        **{f"machine.{name}": value for name, value in hardware().items()},
        "run": str(folder),
    }


def as_rung(step: int, attempt: Attempt) -> Rung:
    """Return a rung that was tried: its verdict, and what was measured of it.

    Args:
        step: its place in the climb, from 1.
        attempt: as the climb left it.
    """
    m = attempt.measurement
    found: dict[str, float | None] = {"seconds": attempt.seconds}
    if m is not None:
        found |= _scored("score", m.score)
        found |= {
            "p95_ms": m.latency_ms.p95 if m.latency_ms else None,
            "usd_per_1k": m.cost_usd_per_1k,
            "errors": float(m.errors),
        }
    return Rung(attempt.rung, step, attempt.status, _finite(found))


def as_ended(assessment: Assessment, answer: str, files: Iterable[Path]) -> Ended:
    """Return the end of an assessment.

    Args:
        assessment: the whole of it.
        answer: in a sentence.
        files: what it has written; those that are not there are left out.
    """
    advice, control = assessment.recommendation, assessment.control
    words = {
        "answer": answer,
        "rung": "control" if advice.control else advice.rung or "none",
        "verdict": _verdict(assessment),
        "test": advice.confirmed_verdict or "",
        "stopped": assessment.stopped,
    }
    found: dict[str, float | None] = {"seconds": assessment.seconds}
    if advice.confirmed is not None:
        found |= _scored("test/score", advice.confirmed)
    if control is not None and control.lines:
        judged = control.judged_line
        found |= _scored("control/score", judged.score)
        found |= {"control/usd_per_1k": judged.cost_usd_per_1k}
    asked = assessment.effort.by_purpose.values() if assessment.effort else ()
    found |= {
        "calls": float(sum(each.calls for each in asked)),
        "tokens": float(sum(each.tokens for each in asked)),
    }
    there = [str(path) for path in files if path.is_file()]
    return Ended("finished", words, _finite(found), there)


def _verdict(a: Assessment) -> str:
    if a.recommendation.withheld:
        return "no verdict"
    if a.recommendation.leans_to_pass:
        return "leans to pass"
    return "passed" if a.recommendation.control or a.recommendation.rung else "not passed"


def _scored(name: str, score: Estimate) -> dict[str, float | None]:
    if score.n == 0:
        return {}
    return {
        name: score.mean,
        f"{name}_low": score.low,
        f"{name}_high": score.high,
        f"{name.removesuffix('score')}n": float(score.n),
    }


def _finite(found: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None and isfinite(value)}
