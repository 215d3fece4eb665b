"""What other tools wrote is read; what cannot be carried over is listed; nothing of it acts.

The files in `written/` are as the tools' own code wrote them, in the version that their names say,
from rows invented for them: no row of a public data set may stand there. promptfoo's configuration
is what its `init` writes. `openai-3.57.0` was made and checked by openai-python's types of the
API's answers. No tool at hand writes the export of OpenAI's dashboard: `openai-dashboard.jsonl`
follows the schema that promptfoo 0.121.20 accepts (`promptfoo import`).
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

from ladder.errors import DataError, LadderError
from ladder.importers import FORMATS, Imported, open_source
from ladder.importers import archives as archives_module
from ladder.importers.archives import open_archive
from ladder.importers.base import told_once
from ladder.importers.promptfoo_asserts import in_a_cell
from ladder.importers.templates import fill, parted, parted_turns

WRITTEN = Path(__file__).parent / "written"
INSPECT = ("inspect-0.3.285.eval", "inspect-0.3.60.eval", "inspect-0.3.60.json")
EVERY = sorted(path for path in WRITTEN.rglob("*") if path.is_file())


def formats_of(path: Path) -> list[str]:
    source = open_source(path)
    return [form.name for form in FORMATS.values() if form.recognises(source)]


def read(path: Path, name: str = "") -> Imported:
    names = [name] if name else formats_of(path)
    assert len(names) == 1, names
    return FORMATS[names[0]].read(open_source(path))


def left(found: Imported) -> str:
    return "\n".join(
        f"{each.what} · {each.instead} · {where}" for each, where in told_once(found.left)
    )


def problem(path: Path, name: str) -> str:
    with pytest.raises(DataError) as caught:
        FORMATS[name].read(open_source(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *((name, "inspect") for name in INSPECT),
        ("inspect-0.3.285-choices.eval", "inspect"),
        ("lm-eval-0.4.13", None),
        ("openai-3.57.0", "openai-evals"),
        ("openai-dashboard.jsonl", "openai-evals"),
        ("promptfoo-0.121.20", "promptfoo"),
        ("deepeval-4.3.1.json", "deepeval"),
        ("deepeval-4.3.1.csv", "deepeval"),
        ("deepeval-4.3.1.jsonl", "deepeval"),
        ("deepeval-4.3.1-conversations.json", "deepeval"),
        ("ragas-0.4.3.jsonl", "ragas"),
        ("ragas-0.4.3.csv", "ragas"),
        ("ragas-0.4.3-testset.csv", "ragas"),
    ],
)
def test_a_format_is_known_by_its_content_whatever_the_file_is_called(name, form, tmp_path):
    place = WRITTEN / name
    if place.is_file() and not name.endswith(".eval"):
        renamed = tmp_path / f"some{place.suffix}"
        shutil.copyfile(place, renamed)
        place = renamed
    assert formats_of(place) == [form or "lm-eval"]


@pytest.mark.parametrize("name", INSPECT)
def test_a_log_of_inspect(name):
    """The zstd members of today, the deflated ones of before, and the JSON of before them."""
    found = read(WRITTEN / name)
    first = found.rows[0]
    assert first["id"] == "ferry-1"
    asked = "The gangway was slippery & nobody had put sand on it."
    assert (first["input"], first["target"]) == (asked, "complaint")
    assert first["meta"]["metadata"] == {"source": "quay"}
    [recorded] = first["meta"]["recorded"]
    assert recorded["model"] == "mockllm/model"
    assert recorded["answer"]
    assert set(recorded["scores"]) == {"match"}
    assert found.stated.goal.startswith("Tell whether a note to the ferry office is")
    assert [each.name for each in found.stated.score] == ["contains"]
    assert "the scorer `match`(location=end, ignore_case=True)" in left(found)
    assert "the model `mockllm/model`" in left(found)
    assert found.tool.startswith("Inspect 0.3.")


def test_choices_that_all_samples_share_are_labels():
    found = read(WRITTEN / "inspect-0.3.285-choices.eval")
    assert [row["target"] for row in found.rows] == ["bread_order", "cake_order", "opening_hours"]
    assert "labels" in found.notes[0]


def log(path: Path, samples: list[dict[str, Any]], **more: Any) -> Path:
    values = {"version": 2, "status": "success", "eval": {"task": "t"}, "samples": samples, **more}
    path.write_text(json.dumps(values))
    return path


def test_choices_that_differ_are_lettered_and_epochs_are_one_row(tmp_path):
    samples = [
        {"id": 1, "epoch": 1, "input": "Which?", "choices": ["red", "blue"], "target": "B"},
        {"id": 2, "epoch": 1, "input": "What?", "choices": ["one", "two"], "target": ["A", "B"]},
        {"id": 1, "epoch": 2, "input": "Which?", "choices": ["red", "blue"], "target": "B",
         "output": {"model": "m", "completion": "A"}},
    ]  # fmt: skip
    found = read(log(tmp_path / "log.json", samples))
    assert found.rows[0]["input"] == "Which?\n\nA) red\nB) blue"
    assert (found.rows[0]["target"], found.rows[1]["targets"]) == ("B", ["A", "B"])
    assert found.rows[0]["meta"]["recorded"][0]["answer"] == "A"
    assert any("1 further epochs" in note for note in found.notes)


def test_what_inspect_runs_is_listed_with_its_place(tmp_path):
    samples = [
        {"id": 1, "epoch": 1, "input": "attachment://x", "target": "a", "attachments": {"x": "Q?"},
         "sandbox": {"type": "docker"}, "setup": "rm -rf /"},
        {"id": 2, "epoch": 1, "target": "b", "input": [
            {"role": "user", "content": [{"type": "image", "image": "x"}, {"text": "see"}]},
            {"role": "assistant", "content": "hm", "tool_calls": [{"function": "f"}]}]},
    ]  # fmt: skip
    plan = {"steps": [{"solver": "use_tools", "params": {}}, {"solver": "react", "params": {}}]}
    spec = {"task": "t", "scorers": [{"name": "model_graded_qa"}, {"name": "pattern"}]}
    found = read(log(tmp_path / "log.json", samples, plan=plan, eval=spec))
    said = left(found)
    for word in ("`sandbox`", "`setup`", "pictures", "a tool call", "`use_tools`", "`react`",
                 "model_graded_qa", "`pattern`", "log.json: plan.steps[2]"):  # fmt: skip
        assert word in said, word
    assert found.rows[0]["input"] == "Q?"
    assert found.stated.score == ()


@pytest.mark.parametrize("version", [0, 3, 99, None, "2"])
def test_a_log_of_another_version_is_refused_with_the_ones_that_are_known(version, tmp_path):
    said = problem(log(tmp_path / "log.json", [], version=version), "inspect")
    assert "version 1 or 2" in said
    assert str(tmp_path / "log.json") in said


def test_a_log_without_samples_is_refused(tmp_path):
    assert "without a sample" in problem(log(tmp_path / "log.json", []), "inspect")


def test_a_log_that_is_half_written_says_so(tmp_path):
    whole = (WRITTEN / INSPECT[0]).read_bytes()
    for part in (0.3, 0.6, 0.98):
        half = tmp_path / "half.eval"
        half.write_bytes(whole[: int(len(whole) * part)])
        assert "without its end" in problem(half, "inspect")


def test_a_log_without_its_header_gives_the_samples_so_far(tmp_path):
    """A run that was killed leaves `_journal/start.json` and the samples that were done."""
    copy_of = tmp_path / "killed.eval"
    with open_archive(WRITTEN / INSPECT[1], "a log") as log_, zipfile.ZipFile(copy_of, "w") as to:
        for name in log_.names:
            if name != "header.json":
                to.writestr(name, log_.read(name))
    found = read(copy_of)
    assert len(found.rows) == 3
    assert "a run that ended as `started`" in left(found)


def packed(path: Path, content: bytes, method: int) -> Path:
    """Write an archive of one member, packed by a method that Python's own zipfile may lack."""
    squeezed = zstandard.compress(content) if method == archives_module.ZSTD else content
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", squeezed)
    raw = path.read_bytes()
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        begin = raw.index(mark) + at
        values = method.to_bytes(2, "little")
        raw = raw[:begin] + values + raw[begin + 2 :]
        sums = begin + 6
        numbers = [zlib.crc32(content), len(squeezed), len(content)]
        inner = b"".join(number.to_bytes(4, "little") for number in numbers)
        raw = raw[:sums] + inner + raw[sums + 12 :]
    path.write_bytes(raw)
    return path


