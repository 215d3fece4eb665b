"""Trainings on a real Ray cluster: beside each other, begun again where a worker dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from engines.sharded.clusters import cluster_of_three
from students import task_in, write_model

from ladder.climb.opening import open_bench
from ladder.commands.sweep import lines, sweep
from ladder.commands.train import prepare
from ladder.engines.passport import read_passport
from ladder.engines.sharded import Place
from ladder.errors import TrainingError
from ladder.evidence import Build
from ladder.progress import Quiet
from ladder.training.elsewhere import LOSSES, Elsewhere
from ladder.training.launch import train, training_missing
from ladder.training.recipes import read_recipe

pytest.importorskip("ray", reason="Ray is not installed: pip install 'escalation-ladder[ray]'")
pytestmark = pytest.mark.skipif(
    training_missing() is not None, reason="the training libraries are not installed"
)
LIMIT_S = 300
ROWS = [{"prompt": "é?", "completion": " a"}]
PROGRAM = """\
import json, os, pathlib, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(words["--output_dir"])
with (folder / "starts").open("a") as file:
    file.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\\n")
until = time.monotonic() + 200
while not (folder / "go").exists() and time.monotonic() < until:
    time.sleep(0.02)
record = {"seconds": 2.5, "tokens": 7, "peak_memory_mb": 10, "peak_gpu_memory_mb": 30}
(folder / "training.json").write_text(json.dumps(record))
"""
"""It trains nothing, and waits for a file."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of_three() as made:
        yield made


@pytest.fixture
def elsewhere(cluster: Any) -> Iterator[Elsewhere]:
    made = Elsewhere(Place(cluster.address, cpus=1), said.append, _nothing_to_fetch)
    made.open()
    yield made
    made.close()
    said.clear()


said: list[str] = []


def _nothing_to_fetch() -> None:
    """All folders are there."""


