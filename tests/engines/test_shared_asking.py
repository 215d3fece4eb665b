"""Two climbs of one task at the same time: real processes against a real server."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from faulty_server import FaultyServer, Step

from ladder.files import digest_of

WORDS = [digest_of(at)[:40] for at in range(160)]
ROWS = [
    {"input": " ".join(word[i : i + 5] for i in range(0, 40, 5)), "target": word[:5]}
    for word in WORDS
]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer([Step(delay_s=0.04)]) as running:
        yield running


def task_at(folder: Path, url: str) -> Path:
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "task.yaml").write_text(
        "name: shop\ngoal: Say how many loaves.\ndata: {examples: rows.jsonl}\n"
        f"score: contains\ngate: {{min_score: 0.3}}\nrungs: [prompt]\n"
        f"models: {{base: 'openai:any@{url}'}}\n"
    )
    return folder / "task.yaml"


def climb(task: Path, runs: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ladder", "assess", str(task), "--runs", str(runs), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def asked(server: FaultyServer) -> list[str]:
    """What was asked to be answered; what was asked to be timed is sent anew."""
    untimed = [request.payload for request in server.seen if not request.payload.get("stream")]
    return [json.dumps(payload, sort_keys=True) for payload in untimed]


def ended(process: subprocess.Popen[bytes]) -> dict[str, object]:
    said, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 1), errors.decode()
    found: dict[str, object] = json.loads(said)
    return found


def test_two_climbs_at_once_ask_nothing_twice(server, tmp_path):
    task, runs = task_at(tmp_path / "task", server.url), tmp_path / "runs"
    first, second = climb(task, runs), climb(task, runs)
    one, other = ended(first), ended(second)
    assert len(asked(server)) > 100
    assert len(asked(server)) == len(set(asked(server)))
    assert one["recommendation"]["rung"] == other["recommendation"]["rung"]
    assert (
        one["attempts"][0]["measurement"]["score"] == other["attempts"][0]["measurement"]["score"]
    )
    assert not list(runs.glob(".*.alive"))
    with sqlite3.connect(runs / "completions.sqlite") as base:
        assert base.execute("SELECT count(*) FROM claims").fetchone() == (0,)


def test_what_a_killed_climb_was_asking_is_asked_by_the_other(server, tmp_path):
    task, runs = task_at(tmp_path / "task", server.url), tmp_path / "runs"
    first = climb(task, runs)
    while len(server.seen) < 30:
        time.sleep(0.02)
        assert first.poll() is None
    second = climb(task, runs)
    time.sleep(1.5)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    before = set(asked(server))
    ended(second)
    assert len(asked(server)) - len(set(asked(server))) <= 8  # what was under way
    assert set(asked(server)) > before