def member(path: Path) -> bytes:
    with open_archive(path, "a log") as archive:
        return archive.read("header.json")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, archives_module.ZSTD])
def test_a_member_is_what_was_packed(method, tmp_path):
    content = b'{"version": 2}' * 1000
    assert member(packed(tmp_path / "a.eval", content, method)) == content


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, archives_module.ZSTD])
def test_a_bomb_is_not_unpacked(method, tmp_path, monkeypatch):
    monkeypatch.setattr(archives_module, "MOST_BYTES", 1_000_000)
    path = tmp_path / "bomb.eval"
    if method == archives_module.ZSTD:
        packed(path, bytes(50_000_000), method)
    else:
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("header.json", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    said = problem(path, "inspect")
    assert "at most 1,000,000 bytes" in said


def test_many_members_do_not_add_up_to_more(tmp_path, monkeypatch):
    monkeypatch.setattr(archives_module, "MOST_BYTES_IN_ALL", 1_500)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(str(number), bytes(1000))
    with open_archive(tmp_path / "a.zip", "a log") as opened:
        assert opened.read("0") == bytes(1000)
        with pytest.raises(DataError):
            opened.read("1")


def test_another_method_of_packing_and_a_damaged_member_are_told(tmp_path):
    with pytest.raises(DataError, match="method 98"):
        member(packed(tmp_path / "a.eval", b"{}", 98))
    path = packed(tmp_path / "b.eval", b'{"version": 2}' * 50, archives_module.ZSTD)
    raw = bytearray(path.read_bytes())
    raw[50] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(DataError, match="damaged"):
        member(path)


# lm-eval


def test_samples_of_lm_eval_with_choices():
    [path] = (WRITTEN / "lm-eval-0.4.13").glob("samples_ferry_notes*")
    found = read(path)
    assert found.rows[0]["target"] == "complaint"
    assert found.rows[0]["input"].startswith("Note: The gangway was slippery & nobody")
    assert found.rows[0]["id"] == "ferry-1"
    goal = "Tell whether a note to the ferry office is a complaint or a praise."
    assert found.stated.goal == goal
    assert [each.name for each in found.stated.score] == ["exact_match"]
    assert found.name == "ferry_notes"
    assert "lm-eval 0.4.13" in found.notes[0]


def test_samples_of_lm_eval_with_written_answers():
    [path] = (WRITTEN / "lm-eval-0.4.13").glob("samples_museum_questions*")
    found = read(path)
    assert len(found.rows) == 3, "each stands in the file once for each of two filters"
    assert found.rows[0]["input"].startswith("Question: Out of what did Hesper Lind cast the bell?")
    assert found.rows[0]["target"] == "old door hinges"
    assert found.stated.score[0].parameters == {"lowercase": True}
    assert "`filter_list`" in left(found)


def test_a_folder_of_two_tasks_asks_for_one():
    assert "samples of 2 tasks" in problem(WRITTEN / "lm-eval-0.4.13", "lm-eval")


def lm_eval_line(number: int, target: str, choices: list[str]) -> dict[str, Any]:
    asked = f"Q{number}: pick\nAnswer:"
    arguments = {f"gen_args_{i}": {"arg_0": asked, "arg_1": f" {c}"} for i, c in enumerate(choices)}
    return {"doc_id": number, "doc": {}, "target": target, "arguments": arguments, "resps": [],
            "filtered_resps": [], "metrics": ["acc"], "filter": "none"}  # fmt: skip


def test_choices_of_lm_eval_that_differ_are_lettered(tmp_path):
    lines = [lm_eval_line(1, "1", ["a", "b"]), lm_eval_line(2, "0", ["c", "d"])]
    path = tmp_path / "samples_arc_2026-01-01T00-00-00.000000.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read(path)
    assert [row["target"] for row in found.rows] == ["B", "A"]
    assert found.rows[0]["input"].endswith("A) a\nB) b")


# OpenAI's Evals


def test_an_export_of_the_api():
    found = read(WRITTEN / "openai-3.57.0")
    first = found.rows[0]
    assert first["input"].startswith("Message: ")
    assert first["target"] == first["meta"]["item"]["intent"]
    assert first["meta"]["recorded"][0]["answer"]
    goal = "You work for a hire of rowing boats. Name the intent of the customer's message."
    assert found.stated.goal == goal
    assert [each.name for each in found.stated.score] == ["exact_match"]
    said = left(found)
    for word in ("the label_model grader `polite`", "the python grader `short`", "`temperature`",
                 "the score_model grader `helpful`", "rows by file_id", "`metadata` of the eval",
                 "eval.json: testing_criteria[3]"):  # fmt: skip
        assert word in said, word
    assert any("def grade" in text for _, text in found.texts)


def test_an_export_of_the_dashboard_lists_graders_without_a_definition():
    found = read(WRITTEN / "openai-dashboard.jsonl")
    assert "intent" in found.rows[0]
    assert "message" not in found.rows[0], "the input holds it"
    assert "the grader `intent is right`, of which there are grades alone" in left(found)
    assert found.stated.goal == "Name the intent of the customer's message."


@pytest.mark.parametrize(
    ("grader", "name"),
    [
        ({"type": "string_check", "operation": "eq"}, "exact_match"),
        ({"type": "string_check", "operation": "like"}, "contains"),
        ({"type": "string_check", "operation": "ilike"}, "contains"),
        (
            {"type": "text_similarity", "evaluation_metric": "bleu", "pass_threshold": 0.8},
            "token_f1",
        ),
        ({"type": "string_check", "operation": "ne"}, None),
        ({"type": "string_check", "operation": "eq", "input": "{{sample.output_json.x}}"}, None),
        ({"type": "multi", "graders": {}, "calculate_output": "a + b"}, None),
        ({"type": "python", "source": "1/0"}, None),
    ],
)
def test_a_grader_is_carried_over_or_listed(grader, name, tmp_path):
    whole = {"name": "g", "input": "{{ sample.output_text }}", "reference": "{{item.a}}", **grader}
    rows = [{"item": {"q": f"question {n}", "a": f"answer {n}"}} for n in range(3)]
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (whole, *rows)))
    found = read(path)
    if name:
        assert [each.name for each in found.stated.score] == [name]
        assert found.rows[0]["target"] == "answer 0"
        assert found.rows[0]["input"] == "question 0"
        assert found.stated.min_score == grader.get("pass_threshold")
    else:
        assert found.stated.score == ()
        assert "grader `g`" in left(found)
        assert "export.jsonl:1" in left(found)


