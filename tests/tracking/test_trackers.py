"""The trackers themselves, each where it is installed: what they keep is on this machine."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from assessments import assessment
from benches import task_with

from ladder.progress import Quiet
from ladder.tracking import TRACKERS
from ladder.tracking.reporting import reporting
from ladder.tracking.values import as_ended

pytestmark = pytest.mark.slow  # each starts a process that loads a large library


class Heard(Quiet):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_")):
            monkeypatch.delenv(name)


def reported(name: str, tmp_path: Path) -> list[str]:
    """Report the same assessment twice: two runs of one task."""
    for library in TRACKERS[name].LIBRARIES:
        install = f'pip install "escalation-ladder[{TRACKERS[name].EXTRA}]"'
        pytest.importorskip(library, reason=f"{library} is not installed: {install}")
    task, heard, found = task_with(report_to=name), Heard(), assessment()
    runs = tmp_path / "runs of #1 ?x=1%20"
    for run in ("one", "two"):
        folder = runs / "asked" / run
        folder.mkdir(parents=True)
        (folder / "assessment.json").write_text(found.model_dump_json())
        with reporting(task, {"test": "ab12"}, runs, folder, heard) as trackers:
            for attempt in found.attempts:
                trackers.rung(attempt)
            trackers.end(as_ended(found, "Answer: lora.", [folder / "assessment.json"]))
    return heard.lines


def test_mlflow_keeps_runs_in_a_database(tmp_path: Path) -> None:
    first, second = reported("mlflow", tmp_path)
    assert first == second
    assert "mlflow ui --backend-store-uri" in first
    kept = tmp_path / "runs of #1 ?x=1%20/tracking"
    with sqlite3.connect(kept / "mlflow.db") as db:
        runs = db.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
        metrics = db.execute("SELECT key, value, step FROM metrics").fetchall()
        params = dict(db.execute("SELECT key, value FROM params").fetchall())
        tags = dict(db.execute("SELECT key, value FROM tags").fetchall())
    assert runs == [("one", "FINISHED"), ("two", "FINISHED")]
    assert ("lora/score", 0.85, 3) in metrics
    assert ("test/score", 0.84, 0) in metrics
    assert params["data.test"] == "ab12"
    assert (tags["verdict"], tags["lora/verdict"]) == ("passed", "passed")
    assert len(list((kept / "mlartifacts").rglob("assessment.json"))) == 2


def test_wandb_keeps_runs_offline(tmp_path: Path) -> None:
    first, _ = reported("wandb", tmp_path)
    assert "wandb sync" in first
    kept = tmp_path / "runs of #1 ?x=1%20/tracking/wandb"
    records = [path.read_bytes() for path in kept.glob("offline-run-*/run-*.wandb")]
    assert len(records) == 2
    for record in records:
        for word in (b"lora/score", b"test/score", b"ab12", b"Answer: lora."):
            assert word in record, word
    files = list(kept.glob("offline-run-*/files/assessment.json"))
    assert len(files) == 2
    assert not any(file.is_symlink() for file in files), "a run may be moved or removed"


def test_trackio_keeps_runs_in_a_store(tmp_path: Path) -> None:
    first, _ = reported("trackio", tmp_path)
    assert "trackio show" in first
    kept = tmp_path / "runs of #1 ?x=1%20/tracking/trackio"
    with sqlite3.connect(kept / "asked.db") as db:
        rows = db.execute("SELECT run_name, step, metrics FROM metrics").fetchall()
        configs = db.execute("SELECT config FROM configs").fetchall()
    assert {row[0] for row in rows} == {"one", "two"}
    said = " ".join(str(row[2]) for row in rows)
    for word in ("lora/score", "lora/verdict", "test/score", "Answer: lora."):
        assert word in said, word
    assert len(configs) == 2
    assert all("ab12" in bytes(config[0]).decode() for config in configs)
    assert any(path.is_file() for path in (kept / "artifacts").rglob("*"))


@pytest.mark.long
@pytest.mark.parametrize("name", ["mlflow"])
def test_a_database_that_cannot_be_written_is_a_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "runs of #1 ?x=1%20/tracking/mlflow.db").mkdir(parents=True)
    lines = reported(name, tmp_path)
    assert len(lines) == 2
    assert all(line.startswith(f"warning: {name} takes no more of this run") for line in lines)
