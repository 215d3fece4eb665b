"""A worker, a machine or the driver is killed: nothing is lost, nothing answered twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT
from engines.sharded.clusters import add_node, cluster_of_three

pytest.importorskip("ray", reason="Ray is not installed: pip install 'escalation-ladder[ray]'")
LIMIT_S = 240
TEXTS = [f"text {number:02}" for number in range(24)]


@pytest.fixture(scope="module")
def cluster():
    with cluster_of_three() as made:
        yield made


class Drive:
    """A driver in a process of its own, and what the workers have written down."""

    def __init__(self, cluster, folder, texts=TEXTS, seconds=0.05, **more):
        self.log = folder / "log.jsonl"
        self.cache = folder / "completions.sqlite"
        order = {
            "address": cluster.address,
            "cache": str(self.cache),
            "log": str(self.log),
            "texts": texts,
            "seconds": seconds,
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engines.sharded.driver", json.dumps(order)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        )

    def lines(self, what):
        if not self.log.exists():
            return []
        rows = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [(pid, node, texts) for said, pid, node, texts in rows if said == what]

    def wait_for(self, what, many):
        ends = time.monotonic() + LIMIT_S
        while len(self.lines(what)) < many:
            assert self.process.poll() is None, self.process.stderr.read()[-2000:]
            assert time.monotonic() < ends, f"{what}: {len(self.lines(what))} of {many}"
            time.sleep(0.02)
        return self.lines(what)

    def ended(self):
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0, err[-2000:]
        [line] = out.splitlines()  # Ray says nothing there
        return json.loads(line)


def _texts(found):
    return {at: answer["text"] for at, answer in found["answers"]}


def _whole(found, texts=TEXTS):
    """Each request has one answer, and its own."""
    assert found["error"] == ""
    assert max(Counter(at for at, _ in found["answers"]).values()) == 1
    assert _texts(found) == {at: text.upper() for at, text in enumerate(texts)}


def _finished(drive):
    """Return how often each text was answered to the end by a worker."""
    return Counter(text for _, _, texts in drive.lines("done") for text in texts)


@pytest.mark.long
def test_one_worker_and_two_are_asked_the_same_chunks(cluster, tmp_path):
    chunks = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        drive = Drive(cluster, folder, place={"workers": workers})
        found = drive.ended()
        _whole(found)
        assert len({pid for pid, _, _ in drive.lines("done")}) == workers
        chunks.append(sorted(texts for _, _, texts in drive.lines("begun")))
        assert set(_finished(drive).values()) == {1}
    assert chunks[0] == chunks[1]


@pytest.mark.slow
def test_a_worker_that_is_killed_in_a_chunk_loses_that_chunk_alone(cluster, tmp_path):
    drive = Drive(cluster, tmp_path, seconds=0.3)
    pid, _, lost = drive.wait_for("begun", 3)[-1]
    os.kill(pid, signal.SIGKILL)
    found = drive.ended()
    _whole(found)
    assert set(_finished(drive).values()) == {1}, "answered twice"
    begun = Counter(text for _, _, texts in drive.lines("begun") for text in texts)
    assert {text for text, times in begun.items() if times > 1} <= set(lost)
    assert found["counts"]["workers_lost"] == 1
    assert "requests that are asked anew: 4" in found["said"][0]


@pytest.mark.long
def test_a_machine_that_goes_away_in_a_call_loses_what_it_had_alone(cluster, tmp_path):
    drive = Drive(cluster, tmp_path, seconds=0.3)
    _, gone, _ = drive.wait_for("begun", 3)[-1]
    node = next(each for each in cluster.worker_nodes if each.node_id == gone)
    cluster.remove_node(node, allow_graceful=False)
    try:
        found = drive.ended()
    finally:
        add_node(cluster)
    _whole(found)
    assert set(_finished(drive).values()) == {1}, "answered twice"
    # Until Ray knows that the machine is gone it may place one more worker there, which dies too.
    assert found["counts"]["workers_lost"] in (1, 2)


@pytest.mark.long
def test_a_driver_that_is_killed_is_begun_again_and_asks_nothing_twice(cluster, tmp_path):
    drive = Drive(cluster, tmp_path, seconds=0.3)
    drive.wait_for("done", 3)
    drive.process.send_signal(signal.SIGKILL)
    drive.process.wait()
    before = drive.lines("begun")
    for pid in {pid for pid, _, _ in before}:
        _wait_for_the_end_of(pid)
    in_flight = {text for _, _, texts in drive.lines("begun") for text in texts}
    in_flight -= set(_finished(drive))
    again = Drive(cluster, tmp_path)
    found = again.ended()
    _whole(found)
    kept = {TEXTS[at] for at, answer in found["answers"] if answer["cached"]}
    asked = {text for _, _, texts in again.lines("begun")[len(before) :] for text in texts}
    assert len(kept) >= 8
    assert not kept & asked, "paid twice"
    assert kept | asked == set(TEXTS)
    # What a worker had answered and the driver had not taken yet is the most that comes again.
    assert {text for text, times in _finished(again).items() if times > 1} <= asked


@pytest.mark.long
def test_what_kills_its_workers_is_an_error_and_the_rest_is_answered(cluster, tmp_path):
    texts = [*TEXTS[:9], "text 04 deadly", "text 08 vast"]
    drive = Drive(cluster, tmp_path, texts)
    found = drive.ended()
    answers = dict(found["answers"])
    assert found["error"] == ""
    assert {at: answers[at]["text"] for at in range(9)} == {
        at: text.upper() for at, text in enumerate(texts[:9])
    }
    for at, why in ((9, ""), (10, "out of memory")):
        assert answers[at]["text"] == ""
        assert answers[at]["kind"] == "worker died"
        assert why in answers[at]["error"]
    assert found["counts"]["given_up"] == 2
    assert set(_finished(drive).values()) == {1}
    # Two of a whole chunk, then of its half, then of the request alone.
    assert found["counts"]["workers_lost"] <= 2 * 2 * 3


@pytest.mark.long
def test_a_worker_whose_model_is_another_is_refused_before_it_is_asked(cluster, tmp_path):
    drive = Drive(cluster, tmp_path, weights="another")
    found = drive.ended()
    assert (
        "would not answer as this machine does: weights another (here counting)" in (found["error"])
    )
    assert found["answers"] == []
    assert drive.lines("begun") == []


@pytest.mark.long
def test_a_cluster_without_room_for_a_worker_is_told_and_not_waited_for_without_end(
    cluster, tmp_path
):
    drive = Drive(cluster, tmp_path, place={"gpus": 1, "patience_s": 3.0})
    found = drive.ended()
    assert "no worker could start" in found["error"]
    assert "each wants 1 CPU and 1 GPU on one machine" in found["error"]


def _wait_for_the_end_of(pid):
    ends = time.monotonic() + LIMIT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists(), "the workers of a driver that is gone stay"