def test_samples_of_the_open_source_evals(tmp_path):
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "2+2?"}]
    rows = [{"input": turns, "ideal": ["4", "four"]}, {"input": turns, "ideal": "4"}]
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(path)
    assert found.rows[0] | {"id": ""} == {"id": "", "input": "2+2?", "targets": ["4", "four"]}
    assert found.stated.goal == "Be short."


@pytest.mark.parametrize("odd", [5, 1.5, "text", {}, [5], [{"role": 1}], [{"role": "user"}]])
def test_what_was_asked_may_be_anything(odd, tmp_path):
    record = {"object": "eval.run.output_item", "datasource_item": {"q": "a", "label": "b"},
              "results": odd, "sample": {"input": odd, "output": odd}}  # fmt: skip
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(record))
    assert {name: read(path).rows[0][name] for name in ("q", "label")} == {"q": "a", "label": "b"}


def test_two_evals_and_an_export_without_rows_are_refused(tmp_path):
    path = tmp_path / "evals.jsonl"
    one = json.loads((WRITTEN / "openai-3.57.0/eval.json").read_text())
    path.write_text(f"{json.dumps(one)}\n{json.dumps(one)}\n")
    assert "2 evals" in problem(path, "openai-evals")
    path.write_text(json.dumps(one))
    assert "without a sample" in problem(path, "openai-evals")


