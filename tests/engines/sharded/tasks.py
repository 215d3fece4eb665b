"""A small task for a cluster: r1 with fewer rows, a real model and real comments."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT


def small_feedback(folder: Path, more: str = "", test_rows: int = 48) -> Path:
    """Write the task and its rows into a folder; return the task file."""
    for name, rows in (("train", 40), ("test", test_rows)):
        lines = (ROOT / "evalsets" / "r1_guest_feedback" / f"{name}.jsonl").read_text().splitlines()
        (folder / f"{name}.jsonl").write_text("\n".join(lines[:rows]) + "\n")
    path = folder / "task.yaml"
    path.write_text(
        "name: small-feedback\n"
        "goal: Tell whether a hotel guest's comment is positive or negative.\n"
        "data: {train: train.jsonl, test: test.jsonl}\n"
        "answer: {type: label, labels: [positive, negative]}\n"
        "score: exact_match\n"
        "gate: {min_score: 0.6, when_control_passes: climb}\n"
        "rungs: [prompt]\n"
        "search: {prompt_calls: 0}\n"
        f"{more}"
    )
    return path
