"""A finished run for other programs: the forms hold, and nothing of an answer acts in them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from assessments import assessment, attempt, full_assessment
from conftest import Said

from ladder.errors import DataError
from ladder.evidence import Assessment
from ladder.report.exports import EXPORTS, as_csv, as_junit, as_promptfoo, read_answers

ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"),
        *("id", "package", "group", "file", "log", "url", "version"),
    },
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set[str](),
}
"""Element -> its attributes in Jenkins' junit-10.xsd."""
INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}
HOSTILE = [
    "=HYPERLINK('http://x')", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "a,b\n\"c\"", "x" * 10**6,
    "\x1b[31mred", "\u202eevil", "\0", "</system-out><x>", "]]>", "\ud800",
]  # fmt: skip


def samples(folder: Path, rung: str, rows: list[dict[str, Any]]) -> None:
    (folder / rung).mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / rung / "samples.jsonl").write_text(lines)


def row(name: str, answer: str, score: float | None = 1.0, **more: Any) -> dict[str, Any]:
    return {"id": name, "answer": answer, "target": "t", "score": score, "error": None, **more}


def checked(text: str) -> ElementTree.Element:
    """Return JUnit XML that has no element, attribute or count that readers do not know."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.keys()) <= ALLOWED[element.tag]
        assert {child.tag for child in element} <= INSIDE.get(element.tag, set())
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
        for plural, kind in counts.items():
            assert suite.get(plural) == str(len(suite.findall(f"testcase/{kind}")))
        assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    return root


def outcome(root: ElementTree.Element, suite: str, case: str) -> str:
    name = root.get("name")
    [found] = root.findall(f"testsuite[@name='{name}.{suite}']/testcase[@name='{case}']")
    return next(child.tag for child in found)


@pytest.mark.parametrize(
    ("word", "tag"),
    [("pass", "system-out"), ("fail", "failure"), ("undecided", "skipped"), ("none", "error")],
)
def test_a_limit_is_a_case_of_its_rung(word, tag):
    found = assessment(attempts=(attempt("prompt", word),))
    root = checked(as_junit(found, {}))
    limit = found.attempts[0].verdict.limits[0]
    assert outcome(root, "prompt", limit.limit) in ("system-out", "failure", "skipped", "error")
    wanted = {"pass": "system-out", "fail": "failure", "undecided": "skipped", "none": "error"}
    for each in found.attempts[0].verdict.limits:
        assert outcome(root, "prompt", each.limit) == wanted[each.verdict]
    assert tag == wanted[word]


def test_rungs_that_were_not_climbed_and_the_confirmation_are_there():
    found = full_assessment()
    root = checked(as_junit(found, {}))
    names = [suite.get("name", "").removeprefix(f"{found.task.name}.") for suite in root]
    rungs = [each.rung for each in found.attempts]
    assert [name for name in names if name in rungs] == rungs
    assert names[-1] == "confirmation"
    word = found.recommendation.confirmed_verdict
    wanted = {"pass": "system-out", "fail": "failure", "undecided": "skipped", "none": "error"}
    assert outcome(root, "confirmation", "held-out test set") == wanted[word or "fail"]


def test_a_run_without_an_answer_does_not_look_like_one_that_passed():
    found = full_assessment()
    withheld = found.recommendation.but(withheld=True, confirmed_verdict=None, confirmed=None)
    root = checked(as_junit(found.but(recommendation=withheld), {}))
    assert outcome(root, "confirmation", "held-out test set") == "error"
    none = found.recommendation.but(
        rung=None, control=False, confirmed_verdict=None, confirmed=None
    )
    root = checked(as_junit(found.but(recommendation=none), {}))
    assert outcome(root, "confirmation", "held-out test set") == "failure"


def answered(tmp_path: Path, found: Assessment) -> dict[str, Any]:
    return dict(read_answers(tmp_path, found))


def test_every_sample_stands_in_the_sheet_once_with_what_each_rung_said(tmp_path):
    found = assessment(attempts=(attempt("prompt", "fail"), attempt("rag", "pass")))
    samples(tmp_path, "prompt", [row("a", "x", 0.5, input="in"), row("b", "", None, error="503")])
    samples(tmp_path, "rag", [row("b", "y"), row("c", "z", 0.25, targets=["t", "u"])])
    table = list(csv.DictReader(io.StringIO(as_csv(found, answered(tmp_path, found)), newline="")))
    assert [each["id"] for each in table] == ["a", "b", "c"]
    assert (table[0]["input"], table[0]["prompt score"], table[0]["rag score"]) == ("in", "0.5", "")
    assert (table[1]["prompt error"], table[1]["rag answer"]) == ("503", "y")
    assert table[2]["target"] == "t | u"


def rows_of_csv(text: str) -> list[list[str]]:
    """Read cells of any length; the limit is the whole process's, and other tests rely on it."""
    before = csv.field_size_limit(10_000_000)
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    finally:
        csv.field_size_limit(before)