# DeepEval and Ragas


@pytest.mark.parametrize("suffix", ["json", "csv", "jsonl"])
def test_goldens_of_deepeval(suffix):
    found = read(WRITTEN / f"deepeval-4.3.1.{suffix}")
    first = found.rows[0]
    assert first["input"] == "Out of what did Hesper Lind cast the bell?"
    assert first["target"] == "old door hinges"
    assert len(first["doc_ids"]) == 1
    assert len(first["meta"]["retrieved"]) == 2
    documents = {each["id"]: each for each in found.documents}
    assert "old door hinges" in documents[first["doc_ids"][0]]["text"]
    assert documents[first["doc_ids"][0]]["title"] == "The Bell of Quellmoor"
    assert found.rows[1]["meta"]["recorded"] == [{"answer": "I do not know."}]


def test_conversations_of_deepeval_are_listed():
    found = read(WRITTEN / "deepeval-4.3.1-conversations.json")
    assert found.rows == ()
    assert "a conversation to be simulated" in left(found)


@pytest.mark.parametrize("name", ["ragas-0.4.3.jsonl", "ragas-0.4.3.csv"])
def test_a_test_set_of_ragas(name):
    found = read(WRITTEN / name)
    first = found.rows[0]
    asked = "Out of what did Hesper Lind cast the bell?"
    assert (first["input"], first["target"]) == (asked, "old door hinges")
    assert first["meta"]["retrieved"] != first["doc_ids"]
    assert first["meta"]["recorded"] == [{"answer": "no idea"}]


