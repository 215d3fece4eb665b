"""report_to: what trackers are told, where it may go, and that none of them changes a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assessments import assessment, attempt
from benches import saying, task_with
from conftest import ROOT, Said
from engines.faulty_server import FaultyServer, Seen
from pydantic import ValidationError
from small_tasks import write_task
from tracking import ledger

from ladder.climb.preflight import preflight
from ladder.evidence import Assessment
from ladder.progress import Quiet
from ladder.tracking import TRACKERS, reporting
from ladder.tracking.reporting import check_trackers, missing_extras
from ladder.tracking.values import as_ended, as_rung

NAMES = ("ledger", "none")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is a tracker: a module and a line; no variable of the user's own is set."""
    monkeypatch.setitem(TRACKERS, "ledger", ledger)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_", "LEDGER_")):
            monkeypatch.delenv(name)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with saying(echo) as running:
        yield running


def echo(request: Seen) -> str:
    return request.question


def row(part: str, number: int) -> dict[str, Any]:
    word = f"{part}{number:03}".translate(str.maketrans("0123456789", "abcdefghij"))
    return {"id": f"{part}-{number}", "input": f"say {word} once", "target": word}


def task_at(folder: Path, url: str, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    prices = {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0}
    fields = {"models": {"base": f"openai:any@{url}"}, "prices": prices, "rungs": ["prompt"]}
    return write_task(folder, row, 40, 120, score="contains", **{**fields, **more})


def lines_of(runs: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (runs / "tracking/ledger.jsonl").open()]


# What the task says


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("none", ()), (None, ()), ([], ()), (["none"], ()), ("mlflow", ("mlflow",)),
        (["mlflow", " wandb ", "mlflow"], ("mlflow", "wandb")),
    ],
)  # fmt: skip
def test_a_word_or_a_list_of_words(said: object, names: tuple[str, ...]) -> None:
    assert task_with().report_to == ()
    assert task_with(report_to=said).report_to == names


@pytest.mark.parametrize("said", [["none", "mlflow"], 3, {"mlflow": 1}, [3]])
def test_anything_else_is_refused(said: object) -> None:
    with pytest.raises(ValidationError, match="report_to"):
        task_with(report_to=said)


def test_a_tracker_that_there_is_not_is_told_with_those_that_there_are() -> None:
    [problem] = preflight(task_with(report_to=["mlflow", "tensorboard"]))
    assert problem.where.endswith(": report_to")
    assert problem.got == "`tensorboard`"
    assert all(name in problem.wanted for name in (*TRACKERS, "none"))


# Where it goes