def test_no_cell_is_a_formula_and_nothing_in_it_acts(tmp_path):
    found = assessment(attempts=(attempt("prompt", "fail"),))
    rows = [row(text[:20] + str(n), text, input=text) for n, text in enumerate(HOSTILE)]
    samples(tmp_path, "prompt", rows)
    text = as_csv(found, answered(tmp_path, found))
    table = rows_of_csv(text)
    assert len(table) == len(HOSTILE) + 1
    for cells in table[1:]:
        for at, cell in enumerate(cells):
            assert at == 4 or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not set(cell) & set("\x1b\u202e\0\ud800")
    text.encode()
    checked(as_junit(found.but(task=found.task.but(name="mail", goal="\x1b]0;x\x07")), {}))


@pytest.mark.parametrize(
    "text", ["=1+1", " =1+1", "\n=1+1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A1", "\u00a0=1"]
)
def test_a_formula_is_none_however_it_begins(text, tmp_path):
    found = assessment(attempts=(attempt("prompt", "fail"),))
    samples(tmp_path, "prompt", [row("a", text, input=text)])
    [_, cells] = csv.reader(io.StringIO(as_csv(found, answered(tmp_path, found)), newline=""))
    assert cells[1].startswith("'")
    assert cells[3].startswith("'")


def test_the_results_of_promptfoo_have_the_fields_that_its_import_asks_for(tmp_path):
    found = assessment(attempts=(attempt("prompt", "fail"), attempt("rag", "pass")))
    rows = [row("a", "t"), row("b", "x", 0.0), row("c", "", None, error="503")]
    samples(tmp_path, "prompt", [*rows, *(row(f"h{n}", text) for n, text in enumerate(HOSTILE))])
    samples(tmp_path, "rag", rows[:2])
    made = json.loads(as_promptfoo(found, answered(tmp_path, found)))
    results = made["results"]
    assert results["version"] == 3
    assert [one["provider"] for one in results["prompts"]] == ["ladder:prompt", "ladder:rag"]
    assert len(made["config"]["tests"]) == len(HOSTILE) + 3
    by_place = {(one["promptIdx"], one["testIdx"]): one for one in results["results"]}
    assert len(by_place) == len(results["results"])
    assert [by_place[0, at]["failureReason"] for at in range(3)] == [0, 1, 2]
    assert [by_place[1, at]["success"] for at in range(2)] == [True, False]
    for number, prompt in enumerate(results["prompts"]):
        metrics = prompt["metrics"]
        own = [one for one in results["results"] if one["promptIdx"] == number]
        parts = ("testPassCount", "testFailCount", "testErrorCount")
        assert sum(metrics[part] for part in parts) == len(own)


@pytest.mark.parametrize(
    "line", ["{", "[]", "null", '{"id": 1}', '{"id": "a", "answer": [], "score": "x"}']
)
def test_a_damaged_file_of_samples_is_told_with_its_line(line, tmp_path):
    found = assessment(attempts=(attempt("prompt", "fail"),))
    samples(tmp_path, "prompt", [row("a", "x")])
    with (tmp_path / "prompt/samples.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=r"samples\.jsonl:2"):
        read_answers(tmp_path, found)


@pytest.mark.parametrize("form", EXPORTS)
def test_the_command_prints_and_writes(form, tmp_path, ladder):
    found = assessment(attempts=(attempt("prompt", "fail"),))
    (tmp_path / "assessment.json").write_text(found.model_dump_json())
    samples(tmp_path, "prompt", [row("a", "x")])
    printed: Said = ladder("report", tmp_path, "--to", form)
    out = tmp_path / "out"
    wrote: Said = ladder("report", tmp_path, "--to", form, "--out", out)
    assert (printed.code, wrote.code) == (0, 0)
    assert out.read_bytes().decode() == printed.out
    assert wrote.out == f"Wrote {out}\n"


def test_a_strange_form_is_refused_with_the_ones_there_are(tmp_path, ladder):
    (tmp_path / "assessment.json").write_text(assessment().model_dump_json())
    ladder("report", tmp_path, "--to", "excel").refused("junit, csv, json, promptfoo")
    ladder("report", tmp_path, "--out", "x").refused("junit, csv, json, promptfoo")
    ladder("report", tmp_path, "--to", "csv", "--markdown").refused("leave one")