def test_generated_test_sets_and_old_names_of_ragas(tmp_path):
    found = read(WRITTEN / "ragas-0.4.3-testset.csv")
    assert found.rows[0]["doc_ids"] == ["doc-1"]
    old = {"question": "q", "contexts": ["c"], "ground_truth": "a", "answer": "b"}
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(old))
    found = read(path)
    assert (found.rows[0]["input"], found.rows[0]["target"]) == ("q", "a")
    assert "doc_ids" not in found.rows[0], "what a search found need not hold the answer"


def test_a_conversation_of_ragas_is_a_chat(tmp_path):
    turns = [{"content": "hi", "type": "human"},
             {"content": "", "type": "ai", "tool_calls": [{"name": "f", "args": {}}]},
             {"content": "3", "type": "tool"},
             {"content": "and now?", "type": "human"}]  # fmt: skip
    path = tmp_path / "multi.jsonl"
    path.write_text(json.dumps({"user_input": turns, "reference": "4", "response": "x"}))
    found = read(path)
    assert [turn["role"] for turn in found.rows[0]["input"]] == ["user", "tool", "user"]
    assert "a tool call in a conversation" in left(found)


# promptfoo


def project(folder: Path, **config: Any) -> Path:
    usual = {"prompts": ["Say it: {{q}}"], "providers": ["echo"]}
    (folder / "promptfooconfig.yaml").write_text(yaml.safe_dump({**usual, **config}))
    return folder


def test_the_project_that_promptfoo_makes():
    found = read(WRITTEN / "promptfoo-0.121.20")
    assert [row["target"] for row in found.rows] == ["avocado"]
    assert len(found.without_target) == 2
    said = left(found)
    for word in ("`javascript`", "`llm-rubric`", "a further prompt", "`openai:gpt-5-mini`",
                 "promptfooconfig.yaml: tests[3]"):  # fmt: skip
        assert word in said, word
    assert found.stated.goal == "Write a tweet about"
    assert found.rows[0]["input"] == "avocado toast"


def test_tests_in_csv_json_and_yaml_files(tmp_path):
    (tmp_path / "a.csv").write_text(
        "q,__expected,__expected2,__threshold\n1+1,2,javascript: x,0.5\n"
    )
    (tmp_path / "b.jsonl").write_text(
        '{"vars": {"q": "x"}, "assert": [{"type": "equals", "value": 7}]}\n'
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/c.yaml").write_text(
        "- vars: {q: [y, z]}\n  assert: [{type: contains, value: '{{q}}!'}]\n"
    )
    tests = ["file://a.csv", "file://b.jsonl", "file://tests/*.yaml"]
    found = read(project(tmp_path, tests=tests))
    assert [(row["input"], row["target"]) for row in found.rows] == [
        ("1+1", "2"), ("x", "7"), ("y", "y!"), ("z", "z!"),
    ]  # fmt: skip
    said = left(found)
    assert "`javascript`" in said
    assert "a.csv:2" in said
    assert "`__threshold`" in said


