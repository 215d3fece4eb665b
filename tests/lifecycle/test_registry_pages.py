"""The commands of the runbooks about the registry run, in one folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ROOT
from test_docs import assert_ran, run_pages


@pytest.mark.long
def test_the_commands_of_rollback_and_deprecate_run(tmp_path: Path, smollm: Path) -> None:
    done = run_pages(
        [ROOT / "runbooks" / f"{name}.md" for name in ("rollback", "deprecate")], tmp_path
    )
    assert_ran(done)
    lines = (tmp_path / "runs/registry.jsonl").read_text().splitlines()
    found = [(entry["kind"], entry["name"]) for entry in map(json.loads, lines)]
    assert found == [
        ("promoted", "r1-guest-feedback"), ("promoted", "guests"), ("announced", "guests"),
    ]  # fmt: skip
    assert "ENDS 2099-03-31" in done.stdout
