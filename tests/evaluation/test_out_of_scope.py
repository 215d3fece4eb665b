"""Inputs that no label answers: read, left out where they have one, and asked in their share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ladder.climb.opening import open_bench
from ladder.errors import TaskError
from ladder.evaluation.control import control_calibration
from ladder.evaluation.out_of_scope import beside, chances_beyond
from ladder.evaluation.ways import LINEAR
from ladder.evidence import Candidate
from ladder.lifecycle.served import _by_way
from ladder.progress import Quiet
from ladder.task import load_task

RIGHT = {"pay": "the bill of my card", "send": "where my parcel is now"}
BEYOND = 40


def written(folder: Path, answer: str = "label") -> Path:
    rows = [
        {"input": f"{text}, {at} {label} {at}", "target": label}
        for at in range(400)
        for label, text in RIGHT.items()
    ]
    beyond = [{"input": f"hello number {at}", "target": "none"} for at in range(BEYOND)]
    beyond.append({"input": rows[0]["input"].upper()})
    for name, lines in (("rows", rows), ("beyond", beyond)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    task = folder / "task.yaml"
    task.write_text(
        "name: t\ngoal: Name what it is about.\n"
        "data: {examples: rows.jsonl, out_of_scope: beyond.jsonl}\n"
        f"answer: {{type: {answer}}}\nscore: exact_match\ngate: {{min_score: 0.8}}\n",
        encoding="utf-8",
    )
    return task


def test_they_are_read_and_told(tmp_path):
    bench = open_bench(load_task(written(tmp_path)), tmp_path / "runs", Quiet())
    data = bench.data
    assert len(data.out_of_scope) == BEYOND
    assert "none" not in data.labels
    [file] = [file for file in data.files if file.role == "out_of_scope"]
    assert any("labelled example too" in words for words in file.warnings)
    held = len(data.gate) + len(data.sealed) + len(data.reserve)
    choosing, judging = beside(data, 10, 20)
    assert len(judging) == round(20 * BEYOND / held)
    assert len(choosing) == round(10 * BEYOND / held)
    assert not {row.id for row in choosing} & {row.id for row in judging}


def test_the_control_chooses_its_threshold_with_them(tmp_path):
    bench = open_bench(load_task(written(tmp_path)), tmp_path / "runs", Quiet())
    found = control_calibration(bench.evaluator)
    assert found is not None
    rows = beside(bench.data, len(bench.data.dev), len(bench.data.gate))
    assert found.abstention.beyond_rows == (len(rows[0]), len(rows[1]))
    assert found.abstention.threshold is not None
    assert found.abstention.beyond is not None
    assert found.abstention.beyond.n == len(rows[1])


def test_a_model_is_asked_them(tmp_path, smollm):
    bench = open_bench(load_task(written(tmp_path)), tmp_path / "runs", Quiet())
    scoring = Candidate(
        rung="prompt", description="t", model="bundled:smollm2-135m", decoding="scored"
    )
    choosing, judging = chances_beyond(bench.evaluator, scoring, 5, 8)
    assert choosing
    assert judging
    assert all(0.5 <= chance <= 1 for chance in (*choosing, *judging)), "the surer of two labels"


def test_only_labels_have_them(tmp_path):
    with pytest.raises(TaskError, match="out_of_scope"):
        load_task(written(tmp_path, answer="text"))


def test_a_served_control_says_nothing_below_its_threshold(tmp_path):
    bench = open_bench(load_task(written(tmp_path)), tmp_path / "runs", Quiet())
    found = control_calibration(bench.evaluator)
    assert found is not None
    decide = _by_way(bench.evaluator, LINEAR, found.abstention.threshold)
    dev = bench.data.dev
    *known, strange = decide([*(row.input for row in dev), "hello number 3"])
    given = [(one.label, row.target) for one, row in zip(known, dev, strict=True) if one.certified]
    assert given
    assert all(label == target for label, target in given)
    assert strange.is_no_answer
    assert "is certified" in strange.error
    assert {one.chance for one in (*known, strange)} == {None}, "they are not told"


def test_check_says_what_they_are_for_and_the_answer_how_sure_it_is(tmp_path, ladder):
    task = written(tmp_path)
    said = ladder("check", task)
    assert f"{BEYOND} out of scope" in said.out
    assert "beside the dev examples choose the abstention threshold" in said.out
    done = ladder("assess", task, "--runs", tmp_path / "runs")
    assert done.code == 0, done.out
    assert "probabilities of the linear control: ECE" in done.out
    assert "out-of-scope inputs" in done.out