@pytest.mark.parametrize(
    ("given", "name", "targets"),
    [
        ({"type": "equals", "value": "a"}, "exact_match", ["a"]),
        ({"type": "equals", "value": {"a": 1}}, "exact_match", ['{"a": 1}']),
        ({"type": "contains-any", "value": ["a", "b"]}, "contains", ["a", "b"]),
        ({"type": "similar", "value": "a", "threshold": 0.8}, "token_f1", ["a"]),
        ({"type": "factuality", "value": "a"}, "token_f1", ["a"]),
        *(
            ({"type": kind, "value": "a"}, None, [])
            for kind in ("regex", "javascript", "python", "llm-rubric", "contains-all", "is-json",
                         "not-contains", "not-equals", "webhook", "latency", "cost", "unheard-of")
        ),
    ],
)  # fmt: skip
def test_an_assertion_is_carried_over_or_listed(given, name, targets, tmp_path):
    usual = {"vars": {"q": "x"}, "assert": [{"type": "equals", "value": "never"}]}
    tests = [{"vars": {"q": "y"}, "assert": [given]}] + ([] if name else [usual])
    found = read(project(tmp_path, tests=tests))
    if name:
        row = found.rows[0]
        assert [row["target"]] == targets if "target" in row else row["targets"] == targets
        assert [each.name for each in found.stated.score] == [name]
        assert found.stated.min_score == given.get("threshold")
    else:
        assert [row["input"] for row in found.without_target] == ["y"]
        assert f"the assertion `{given['type']}`" in left(found)


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("positive", "equals", "positive"),
        ("Note: it is so", "equals", "Note: it is so"),
        ("10:30", "equals", "10:30"),
        ("contains: x", "contains", "x"),
        ("similar(0.7): x", "similar", "x"),
        ("contains-any: a, b", "contains-any", ["a", "b"]),
        ("grade: is polite", "llm-rubric", "is polite"),
        ("fn: output == 1", "javascript", "output == 1"),
        ("is-json", "is-json", None),
        ("not-contains: x", "not-contains", "x"),
    ],
)
def test_cells_of_expected_are_read_as_promptfoo_reads_them(cell, kind, value):
    found = in_a_cell(cell)
    assert (found["type"], found.get("value")) == (kind, value)


def test_the_pass_rate_of_a_project_is_its_gate(tmp_path):
    tests = [{"vars": {"q": "y"}, "assert": [{"type": "equals", "value": "a"}]}]
    found = read(project(tmp_path, tests=tests, env={"PROMPTFOO_PASS_RATE_THRESHOLD": "90"}))
    assert found.stated.min_score == 0.9


TESTS = [{"vars": {"q": "y"}, "assert": [{"type": "equals", "value": "a"}]}]


@pytest.mark.parametrize(
    "reference", ["../secret.txt", "/etc/passwd", "link.txt", "inner/../../secret.txt"]
)
@pytest.mark.parametrize("place", ["prompt", "vars", "tests"])
def test_no_file_outside_of_the_project_is_read(reference, place, tmp_path):
    (tmp_path / "secret.txt").write_text("SECRET")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    given = {
        "prompt": {"prompts": [f"file://{reference}"], "tests": TESTS},
        "vars": {"tests": [{**TESTS[0], "vars": {"q": f"file://{reference}"}}]},
        "tests": {"tests": f"file://{reference}"},
    }[place]
    said = problem(project(folder, **given), "promptfoo")
    assert "SECRET" not in said
    assert "inside the source" in said


