"""A Ray cluster that cannot be had is refused before anything is read."""

from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError
from small_tasks import write_task

from ladder.climb import preflight
from ladder.evidence import Cluster
from ladder.report.cluster import cluster_line
from ladder.task import load_task


def _problems(tmp_path, **fields):
    def row(name, number):
        return {"input": f"{name} {number}", "target": "yes" if number % 2 else "no"}

    path = write_task(tmp_path, row, 8, 8, score="exact_match", **fields)
    found = preflight.preflight(load_task(path))
    return [str(problem) for problem in found if "execution" in problem.where]


def test_a_cluster_on_this_machine_is_taken(tmp_path):
    execution = {"engine": "ray", "address": "127.0.0.2:6379"}
    assert _problems(tmp_path, execution=execution) == []


def test_rows_go_to_no_other_machine_unless_the_task_lets_them(tmp_path):
    execution = {"engine": "ray", "address": "10.0.0.5:6379"}
    [said] = _problems(tmp_path, execution=execution)
    assert "execution.address: got 10.0.0.5, wanted this machine (loopback)" in said
    assert "data_may_leave: true" in said
    assert _problems(tmp_path, execution=execution, rules={"data_may_leave": True}) == []


def test_auto_without_an_address_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    [said] = _problems(tmp_path, execution={"engine": "ray"})
    assert "no Ray cluster is named" in said


def test_code_of_a_models_own_is_not_run_on_machines_that_nobody_has_looked_at(tmp_path):
    execution = {"engine": "ray", "address": "127.0.0.2:6379"}
    own = {"models": {"base": "hf:./mine"}, "rules": {"remote_code": ["hf:./mine"]}}
    (tmp_path / "mine").mkdir()
    [said] = _problems(tmp_path, execution=execution, **own)
    assert "consent is for the code on this machine" in said


def test_without_ray_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    [said] = _problems(tmp_path, execution={"engine": "ray", "address": "127.0.0.2:6379"})
    assert 'pip install "escalation-ladder[ray]"' in said


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:x"])
def test_an_address_that_is_none_is_refused(tmp_path, address, ladder):
    task = load_task(
        write_task(tmp_path, lambda name, at: {"input": f"{name}{at}", "target": "a"}, 4, 4,
                   score="exact_match")
    )  # fmt: skip
    with pytest.raises(ValidationError, match="HOST:PORT"):
        task.on_ray(address)
    done = ladder("assess", tmp_path / "task.yaml", "--ray", address)
    assert done.code == 2
    assert "wanted HOST:PORT, or auto" in done.errors


def test_what_died_on_the_way_is_said():
    found = Cluster(
        address="10.0.0.5:6379", machines={"b": 1, "a": 2}, chunks=9, workers_lost=2, given_up=1
    )
    assert cluster_line(found) == (
        "Answered on the Ray cluster at 10.0.0.5:6379, workers that answered: a 2, b 1; 2 of them "
        "died, and what they had in hand was asked anew; requests that failed, two workers having "
        "died on each: 1"
    )


def test_a_cluster_that_does_not_answer_is_told_before_anything_is_measured(tmp_path, ladder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        write_task(tmp_path, lambda name, at: {"input": f"{name}{at}", "target": "a"}, 4, 4,
                   score="exact_match", rules={"data_may_leave": True})  # fmt: skip
        runs = tmp_path / "runs"
        done = ladder("assess", tmp_path / "task.yaml", "--ray", address, "--runs", runs)
    assert done.code == 2
    assert f"no Ray cluster answers at {address}" in done.errors
    assert not runs.exists()
