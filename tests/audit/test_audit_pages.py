"""The commands of the runbook about audits run, in one folder, on a task that needs no model."""

from __future__ import annotations

import pytest
from conftest import ROOT
from test_docs import assert_ran, run_pages


@pytest.mark.slow
def test_the_commands_of_the_audit_run(tmp_path):
    done = run_pages([ROOT / "runbooks/audit.md"], tmp_path)
    assert_ran(done)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("holds: "), last
    assert "they existed no later than" in " ".join(done.stdout.split())