def test_nothing_of_a_project_is_run_or_fetched(tmp_path, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was run or fetched")

    for name in ("system", "popen"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    (tmp_path / "gen.py").write_text("raise SystemExit")
    tests = [
        *TESTS, "file://gen.py:make", "https://example.com/t.csv", "file://gen.js",
        {"vars": {"q": "file://gen.py"}, "assert": [{"type": "python", "value": "file://gen.py"}]},
    ]  # fmt: skip
    prompts = ["file://gen.py:prompt", "{{q}}", "{% if q %}{{q}}{% endif %}"]
    found = read(project(tmp_path, tests=tests, prompts=prompts, extensions=["file://gen.py:hook"]))
    said = left(found)
    for word in ("a program, file://gen.py:make", "tests at https://example.com/t.csv", "gen.js",
                 "`extensions`", "a program, file://gen.py:prompt"):  # fmt: skip
        assert word in said, word


def test_tags_that_make_objects_are_refused(tmp_path):
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("prompts: [a]\ntests: !!python/object/apply:os.system ['touch owned']\n")
    said = problem(path, "promptfoo")
    assert "python/object" in said
    assert "promptfooconfig.yaml:2" in said
    path.write_text("a: &a [x, x]\n" + "".join(
        f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)
    ))  # fmt: skip
    assert "too many values" in problem(path, "promptfoo")


# Templates


def test_what_a_prompt_says_to_all_is_the_goal():
    assert parted("Sentiment of {{x}}") == ("Sentiment of", "{{x}}")
    assert parted("Classify.\n\nReview: {{x}}\nSentiment:") == ("Classify.", "Review: {{x}}")
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Q: {{x}}"}]
    assert parted_turns(turns) == ("Be kind.", "Q: {{x}}")
    assert fill("{{ a.b[1] }}", {"a": {"b": ["x", "y"]}}) == "y"
    assert fill("{{ a | upper }}", {"a": "x"}) is None
    assert fill("{{ missing }}", {}) is None


# Hostile and broken files


def mutated(value: Any, draw: random.Random) -> Any:
    """Return JSON in which a few values are something else."""
    odd = [None, [], {}, "", 5, -1.5, True, "x" * 50, [None], {"": None}, [[["a"]]], "\ud800"]
    if isinstance(value, dict):
        made = {k: mutated(v, draw) for k, v in value.items() if draw.random() > 0.03}
        return draw.choice(odd) if draw.random() < 0.02 else made
    if isinstance(value, list):
        made_list = [mutated(one, draw) for one in value]
        return draw.choice(odd) if draw.random() < 0.05 else made_list
    return copy.deepcopy(draw.choice(odd)) if draw.random() < 0.15 else value


def contents(path: Path, draw: random.Random) -> Iterator[bytes]:
    """Yield a file as it may be broken."""
    whole = path.read_bytes()
    for part in (0, 1, 20, len(whole) // 3, len(whole) - 2):
        yield whole[:part]
    yield bytes(draw.randrange(256) for _ in range(300))
    yield b"[" * 5000 + b"]" * 5000
    yield whole.replace(b"{", b"[", 3)
    for _ in range(4):
        at = draw.randrange(len(whole))
        yield whole[:at] + bytes([draw.randrange(256)]) + whole[at + 1 :]
    if path.suffix in (".json", ".jsonl"):
        text = whole.decode()
        lines = [text] if path.suffix == ".json" else text.splitlines()
        for _ in range(25):
            yield "\n".join(json.dumps(mutated(json.loads(one), draw)) for one in lines).encode()
    if path.suffix == ".yaml":
        for _ in range(25):
            made = mutated(yaml.safe_load(whole), draw)
            yield yaml.safe_dump(made, allow_unicode=False).encode()
    if path.suffix == ".csv":
        yield whole.replace(b",", b";", 9)
        yield whole.replace(b'"', b"", 5)
        yield whole.replace(b"\n", b"\r\n\0", 2)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(WRITTEN)))
def test_whatever_stands_in_a_file_is_read_or_told(path, tmp_path):
    """By the format that the content tells, and by every other one that a user may name."""
    draw = random.Random(path.name)
    copy_of = tmp_path / path.name
    told = 0
    for content in contents(path, draw):
        copy_of.write_bytes(content)
        for form in FORMATS.values():
            source = open_source(copy_of)
            try:
                form.recognises(source)
                found = form.read(source)
            except LadderError as error:
                told += 1
                said = str(error).strip()
                assert "wanted" in said, said
            else:
                assert all(isinstance(row, dict) for row in found.rows)
    assert told


def test_a_folder_with_links_and_programs_in_it_gives_what_is_there(tmp_path):
    shutil.copyfile(WRITTEN / "ragas-0.4.3.jsonl", tmp_path / "set.jsonl")
    (tmp_path / "etc").symlink_to("/etc")
    (tmp_path / "again.jsonl").symlink_to(tmp_path / "set.jsonl")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/x.json").write_text("{}")
    assert [path.name for path in open_source(tmp_path).files] == ["set.jsonl"]
    assert len(read(tmp_path).rows) == 3
