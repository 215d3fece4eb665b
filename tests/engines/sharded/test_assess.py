"""`ladder assess --ray` on a real cluster decides as on one machine, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, ladder
from engines.sharded.clusters import add_node, cluster_of_three
from engines.sharded.tasks import small_feedback

pytest.importorskip("ray", reason="Ray is not installed: pip install 'escalation-ladder[ray]'")
pytestmark = pytest.mark.long
LIMIT_S = 1200
OF_TIME = frozenset(
    {
        *("created", "seconds", "seconds_per_call", "latency_ms", "build_seconds", "service_s"),
        *("cost_usd_per_1k", "cost_busy_usd_per_1k", "cost_error_usd_per_1k", "cost_basis"),
        *(
            "requests_per_second",
            "economics",
            "source",
            "hardware",
            "sizing",
            "available_mb",
            "cluster",
        ),
    }
)
"""What a record says of times, of what they cost, and of the machine."""


@pytest.fixture
def task(tmp_path):
    return small_feedback(tmp_path)


def test_a_worker_and_a_machine_that_die_change_nothing_in_the_assessment(task, tmp_path):
    here = ladder("assess", task, "--runs", tmp_path / "here", OMP_NUM_THREADS="1")
    assert here.returncode == 0, here.stderr[-2000:]
    with cluster_of_three() as cluster:
        words = ["assess", str(task), "--runs", str(tmp_path / "there"), "--ray", cluster.address]
        with (tmp_path / "said").open("w") as said:
            run = subprocess.Popen(
                [sys.executable, "-m", "ladder", *words],
                stdout=said,
                stderr=said,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                cwd=ROOT,
            )
        _wait_for_answers(run, tmp_path, 20)
        os.kill(_a_worker(cluster), signal.SIGKILL)
        _wait_for_answers(run, tmp_path, 90)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        add_node(cluster)
        assert run.wait(LIMIT_S) == 0, _said(tmp_path)
    one, other = _record(tmp_path / "here"), _record(tmp_path / "there")
    assert _without_times(one) == _without_times(other)
    asked = [record["effort"]["asked"] for record in (one, other)]
    assert [each["calls"] for each in asked] == [asked[0]["calls"]] * 2, "something was paid twice"
    assert asked[1]["errors"] == {}
    assert one["cluster"] is None
    # The machine that goes away may have had no worker: one answers all where it is fast enough.
    assert 1 <= other["cluster"]["workers_lost"] <= 2
    assert other["cluster"]["given_up"] == 0
    lost = other["cluster"]["workers_lost"]
    assert f"{lost} of them died, and what they had in hand" in " ".join(_said(tmp_path).split())


def _said(folder):
    return (folder / "said").read_text()


def _record(runs):
    [path] = runs.glob("*/*/assessment.json")
    return json.loads(path.read_text())


def _without_times(value):
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items() if key not in OF_TIME}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _wait_for_answers(run, folder, many):
    ends, found = time.monotonic() + LIMIT_S, 0
    while found < many:
        assert run.poll() is None, _said(folder)
        assert time.monotonic() < ends, _said(folder)
        with suppress(sqlite3.Error):
            base = sqlite3.connect(f"file:{folder}/there/completions.sqlite?mode=ro", uri=True)
            query = "SELECT count(*) FROM kept WHERE value LIKE '%choice_logprobs%'"
            found = base.execute(query).fetchone()[0]
            base.close()
        time.sleep(0.05)


def _a_worker(cluster):
    """Return the process of a worker on one of the cluster's machines, a busy one if there is."""
    raylets = {
        str(each.process.pid)
        for node in cluster.worker_nodes
        for each in node.all_processes["raylet"]
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            name = (folder / "cmdline").read_text()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if name.startswith("ray::_Actor") and parent in raylets:
                found.append((".answer" in name, int(folder.name)))
    return max(found)[1]
