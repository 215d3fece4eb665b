"""freeze, assess, audit: as a user and an auditor type them, on rows that need no model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from small_tasks import write_task

from ladder.audit.folders import digest_of_file
from ladder.audit.keys import private_file, public_keys
from ladder.audit.ledger import LEDGER, add
from ladder.audit.signing import STATEMENT, payload_of
from ladder.report.reading import read_assessment

WHY = "A wrong colour is a wrong parcel."


def row(name: str, number: int) -> dict[str, str]:
    colour = ("red", "green", "blue")[number % 3]
    return {"id": f"{name}-{number}", "input": f"{name} {number} is {colour} {number}",
            "target": colour}  # fmt: skip


@pytest.fixture
def task(tmp_path):
    labels = {"type": "label", "labels": ["red", "green", "blue"]}
    return write_task(
        tmp_path, row, 60, 120, score="exact_match", answer=labels, metric_rationale=WHY
    )


def changed(task: Path, **fields: object) -> None:
    task.write_text(yaml.safe_dump(yaml.safe_load(task.read_text()) | fields))


def records(runs: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (runs / LEDGER).read_text().splitlines()]


def newest(runs: Path) -> Path:
    return max(path.parent for path in runs.glob("small/*/assessment.json"))


def test_freezing_needs_a_key_and_a_reason(ladder, task, tmp_path):
    runs = tmp_path / "runs"
    ladder("freeze", task, "--runs", runs).refused("ladder audit keys")
    assert not (runs / LEDGER).exists()
    ladder("audit", "keys")
    changed(task, metric_rationale=" ")
    ladder("freeze", task, "--runs", runs).refused("metric_rationale", "wanted the reason")
    assert not (runs / LEDGER).exists()


@pytest.mark.slow
def test_from_freezing_to_an_auditor_on_another_machine(ladder, task, tmp_path, monkeypatch):
    runs, head, key = tmp_path / "runs", tmp_path / "head.json", tmp_path / "machine.pub.pem"
    assert ladder("audit", "keys").code == 0
    key.write_text(ladder("audit", "keys", "--public").out)
    frozen = ladder("freeze", task, "--runs", runs)
    assert (frozen.code, "gate.min_score 0.5" in frozen.out) == (0, True)
    assessed = ladder("assess", task, "--runs", runs)
    assert assessed.code == 0, assessed.errors
    said = " ".join(assessed.out.split())
    assert "they existed no later than" in said
    assert "signed in record 2 of the ledger" in said
    assert f"The metric was chosen because: {WHY}" in said
    assert "was frozen at" not in said
    [told] = [each for each in records(runs) if each["kind"] == "assess"]
    assert told["facts"]["decision"] == "control"
    opened = [each for each in records(runs) if each["kind"] == "test set opened"]
    assert [each["digests"]["test set"] for each in opened] == [told["digests"]["test set"]]
    assert WHY not in (runs / LEDGER).read_text(), "free text stays in the freeze's own file"

    changed(task, gate={"min_score": 0.4}, seed=3)
    again = ladder("assess", task, "--runs", runs)
    said = " ".join(again.out.split())
    assert "min_score was frozen at 0.5, is 0.4." in said
    assert "seed was frozen at 0, is 3." in said
    for name in ("report.md", "report.html"):
        assert "was frozen at 0.5, is 0.4." in (newest(runs) / name).read_text()
    criteria = read_assessment(newest(runs))[0].criteria
    assert criteria is not None
    assert [change.field for change in criteria.changes] == ["min_score", "seed"]

    assert ladder("audit", "anchor", runs, "--out", head).code == 0
    moved = shutil.copytree(runs, tmp_path / "auditor" / "copy")
    monkeypatch.setenv("LADDER_CONFIG", str(tmp_path / "nobody" / "config.yaml"))
    ladder("audit", "verify", moved).refused("--public-key")
    checked = ladder("audit", "verify", moved, "--public-key", key, "--head", head)
    assert checked.code == 0, checked.out
    assert "small: min_score was loosened after a run: 0.5 in record" in checked.out
    page = newest(moved) / "report.html"
    page.write_text(page.read_text().replace("0.4", "0.5"))
    checked = ladder("audit", "verify", moved, "--public-key", key)
    assert checked.code == 1
    assert f"{page}: the file was changed since record" in checked.out.splitlines()[0]
    ladder("report", newest(moved))
    assert ladder("audit", "verify", moved, "--public-key", key).code == 1, "it stays as it is"


@pytest.mark.slow
def test_a_run_that_was_not_frozen_says_so_and_one_without_a_ledger_says_nothing(
    ladder, task, tmp_path
):
    plain, kept = tmp_path / "plain", tmp_path / "kept"
    said = ladder("assess", task, "--runs", plain)
    assert "Criteria" not in said.out
    assert not (plain / LEDGER).exists()
    assert not list(plain.glob("small/*/statements"))
    ladder("audit", "keys")
    ladder("audit", "init", "--runs", kept)
    said = ladder("assess", task, "--runs", kept)
    assert "Criteria: not frozen before this run." in said.out
    statement = newest(kept) / "statements" / "control.dsse.json"
    told = payload_of(statement.read_bytes(), STATEMENT, public_keys(()))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert told["predicate"]["result"] == "PASSED"
    assert "min_score" in told["predicate"]["passedTests"]
    named = {each["name"] for each in told["predicate"]["configuration"]}
    assert named == {"eval set", "task"}
    assert len(told["subject"][0]["digest"]["sha256"]) == 64
    private_file("machine").unlink()
    ladder("assess", task, "--runs", kept).refused("ladder audit keys")


@pytest.mark.slow
def test_the_count_of_openings_survives_another_task_file_and_lost_completions(
    ladder, task, tmp_path
):
    runs = tmp_path / "runs"
    ladder("audit", "keys")
    ladder("audit", "init", "--runs", runs)
    ladder("assess", task, "--runs", runs)
    for lost in runs.glob("completions.sqlite*"):
        lost.unlink()
    train = tmp_path / "train.jsonl"
    train.write_text("".join(train.read_text().splitlines(keepends=True)[:-3]))
    changed(task, name="other", goal="Say the colour.")
    said = ladder("assess", task, "--runs", runs)
    assert "has been used for 2 systems so far" in " ".join(said.out.split())
    said = ladder("audit", "verify", runs)
    assert said.code == 0
    assert "was opened for 2 systems: small in record 2, other in record 4" in said.out


def test_freezing_prints_the_criteria_in_words_beside_their_digests(ladder, task, tmp_path):
    runs = tmp_path / "runs"
    ladder("audit", "keys")
    words = " ".join(ladder("freeze", task, "--runs", runs).out.split())
    [kept] = [each["facts"] for each in records(runs) if each["kind"] == "freeze"]
    assert f"metric_rationale {WHY} (in the ledger: {kept['metric_rationale']})" in words
    assert "(record 2)" in words, "counted from 1, as lines are"
    for said in ("gate.min_score 0.5", "gate.confidence 0.95", "rungs [", "seed 0", "exact_match"):
        assert said in words


@pytest.mark.slow
def test_the_folder_of_runs_is_named_by_its_place_or_by_name(ladder, tmp_path):
    placed, named, head = tmp_path / "placed", tmp_path / "named", tmp_path / "head.json"
    ladder("audit", "keys")
    assert ladder("audit", "init", placed).code == 0
    assert ladder("audit", "init", "--runs", named).code == 0
    for runs in (placed, named):
        for way in ([runs], ["--runs", runs]):
            assert ladder("audit", "verify", *way).code == 0
            assert ladder("audit", "anchor", *way, "--out", head).code == 0
    for at, way in enumerate(([placed], ["--runs", placed])):
        file = placed / "small" / f"{at}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("personal")
        files = {file.name: digest_of_file(file)}
        add(placed / LEDGER, "drift", task="small", place="small", files=files)
        assert ladder("audit", "erase", file, *way, "--yes").code == 0
        assert not file.exists()
    assert ladder("audit", "verify", placed).code == 0
    for verb in (["init"], ["verify"], ["anchor"], ["erase", file, "--yes"]):
        both = ladder("audit", *verb, placed, "--runs", named)
        assert both.code == 2
        assert "name one" in " ".join(both.errors.split())


def test_a_changed_record_is_told_by_the_number_of_its_line(ladder, tmp_path):
    runs = tmp_path / "runs"
    ladder("audit", "keys")
    ladder("audit", "init", runs)
    line = (runs / LEDGER).read_text().splitlines()[0]
    (runs / LEDGER).write_text(f"{line}\n{line}\n")
    said = ladder("audit", "verify", runs)
    assert f"{LEDGER}:2: it says record 1 and stands at 2" in said.out