class Launch:
    """A training of the waiting program, in a thread as a sweep has it."""

    def __init__(self, elsewhere: Elsewhere, folder: Path) -> None:
        copied = folder / "copied"
        copied.mkdir()
        (copied / "mine.yaml").write_text("learning_rate: 1e-4\n")
        (copied / "sft.py").write_text(PROGRAM)
        (folder / "base").mkdir()
        (folder / "base" / "config.json").write_text("{}")
        self.made = folder / "made"
        self.build: Build | None = None
        self.error = ""

        def run() -> None:
            recipe = read_recipe(copied / "mine.yaml", own=True)
            try:
                self.build = train(
                    recipe, folder / "base", ROWS, self.made, Quiet(), start=elsewhere.start
                )
            except TrainingError as error:
                self.error = str(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def starts(self) -> list[list[str]]:
        found = list(self.made.glob("*/starts"))
        return [line.split() for path in found for line in path.read_text().splitlines()]

    def wait_for_starts(self, many: int) -> list[list[str]]:
        wait_until(lambda: len(self.starts()) >= many or not self.thread.is_alive())
        assert len(self.starts()) == many, self.error
        return self.starts()

    def go(self) -> None:
        next(self.made.glob("*/starts")).with_name("go").touch()
        self.thread.join(LIMIT_S)


def wait_until(there: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT_S
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.05)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.slow
def test_a_training_whose_worker_dies_is_begun_again_and_never_runs_twice_at_once(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    launch = Launch(elsewhere, tmp_path)
    [[first, told]] = launch.wait_for_starts(1)
    assert told == "1", "as many threads as cores that it was given"
    worker = parent_of(int(first))
    assert worker != os.getpid()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not runs(int(first)))
    launch.wait_for_starts(2)
    launch.go()
    assert launch.build is not None, launch.error
    assert launch.build.train_tokens == 7
    assert elsewhere.counts.workers_lost == 1
    assert sum(elsewhere.counts.machines.values()) == 2
    assert "its training goes on elsewhere" in said[0]
    [log] = launch.made.glob("*/train.log")
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.long
def test_a_training_that_takes_its_workers_with_it_has_failed(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    launch = Launch(elsewhere, tmp_path)
    for number in range(1, LOSSES + 2):
        started = launch.wait_for_starts(number)
        os.kill(parent_of(int(started[-1][0])), signal.SIGKILL)
    launch.thread.join(LIMIT_S)
    assert f"{LOSSES + 1} workers died on this training" in launch.error
    assert "train.log" in launch.error


@pytest.mark.long
def test_what_is_stopped_ends_its_programs(elsewhere: Elsewhere, tmp_path: Path) -> None:
    launch = Launch(elsewhere, tmp_path)
    [[pid, _]] = launch.wait_for_starts(1)
    elsewhere.stop()
    launch.thread.join(LIMIT_S)
    assert "stopped" in launch.error
    wait_until(lambda: not runs(int(pid)))


@pytest.mark.long
def test_a_sweep_leaves_what_the_same_trainings_leave_here(
    cluster: Any, tmp_path: Path, smollm: Path
) -> None:
    write_model(smollm, tmp_path / "base", 2)
    task = task_in(
        tmp_path, models={"base": "hf:base"}, execution={"cpus": 1}, rules={"data_may_leave": True}
    )
    few = {"max_steps": "6", "bf16": "false", "logging_steps": "1"}
    here = sweep(["lora"], [0, 1], task, tmp_path / "here", Quiet(), few)
    there = sweep(["lora"], [0, 1], task.on_ray(cluster.address), tmp_path / "there", Quiet(), few)
    assert here.machines == {}
    assert sum(there.machines.values()) == 2
    assert [one.error for one in (*here.trained, *there.trained)] == [""] * 4
    artefacts = [
        [Path(str(one.build and one.build.folder)) for one in found.trained]
        for found in (here, there)
    ]
    assert [each.name for each in artefacts[0]] == [each.name for each in artefacts[1]]
    assert artefacts[0][0].name != artefacts[0][1].name, "two seeds are two trainings"
    for one, other in zip(*artefacts, strict=True):
        passports = [read_passport(each) for each in (one, other)]
        assert passports[0]
        assert passports[1]
        assert passports[0].parts["weights"] == passports[1].parts["weights"], "to the bit"
    scores = [one.dev_score for one in here.trained]
    assert scores == [one.dev_score for one in there.trained]
    assert None not in scores
    told = "\n".join(lines(there))
    assert "lora, seed 0: dev " in told
    assert "best of 2 on" in told
    assert "started on the cluster: " in told
    json.dumps(there.as_record())


@pytest.mark.long
def test_a_teacher_of_this_machine_labels_on_the_cluster(
    cluster: Any, tmp_path: Path, smollm: Path
) -> None:
    write_model(smollm, tmp_path / "teacher", 2)
    models = {"base": "hf:teacher", "teacher": "hf:teacher"}
    more = {"execution": {"cpus": 1}, "rules": {"data_may_leave": True}}
    task = task_in(tmp_path, models=models, **more)
    labelled = []
    for name, where in (("here", task), ("there", task.on_ray(cluster.address))):
        bench = open_bench(where, tmp_path / name, Quiet())
        labelled.append(list(prepare(bench, "student_label", {}).rows))
        told = bench.evaluator.models.cluster
        assert (told.chunks > 0 if told else False) == (name == "there")
        bench.evaluator.models.close()
    assert labelled[0] == labelled[1]
    assert len(labelled[0]) > 20


@pytest.mark.long
def test_a_sweep_that_is_interrupted_leaves_no_program_and_goes_on(
    cluster: Any, tmp_path: Path, smollm: Path
) -> None:
    write_model(smollm, tmp_path / "base", 2)
    task_in(tmp_path, models={"base": "hf:base"}, execution={"cpus": 1})
    (tmp_path / "sft.py").write_text(PROGRAM)
    (tmp_path / "mine.yaml").write_text("learning_rate: 1e-4\n")
    words = ["train", tmp_path / "mine.yaml", "--task", tmp_path / "task.yaml", "--seeds", "0,1"]
    words += ["--ray", cluster.address, "--runs", tmp_path / "runs"]
    run = subprocess.Popen(
        [sys.executable, "-P", "-m", "ladder", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(
        lambda: len(list(tmp_path.glob("runs/artefacts/*/starts"))) == 2 or run.poll() is not None
    )
    run.send_signal(signal.SIGINT)
    printed, _ = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130, printed
    pids = [int(path.read_text().split()[0]) for path in tmp_path.glob("runs/artefacts/*/starts")]
    assert len(pids) == 2, printed
    wait_until(lambda: not any(map(runs, pids)))
