"""`ladder compare`: rows are paired by what they are, and all that changed on record is named."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from statsmodels.stats.contingency_tables import mcnemar

from ladder.commands.compare import compare_runs
from ladder.errors import DataError
from ladder.report.compared import (
    MOST_NAMED,
    NOTHING_CHANGED,
    change_lines,
    compared_page,
    compared_rows,
    rests_on,
    rung_lines,
    same_answers,
)

RUN = ROOT / "tests/report/older/assessment.json"
"""Measured prompt and rag, and answered with rag."""


def row(at: int, right: bool, **more: Any) -> dict[str, Any]:
    answer = "yes" if right else "no"
    found = {"id": f"q-{at}", "answer": answer, "target": "yes", "score": float(right)}
    return {**found, "error": None, **more}


def run_in(
    folder: Path, rag: Sequence[Mapping[str, Any]], changed: Mapping[str, Any] | None = None
) -> Path:
    """Write a run with these rows on its rag rung, and none right on its prompt rung."""
    values = json.loads(RUN.read_text())
    for path, value in (changed or {}).items():
        inner: Any = values
        *way, last = path.split(".")
        for step in way:
            inner = inner[step]
        inner[last] = value
    for rung, rows in (("prompt", [row(at, False) for at in range(9)]), ("rag", rag)):
        (folder / rung).mkdir(parents=True)
        lines = "".join(f"{json.dumps(each)}\n" for each in rows)
        (folder / rung / "samples.jsonl").write_text(lines)
    (folder / "assessment.json").write_text(json.dumps(values))
    return folder


def test_rows_are_paired_whatever_their_order(tmp_path):
    right = {at: (at % 4 != 0, at % 7 != 0) for at in range(60)}
    first = run_in(tmp_path / "a", [row(at, a) for at, (a, _) in right.items()])
    second = run_in(
        tmp_path / "b", [row(at, b) for at, (_, b) in reversed(right.items())] + [row(99, True)]
    )
    found = {one.name: one for one in compare_runs(first, second).rungs}
    rag = found["rag"]
    won = {f"q-{at}" for at, (a, b) in right.items() if b and not a}
    lost = {f"q-{at}" for at, (a, b) in right.items() if a and not b}
    assert (set(rag.won), set(rag.lost), rag.paired.n) == (won, lost, 60)
    assert rag.paired.difference == pytest.approx((len(won) - len(lost)) / 60)
    exact = mcnemar([[0, len(won)], [len(lost), 0]], exact=True).pvalue
    assert rag.paired.p_value == pytest.approx(min(1.0, 2 * exact))  # Holm over two rungs
    assert rag.same_answer == 60 - len(won) - len(lost)
    assert found["prompt"].paired.difference == 0


def test_failed_requests_and_other_rows_are_left_out(tmp_path):
    first = run_in(tmp_path / "a", [row(0, True), row(1, True), row(2, True, input="old")])
    second = run_in(
        tmp_path / "b",
        [
            {**row(0, True), "score": None, "error": "HTTP 503"},
            {**row(1, True), "target": "another"},
            row(2, True, input="new"),
            row(3, True),
        ],
    )
    rag = compare_runs(first, second).rungs[1]
    assert rag.paired is None
    assert rag.apart == 2


def test_runs_of_before_kept_no_inputs_and_are_paired_by_target(tmp_path):
    first = run_in(tmp_path / "a", [row(0, True)])
    second = run_in(tmp_path / "b", [row(0, True, input="it says")])
    assert compare_runs(first, second).rungs[1].paired.n == 1


def test_rows_of_one_group_count_once(tmp_path):
    rows = [row(at, True, group=f"g{at // 10}") for at in range(40)]
    worse = [row(at, at % 10 > 0, group=f"g{at // 10}") for at in range(40)]
    found = compare_runs(run_in(tmp_path / "a", rows), run_in(tmp_path / "b", worse))
    alone = compare_runs(
        run_in(tmp_path / "c", [{**r, "group": r["id"]} for r in rows]),
        run_in(tmp_path / "d", [{**r, "group": r["id"]} for r in worse]),
    )
    grouped, single = found.rungs[1].paired, alone.rungs[1].paired
    assert grouped.difference == pytest.approx(single.difference)
    assert grouped.high - grouped.low > single.high - single.low


CLUSTER = {
    "address": "10.0.0.5:6379",
    "machines": {"vm": 1},
    "chunks": 3,
    "workers_lost": 0,
    "given_up": 0,
}


def test_what_changed_is_named_by_part(tmp_path):
    first = run_in(tmp_path / "a", [row(0, True)])
    second = run_in(
        tmp_path / "b",
        [row(0, True)],
        {
            "task.gate.min_score": 0.9,
            "task.base": "other",
            "versions.torch": "9",
            "cluster": CLUSTER,
        },
    )
    found = compare_runs(first, second)
    assert {(one.part, one.what, one.second) for one in found.changes} == {
        ("task", "gate min_score", "0.9"),
        ("task", "base model", "other"),
        ("code", "torch", "9"),
        ("machine", "answered on", "the Ray cluster 10.0.0.5:6379"),
    }
    assert not compare_runs(first, first).changes
    assert "Nothing changed" in next(change_lines(()))


def test_answers_of_two_rungs_are_compared_with_each_other(tmp_path):
    first = run_in(tmp_path / "a", [row(at, True) for at in range(9)])
    second = run_in(
        tmp_path / "b", [row(at, True) for at in range(9)], {"recommendation.rung": "prompt"}
    )
    *_, answer = compare_runs(first, second).rungs
    assert answer.name == "answer"
    assert answer.paired.difference == -1
    assert answer.paired.claim == "worse"


@pytest.mark.parametrize(
    "line", ["{", "7", '{"id": "q"}', '{"id": 1, "answer": "x", "score": ', "\x00"]
)
def test_a_damaged_line_is_named(tmp_path, line):
    first, second = run_in(tmp_path / "a", [row(0, True)]), run_in(tmp_path / "b", [row(0, True)])
    path = second / "rag/samples.jsonl"
    path.write_text(path.read_text() + line)
    with pytest.raises(DataError, match=r"samples\.jsonl:2"):
        compare_runs(first, second)


def test_rows_that_are_gone_are_named(tmp_path, ladder):
    first, second = run_in(tmp_path / "a", [row(0, True)]), run_in(tmp_path / "b", [row(0, True)])
    (second / "rag/samples.jsonl").unlink()
    ladder("compare", first, second).refused("rag/samples.jsonl", "that ladder assess kept")
    ladder("compare", first, tmp_path / "nowhere").refused("nowhere", "a finished run")


def test_what_a_row_is_called_does_nothing_to_the_terminal(tmp_path, ladder):
    evil = "\x1b[2J<script>"
    first = run_in(tmp_path / "a", [{**row(0, True), "id": evil}])
    second = run_in(tmp_path / "b", [{**row(0, False), "id": evil}])
    said = ladder("compare", first, second)
    assert said.code == 0, said.errors
    assert "lost in B: 1" in said.out
    assert "\x1b[2J" not in said.out
    told = json.loads(ladder("compare", first, second, "--json").out)
    assert told["rungs"][1]["lost"] == [evil]


def test_the_page_says_what_the_terminal_says(tmp_path, ladder):
    first = run_in(tmp_path / "a", [row(at, at % 9 != 0) for at in range(99)])
    second = run_in(
        tmp_path / "b", [row(at, at % 5 != 0) for at in range(99)], {"task.base": "another"}
    )
    page = tmp_path / "pages/compared.html"
    said = ladder("compare", first, second, "--html", page)
    assert said.code == 0, said.errors
    assert f"page: {page}" in said.out
    shown = unescape(re.sub(r"<[^>]+>", "", page.read_text()))
    found = compare_runs(first, second)
    sentences = [cell for cells in compared_rows(found) for cell in cells]
    sentences += [same_answers(rung) for rung in found.rungs]
    sentences += [line for rung in found.rungs for line in rung_lines(rung)]
    sentences += [rests_on(found), found.first_answer, "base model", "another"]
    for sentence in sentences:
        assert sentence.replace("`", "") in shown, sentence
    assert "http" not in re.sub(r"http-equiv", "", page.read_text()), "nothing is loaded"
    lost = found.rungs[1].lost
    assert len(lost) > MOST_NAMED
    assert ", ".join(lost) in shown, "the page has room for all of them"
    assert '"rungs"' in ladder("compare", first, second, "--json", "--html", page).out


def test_a_page_of_runs_without_a_row_in_common_has_no_picture(tmp_path):
    first = run_in(tmp_path / "a", [row(0, True)])
    second = run_in(tmp_path / "b", [{**row(1, True), "id": "other"}])
    found = compare_runs(first, second)
    page = compared_page(found.but(rungs=tuple(found.rungs[1:])))
    assert "<figure>" not in page
    assert "no shared rows" in page
    assert NOTHING_CHANGED in page


def test_what_a_row_is_called_does_nothing_to_the_page(tmp_path):
    evil = "\x1b[2J<script>alert(1)</script>\u202e"
    first = run_in(tmp_path / "a", [{**row(0, True), "id": evil}])
    second = run_in(tmp_path / "b", [{**row(0, False), "id": evil}], {"task.goal": evil})
    page = compared_page(compare_runs(first, second))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert not {"\x1b", "\u202e"} & set(page)


@pytest.mark.long
def test_two_real_runs(tmp_path, ladder, smollm):
    """The same task with another gate: the prompt rung read more rows, and answered alike."""
    source = ROOT / "evalsets/r1_guest_feedback"
    values = yaml.safe_load((source / "task.yaml").read_text())
    runs = []
    for gate in (0.6, 0.85):
        values["gate"]["min_score"] = gate
        task = tmp_path / f"{gate}.yaml"
        task.write_text(yaml.safe_dump({**values, "rungs": ["prompt"]}))
        folder = tmp_path / f"runs-{gate}"
        said = ladder("assess", task, "--data", source, "--runs", folder)
        assert said.code in (0, 1), said.errors
        runs.append(folder)
    found = compare_runs(*runs)
    [prompt] = found.rungs
    assert prompt.paired.n >= 25
    assert {"gate min_score"} <= {one.what for one in found.changes}
