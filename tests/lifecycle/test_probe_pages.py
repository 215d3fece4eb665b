"""The commands of docs/probe.md and runbooks/drift.md, on the plan of a classifier."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from test_docs import assert_ran, run_pages

from ladder.lifecycle.probing import probes_so_far


@pytest.mark.slow
def test_the_commands_of_the_pages_run(folder: Path, plan_path: Path) -> None:
    assert_ran(run_pages([ROOT / "docs/probe.md"], plan_path.parent))
    (folder / "runs/my-task").symlink_to(folder / "runs/shop")
    shutil.copy(folder / "test.jsonl", folder / "recent.jsonl")
    done = run_pages([ROOT / "runbooks/drift.md"], folder)
    assert_ran(done)
    assert "The model is what it was." in done.stdout
    looks = probes_so_far(plan_path)
    assert [(look.probe, look.verdict) for look in looks] == [("digests", "same")] * 3
    assert len((plan_path.parent / "drift.jsonl").read_text().splitlines()) == 2


def test_a_classifier_that_changed_is_to_be_revalidated(
    folder: Path, plan_path: Path, ladder
) -> None:
    assert ladder("probe", plan_path).code == 0
    head = folder / "student/head.json"
    head.write_text(json.dumps(json.loads(head.read_text()), indent=7))
    said = ladder("probe", plan_path)
    assert said.code == 1
    assert "changed: model: head.json" in said.out
