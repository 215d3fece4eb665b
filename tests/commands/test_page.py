"""report.html beside a run: written by `ladder report`, for old runs as well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from assessments import estimate
from conftest import ROOT

from ladder.commands.page import next_check, write_page
from ladder.evidence import Baseline, RevalidationPlan
from ladder.report.headline import NextCheck
from ladder.report.reading import read_assessment
from ladder.report.samples import SIBLING

OLDER = ROOT / "tests" / "report" / "older"


def old_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(OLDER / "assessment.json", folder)
    return folder


@pytest.mark.slow
def test_an_old_run_gains_its_page(ladder, tmp_path):
    run = old_run(tmp_path / "runs" / "r2" / "old")
    said = ladder("report", run)
    assert said.code == 0
    assert f"page   {run / 'report.html'}" in said.out.replace("\n", "")
    page = (run / "report.html").read_text()
    assert "rag passes" in page
    assert 'id="samples"' not in page


def test_the_next_check_is_the_plan_s_first_day(tmp_path):
    run = old_run(tmp_path / "run")
    found, _ = read_assessment(run)
    assert found.plan
    assert next_check(run, found) is None, "the plan was moved away"
    (run / "revalidation.yaml").write_text("no plan")
    assert next_check(run, found) is None
    plan = RevalidationPlan(
        task="task.yaml", data_root=None, created=found.created, gate={}, pinned={}, every_days=91,
        baseline=Baseline(gate_rows=estimate(0.9), sealed_rows=None, cost_usd_per_1k=None,
                          latency_ms=None, hardware={}),
        control="majority", due=("2027-02-27", "2027-05-29"), triggers=("it \u202echanges",),
        command="ladder revalidate revalidation.yaml",
    )  # fmt: skip
    (run / "revalidation.yaml").write_text(yaml.safe_dump(plan.model_dump(mode="json")))
    assert next_check(run, found) == NextCheck("2027-02-27", 91, ("it \\u202echanges",))


def test_a_page_that_cannot_be_written_is_told_and_the_run_is_shown(ladder, tmp_path):
    run = old_run(tmp_path / "run")
    (run / "prompt").mkdir()
    (run / "prompt" / "samples.jsonl").write_text("damaged\n")
    said = ladder("report", run)
    assert said.code == 0
    assert "Answer: rag" in said.out
    assert "samples.jsonl:1" in said.errors
    assert not (run / "report.html").exists()
    assert "page " not in said.out


def test_markdown_alone_writes_nothing(ladder, tmp_path):
    run = old_run(tmp_path / "run")
    assert ladder("report", run, "--markdown").code == 0
    assert not (run / "report.html").exists()


@pytest.mark.slow
def test_a_file_of_samples_of_before_does_not_stay(tmp_path):
    run = old_run(tmp_path / "run")
    (run / "prompt").mkdir()
    row = {"answer": "x" * 300, "target": "y", "score": 0, "error": None}
    lines = [json.dumps({"id": f"q-{at}", **row}) + "\n" for at in range(10_000)]
    (run / "prompt" / "samples.jsonl").write_text("".join(lines))
    found, _ = read_assessment(run)
    write_page(run, found)
    assert (run / SIBLING).is_file()
    (run / "prompt" / "samples.jsonl").write_text(lines[0])
    write_page(run, found)
    assert not (run / SIBLING).exists()
