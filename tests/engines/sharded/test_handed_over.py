"""What is handed over runs: a RayJob's command on a cluster, SkyPilot's script as two machines."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from engines.sharded.clusters import cluster_of_three
from engines.sharded.tasks import small_feedback

from ladder.commands.hand_over import Wish, make_work
from ladder.lifecycle.handover import TARGETS
from ladder.task import load_task

pytest.importorskip("ray", reason="Ray is not installed: pip install 'escalation-ladder[ray]'")
pytestmark = pytest.mark.long
LIMIT_S = 1200
IMAGE = f"registry.example/ladder@sha256:{'0f' * 32}"
MORE = "rules: {data_may_leave: true}\nexecution: {workers: 1, cpus: 1}\n"


def _written(folder: Path, to: str) -> dict:
    """Return what hands a task over, with a folder here in place of the volume."""
    work = make_work(load_task(small_feedback(folder, MORE)), Wish(IMAGE), to)
    [text] = TARGETS[to](work).values()
    assert "/ladder/task.yaml" in text
    return yaml.safe_load(text.replace(" /ladder/", f" {folder}/"))


def _environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **more}


def _record(folder: Path) -> dict:
    [path] = folder.glob("runs/*/*/assessment.json")
    return json.loads(path.read_text())


def test_the_command_of_a_ray_job_assesses_on_its_cluster(tmp_path):
    manifest = _written(tmp_path, "rayjob")
    cluster_spec = manifest["spec"]["rayClusterSpec"]
    [container] = cluster_spec["headGroupSpec"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"]}
    with cluster_of_three() as cluster:
        done = subprocess.run(
            manifest["spec"]["entrypoint"],
            shell=True,  # as Ray's job supervisor starts it
            env=_environment(**told, RAY_ADDRESS=cluster.address),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    record = _record(tmp_path)
    assert record["cluster"]["chunks"] > 0
    assert record["cluster"]["workers_lost"] == 0
    assert record["recommendation"]["rung"] == "prompt"


def test_the_script_of_a_sky_task_assesses_on_its_own_cluster(tmp_path):
    task = _written(tmp_path, "skypilot")
    assert task["num_nodes"] == 2
    told = {
        **task["envs"],
        **dict.fromkeys(task["secrets"], secrets.token_hex(32)),
        "SKYPILOT_NODE_IPS": "127.0.0.2\n127.0.0.2",  # one machine is both
        "PYTHONPATH": f"{Path(__file__).parent / 'quick'}:{ROOT}",
    }
    machines = [
        subprocess.Popen(
            ["bash", "-c", task["run"]],
            env=_environment(**told) | told | {"SKYPILOT_NODE_RANK": str(rank)},
            cwd=tmp_path,
            stdout=(tmp_path / f"said{rank}").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for rank in range(2)
    ]
    try:
        codes = [each.wait(timeout=LIMIT_S) for each in machines]
    finally:
        for each in machines:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGTERM)
    said = "".join((tmp_path / f"said{rank}").read_text()[-2000:] for rank in range(2))
    assert codes == [0, 0], said
    assert _record(tmp_path)["cluster"]["chunks"] > 0
    ends = time.monotonic() + 60
    while (left := _left(machines)) and time.monotonic() < ends:
        time.sleep(0.5)
    assert not left, "its own Ray ends with it"


def _left(machines) -> list[str]:
    """Return what is still in the session of a machine of its Ray and of its answers.

    Ray's agents are left out: they see after a while that they are alone, and end.
    """
    found = subprocess.run(
        ["ps", "-o", "args=", "-s", ",".join(str(each.pid) for each in machines)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in found.stdout.splitlines() if "Agent" not in line]