LEAVES = [
    ("mlflow", {"MLFLOW_TRACKING_URI": "https://me:hidden-word@tracks.example:8443/x"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "databricks"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "databricks://profile"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "postgresql+psycopg://me:hidden-word@db.example/x"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "http://127.0.0.1.example:5000"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "file://host.example/share"}),
    ("wandb", {"WANDB_MODE": "online"}),
    ("wandb", {"WANDB_MODE": " Online ", "WANDB_BASE_URL": "https://wandb.example"}),
    ("wandb", {"WANDB_MODE": "shared"}),
    ("trackio", {"TRACKIO_SPACE_ID": "me/board"}),
    ("trackio", {"TRACKIO_SERVER_URL": "https://board.example/?write_token=hidden-word"}),
]
STAYS = [
    ("mlflow", {}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "http://localhost:5000"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "sqlite:////home/me/all.db"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "file:///home/me/mlruns"}),
    ("mlflow", {"MLFLOW_TRACKING_URI": "/home/me/mlruns"}),
    ("wandb", {"WANDB_BASE_URL": "https://wandb.example"}),
    ("wandb", {"WANDB_MODE": "offline", "WANDB_API_KEY": "a-key-of-some-length"}),
    ("wandb", {"WANDB_MODE": "disabled"}),
    ("wandb", {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://localhost:8080"}),
    ("trackio", {"TRACKIO_DIR": "/home/me/trackio"}),
    ("trackio", {"TRACKIO_SERVER_URL": "http://127.0.0.1:7860/?write_token=x"}),
]


@pytest.mark.parametrize(("name", "variables"), LEAVES)
def test_what_would_leave_is_refused_unless_the_task_lets_it(
    monkeypatch: pytest.MonkeyPatch, name: str, variables: dict[str, str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    [problem] = preflight(task_with(report_to=name))
    assert "data_may_leave: true" in problem.fix
    assert f"unset {next(iter(variables))}" in problem.fix
    assert "hidden-word" not in str(problem)
    check_trackers(task_with(report_to=name, rules={"data_may_leave": True}))


@pytest.mark.parametrize(("name", "variables"), STAYS)
def test_what_stays_here_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, variables: dict[str, str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    check_trackers(task_with(report_to=name))


def test_what_is_not_installed_is_told_with_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ladder: Callable[..., Said]
) -> None:
    monkeypatch.setattr(ledger, "LIBRARIES", ("json", "no_such_library"))
    [said] = missing_extras(task_with(report_to="ledger"))
    wanted = 'no_such_library is not installed. Install it with: pip install "escalation-ladder'
    assert str(said).startswith(wanted)
    task = task_at(tmp_path / "task", "http://127.0.0.1:1/v1")
    runs = tmp_path / "runs"
    ladder("assess", task, "--report-to", "ledger", "--runs", runs).refused(wanted)
    assert not runs.exists(), "before anything is read or asked"


# A run


@pytest.mark.slow
def test_a_tracker_is_told_each_rung_and_the_end(
    tmp_path: Path, server: FaultyServer, ladder: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-some-length")
    monkeypatch.setenv("LEDGER_TOKEN", "another-key-of-some-length")
    task = task_at(tmp_path / "task", server.url, goal="Say it. \x1b[2J", report_to="ledger")
    runs = tmp_path / "runs"
    said = ladder("assess", task, "--runs", runs)
    assert said.code == 0, said.errors
    assert f"ledger: cat {runs}/tracking/ledger.jsonl" in said.out.replace("\n", "")
    assert "a library that talks" not in said.out
    assert "a library that talks" in (runs / "tracking/ledger.log").read_text()
    begun, rung, ended = lines_of(runs)
    [folder] = [path.parent for path in runs.glob("*/*/assessment.json")]
    found = Assessment.model_validate_json((folder / "assessment.json").read_text())
    assert begun["begun"]["name"] == folder.name
    params = begun["begun"]["params"]
    assert params["task.digest"] == found.task.digest
    assert params["data.test"] == found.data.digests["test"]
    assert (params["rungs"], params["seed"]) == ("prompt", "0")
    assert "\x1b" not in params["goal"]
    assert "LEDGER_TOKEN" in begun["seen"]
    assert "OPENAI_API_KEY" not in begun["seen"], "no key of another service is handed on"
    assert begun["cwd"] == str(runs / "tracking"), "no settings of the user's folder are read"
    [tried] = found.attempts
    m = tried.measurement
    assert m is not None
    metrics = rung["rung"]["metrics"]
    assert (metrics["score"], metrics["score_low"], metrics["n"]) == (
        m.score.mean, m.score.low, m.score.n,
    )  # fmt: skip
    assert metrics["usd_per_1k"] == m.cost_usd_per_1k
    assert (rung["rung"]["name"], rung["rung"]["verdict"]) == ("prompt", "passed")
    assert ended["ended"]["status"] == "finished"
    assert ended["ended"]["words"]["verdict"] == "passed"
    assert ended["ended"]["metrics"]["test/score"] == found.recommendation.confirmed.mean
    names = {Path(path).name for path in ended["ended"]["files"]}
    assert names == {"assessment.json", "report.md", "report.html", "brief.html"}
    assert all(Path(path).is_file() for path in ended["ended"]["files"])


@pytest.mark.slow
def test_the_option_goes_before_the_task(
    tmp_path: Path, server: FaultyServer, ladder: Callable[..., Said]
) -> None:
    task = task_at(tmp_path / "task", server.url, report_to="ledger")
    said = ladder("assess", task, "--runs", tmp_path / "runs", "--report-to", "none")
    assert said.code == 0, said.errors
    assert not (tmp_path / "runs/tracking").exists()
    ladder("assess", task, "--report-to", "ledger,other").refused("`other`", "report_to")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("begin", "No space left on device"), ("rung", "No space left on device"),
        ("end", "No space left on device"), ("begin:dies", "its process ended"),
        ("rung:dies", "its process ended"), ("rung:hangs", "no answer within 2 s"),
    ],
)  # fmt: skip
def test_a_tracker_that_fails_changes_nothing(
    tmp_path: Path, server: FaultyServer, ladder: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch, how: str, words: str,
) -> None:  # fmt: skip
    if how.endswith("hangs"):
        monkeypatch.setattr(reporting, "RUNG_S", 2.0)
    monkeypatch.setenv("LEDGER_FAILS", how)
    task = task_at(tmp_path / "task", server.url, report_to="ledger")
    said = ladder("assess", task, "--runs", tmp_path / "runs")
    assert said.code == 0, said.errors
    out = " ".join(said.out.split())
    assert out.count("warning: ledger takes no more of this run") == 1
    assert words in out
    assert "run the same command again" in out
    assert "\x1b[2J" not in said.out
    assert "Answer: prompt" in out
    [record] = (tmp_path / "runs").glob("*/*/assessment.json")
    assert Assessment.model_validate_json(record.read_text()).recommendation.rung == "prompt"


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_is_told_and_no_more(
    tmp_path: Path, server: FaultyServer, ladder: Callable[..., Said]
) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "tracking").write_text("a file")
    task = task_at(tmp_path / "task", server.url, report_to="ledger")
    said = ladder("assess", task, "--runs", runs)
    assert said.code == 0, said.errors
    assert "warning: ledger takes no more of this run" in " ".join(said.out.split())


def test_the_log_of_a_tracker_holds_no_password_of_an_address(tmp_path: Path) -> None:
    """Its library may quote the address of its server in an error."""
    address = {"MLFLOW_TRACKING_URI": "http://me:hush-hush-4711@127.0.0.1:9/x"}
    begun = {"task": "t", "name": "n", "folder": str(tmp_path), "params": {}}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ladder.tracking.child", "no_hush-hush-4711"],
        input=json.dumps({"begun": begun}) + "\n", capture_output=True, text=True, check=False,
        env={**os.environ, **address},
    )  # fmt: skip
    assert "ModuleNotFoundError" in done.stderr
    assert "hush-hush" not in done.stderr
    assert "[secret]" in done.stderr


def test_a_run_that_breaks_off_is_told_as_failed(tmp_path: Path) -> None:
    task = task_with(report_to="ledger")

    def broken() -> None:
        with reporting.reporting(task, {}, tmp_path, tmp_path / "run", Quiet()) as trackers:
            trackers.rung(attempt("prompt", "fail"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    begun, rung, ended = lines_of(tmp_path)
    assert begun["begun"]["task"] == "asked"
    assert rung["rung"]["verdict"] == "failed"
    assert ended["ended"]["status"] == "failed"


def test_what_was_not_measured_has_no_figure(tmp_path: Path) -> None:
    skipped = attempt("lora", "pass", status="skipped", measurement=None, verdict=None)
    assert as_rung(3, skipped).metrics == {"seconds": 0.0}
    ended = as_ended(assessment(), "Answer.", [tmp_path / "nowhere"])
    assert ended.files == []
    assert ended.words["rung"] == "lora"
    assert ended.metrics["calls"] == 1_400
