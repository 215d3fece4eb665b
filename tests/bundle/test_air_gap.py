"""The runbook of a machine without a network, run: here with a registry, there without a route."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EVALSETS, ROOT, ladder
from small_tasks import write_task
from test_docs import bash_lines

from ladder.bundle.wheels import NO_WHEEL
from ladder.bundle.writing import LIST
from ladder.report.reading import read_assessment

GOOD, BAD = "lovely clean quiet warm friendly", "dirty noisy cold rude broken"
FEW = 4
"""Packages at most that a registry may fail to bring before the test says that there is none."""


def row(split: str, number: int) -> dict[str, str]:
    words = (GOOD if number % 2 else BAD).split()
    said = f"{words[number % 5]} and {words[(number // 5) % 5]}, {split} room {number}"
    return {"id": f"{split}{number}", "input": said, "target": "good" if number % 2 else "bad"}


def without_a_route(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a network namespace that has no interface but loopback, which is down."""
    own = ("PYTHONPATH", "VIRTUAL_ENV", "LADDER_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "bash", "-c", script],
        cwd=folder, capture_output=True, text=True, timeout=3500, check=False,
        env={**kept, "HOME": str(folder.with_name("home")), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def run_the_runbook(tmp_path: Path, task: Path, until: str = "") -> tuple[str, str]:
    """Run its blocks on a task, the first one here; return the answers of both sides."""
    if without_a_route("true", tmp_path).returncode != 0:
        pytest.skip("the kernel allows no network namespace here")
    here, there = tmp_path / "here", tmp_path / "another layout/of folders"
    here.mkdir()
    shutil.copytree(task.parent, here / "my-task")
    page = ROOT / "runbooks/air-gap.md"
    first, *others = [line.strip() for line in bash_lines(page) if line.strip()]
    assert first.split() == ["ladder", "bundle", "my-task/task.yaml", "carried"]
    done = ladder("bundle", here / "my-task/task.yaml", here / "carried")
    listed = json.loads((here / "carried" / LIST).read_text())["missing"]
    if (lacking := sum(each.startswith(NO_WHEEL) for each in listed)) > FEW:
        pytest.skip(f"no registry is reachable: {lacking} wheels are missing")
    assert done.returncode == 0, done.stdout + done.stderr
    there.parent.mkdir()
    (here / "carried").rename(there)
    assert others[0] == "cd carried"
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    lines = [line.replace("python3.11", python) for line in others[1:]]
    lines[-1] += until
    far = without_a_route("\n".join(["set -euo pipefail", *lines]), there)
    assert far.returncode == 0, far.stdout[-2000:] + far.stderr[-2000:]
    assert "It holds." in far.stdout
    [sha256] = re.findall(r"sha256 of its list: (\w+)", done.stdout)
    assert f"sha256 of its list: {sha256}" in far.stdout
    near = ladder("assess", task, *until.split(), "--runs", tmp_path / "runs")
    assert near.returncode == 0, near.stderr
    return _answer(tmp_path / "runs"), _answer(there / "runs")


def _answer(runs: Path) -> str:
    a, _ = read_assessment(runs)
    return a.model_dump_json(include={"recommendation": {"rung", "control", "confirmed"}})


@pytest.mark.slow
def test_the_runbook_gives_the_same_answer_without_a_network(tmp_path):
    """A task of labels that needs no language model: the base packages alone are carried."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task/answers.jsonl").write_text("")
    task = write_task(
        tmp_path / "task", row, 120, 240, answer={"type": "label", "labels": ["good", "bad"]},
        score="exact_match", models={"base": "replay:answers.jsonl"}, rungs=["prompt"],
        gate={"min_score": 0.8, "when_control_passes": "stop"},
    )  # fmt: skip
    near, far = run_the_runbook(tmp_path, task)
    assert '"control":true' in near
    assert far == near


@pytest.mark.long
def test_the_runbook_runs_with_the_bundled_model(tmp_path, smollm):
    """Torch, the trainers and both bundled models are carried: some 0.6 GB."""
    assert EVALSETS[0] == "r1_guest_feedback"
    task = ROOT / "evalsets" / EVALSETS[0] / "task.yaml"
    near, far = run_the_runbook(tmp_path, task, until=" --until prompt")
    assert '"rung":"prompt"' in near
    assert far == near
