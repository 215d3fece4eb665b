"""task.yaml: what is accepted, and what each mistake is answered with."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.errors import Problem, TaskError
from ladder.task import RUNGS, Task, load_task, model_parts

GOOD = """\
name: weather
goal: Say whether the weather is good.
data: {test: test.jsonl}
score: exact_match
gate: {min_score: 0.9}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "task"
    inside.mkdir()
    (inside / "test.jsonl").write_text('{"input": "sun", "target": "good"}\n')
    return inside


def load(folder: Path, text: str, data_root: Path | None = None) -> Task:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return load_task(path, data_root)


def problems(folder: Path, text: str, data_root: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(TaskError) as caught:
        load(folder, text, data_root)
    return caught.value.problems


def only_problem(folder: Path, text: str, data_root: Path | None = None) -> Problem:
    found = problems(folder, text, data_root)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def place(problem: Problem) -> str:
    """Return `line: key` of a problem."""
    return problem.where.split("task.yaml:")[-1]


def test_the_required_keys_are_enough(folder):
    task = load(folder, GOOD)
    assert task.name == "weather"
    assert task.score[0].name == "exact_match"
    assert task.gate.confidence == 0.95
    assert task.rungs == RUNGS
    assert task.rules.data_may_leave is False
    assert task.find_data("test.jsonl") == folder / "test.jsonl"


def test_the_digest_follows_the_text(folder):
    first = load(folder, GOOD).digest
    assert load(folder, GOOD).digest == first
    assert load(folder, GOOD + "seed: 1\n").digest != first


@pytest.mark.parametrize(
    ("written", "names", "parameters"),
    [
        ("exact_match", ["exact_match"], {}),
        ("{token_f1: {lowercase: true}}", ["token_f1"], {"lowercase": True}),
        ("{token_f1: }", ["token_f1"], {}),
        ("[contains, {number: {tolerance: 0.1}}]", ["contains", "number"], {}),
    ],
)
def test_a_scorer_is_a_name_a_mapping_or_a_list(folder, written, names, parameters):
    task = load(folder, GOOD.replace("exact_match", written))
    assert [choice.name for choice in task.score] == names
    assert task.score[0].parameters == parameters


@pytest.mark.parametrize("key", ["name", "goal", "data", "score", "gate"])
def test_each_required_key_is_asked_for(folder, key):
    text = "".join(line for line in GOOD.splitlines(True) if not line.startswith(key))
    problem = only_problem(folder, text)
    assert problem.where.endswith(f": {key}")
    assert (problem.got, problem.wanted) == ("nothing", f"the key `{key}`")
    assert problem.fix == "It is required."


# The file as a whole


def test_a_missing_file_points_at_init(tmp_path):
    with pytest.raises(TaskError) as caught:
        load_task(tmp_path / "none.yaml")
    (problem,) = caught.value.problems
    assert problem.where == str(tmp_path / "none.yaml")
    assert problem.got == "no such file"
    assert "YAML" in problem.wanted
    assert "ladder init" in problem.fix


def test_a_folder_is_answered_with_the_file_in_it(folder):
    with pytest.raises(TaskError, match="a folder") as caught:
        load_task(folder)
    assert caught.value.problems[0].fix == f"Name the file: {folder / 'task.yaml'}"


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "an empty file"),
        ("# only a comment\n", "an empty file"),
        ("- name: weather\n", "a list"),
        ("weather\n", "a single value"),
    ],
)
def test_what_is_not_a_mapping_points_at_init(folder, text, got):
    problem = only_problem(folder, text)
    assert problem.where.startswith(str(folder / "task.yaml"))
    assert problem.got == got
    assert "`name:`" in problem.wanted
    assert "ladder init" in problem.fix


def test_tabs_are_named_with_their_line(folder):
    problem = only_problem(folder, "name: weather\ngate:\n\tmin_score: 0.9\n")
    assert place(problem) == "3"
    assert "'\\t'" in problem.got
    assert problem.wanted == "valid YAML"
    assert problem.fix == "Indent with spaces, not tabs."


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("gate: {min_score: 0.9", "expected ',' or '}'"),
        ("other: 'open", "end of stream"),
        ("x: y: z", "mapping values are not allowed"),
        ("? [a, b]\n: 1", "unhashable"),
        ("---\nname: second", "another document"),
        ("x: \0", "not allowed"),
    ],
)
def test_broken_yaml_is_named_with_a_line(folder, line, got):
    problem = only_problem(folder, GOOD + line + "\n")
    assert place(problem).isdigit()
    assert int(place(problem)) >= 6
    assert got in problem.got
    assert "\n" not in problem.got
    assert problem.wanted == "valid YAML"
    assert problem.fix


def test_bytes_that_are_not_utf8_are_named(folder):
    (folder / "task.yaml").write_bytes(GOOD.encode() + "# grün\n".encode("latin-1"))
    with pytest.raises(TaskError, match="not UTF-8") as caught:
        load_task(folder / "task.yaml")
    assert caught.value.problems[0].fix == "Save the file with UTF-8 encoding."


def test_a_file_too_large_is_not_read(folder):
    problem = only_problem(folder, GOOD + "#" * 1_000_000)
    assert problem.wanted == "at most 1 MB"
    assert "data:" in problem.fix


def test_values_nested_too_deep_are_refused(folder):
    problem = only_problem(folder, GOOD + "x: " + "[" * 3000 + "]" * 3000)
    assert "nested" in problem.got


# Values


def test_a_number_of_5000_digits_is_refused_at_its_line(folder):
    problem = only_problem(folder, GOOD + "seed: " + "9" * 5000 + "\n")
    assert place(problem) == "6"
    assert "limit" in problem.got
    assert len(str(problem)) < 500
    assert problem.fix


def test_a_quoted_number_of_5000_digits_is_refused_briefly(folder):
    problem = only_problem(folder, GOOD + f"seed: '{'9' * 5000}'\n")
    assert place(problem) == "6: seed"
    assert len(str(problem)) < 500


@pytest.mark.parametrize("value", ["1e999", "1.0e+999", ".inf", ".nan", "-.inf"])
def test_a_number_without_an_end_is_refused(folder, value):
    problem = only_problem(folder, GOOD + f"hardware: {{usd_per_hour: {value}}}\n")
    assert place(problem) == "6: hardware.usd_per_hour"
    assert problem.wanted == "a finite number"


def test_a_date_that_does_not_exist_is_refused_at_its_line(folder):
    problem = only_problem(folder, GOOD + "seed: 2026-13-45\n")
    assert place(problem) == "6"
    assert "2026-13-45" in problem.got


@pytest.mark.parametrize(
    ("line", "at", "wanted"),
    [
        ("gate: {min_score: 2}", "gate.min_score", "less than or equal to 1"),
        ("gate: {min_score: 0}", "gate.min_score", "greater than 0"),
        ("gate: {min_score: good}", "gate.min_score", "a valid number"),
        ("gate: {min_score: 0.9, confidence: 1}", "gate.confidence", "less than 1"),
        ("name: ../../etc", "name", "letters, digits"),
        ("name: ''", "name", "letters, digits"),
        ("goal: x", "goal", "text of at least 3 characters"),
        ("goal: [a, b]", "goal", "a valid string"),
        ("score: []", "score", "at least one scorer"),
        ("score: {a: {}, b: {}}", "score", "a name, or {name: {parameter: value}}"),
        ("data: test.jsonl", "data", "a valid dictionary"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_wanted(folder, line, at, wanted):
    key = line.split(":")[0]
    rest = [known for known in GOOD.splitlines() if not known.startswith(f"{key}:")]
    problem = only_problem(folder, "\n".join([*rest, line]))
    assert place(problem) == f"5: {at}"
    assert wanted in problem.wanted
    assert problem.got


def test_an_unknown_rung_is_answered_with_the_rungs(folder):
    problem = only_problem(folder, GOOD + "rungs: [prompt, loraa]\n")
    assert place(problem) == "6: rungs.1"
    assert problem.got == "'loraa'"
    for rung in RUNGS:
        assert rung in problem.wanted


# Keys


@pytest.mark.parametrize(
    ("line", "at", "meant"),
    [
        ("model: {base: x}", "model", "models"),
        ("Rungs: [prompt]", "Rungs", "rungs"),
        ("rules: {data_can_leave: true}", "rules.data_can_leave", "data_may_leave"),
        ("answer: {schem: {}}", "answer.schem", "schema"),
        (
            "prices: {input_usd_per_1m: 1, output_usd_per_1m: 1, sourc: x}",
            "prices.sourc",
            "source",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_key(folder, line, at, meant):
    problem = only_problem(folder, GOOD + line + "\n")
    assert place(problem) == f"6: {at}"
    assert problem.got == f"the unknown key `{at.split('.')[-1]}`"
    assert meant in problem.wanted
    assert problem.fix == f"Did you mean `{meant}`?"


def test_a_key_like_no_other_lists_the_known_keys_without_a_guess(folder):
    problem = only_problem(folder, GOOD + "zzzzzz: 1\n")
    assert "gate" in problem.wanted
    assert problem.fix == ""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (GOOD + "name: again\n", "6: name"),
        (GOOD.replace("0.9}", "0.9,\n  min_score: 0.8}"), "6: gate.min_score"),
    ],
)
def test_a_duplicate_key_is_named_with_both_lines(folder, text, where):
    problem = only_problem(folder, text)
    first = 1 if "name" in where else 5
    assert place(problem) == where
    assert f"first on line {first}" in problem.got
    assert problem.wanted == "one"
    assert problem.fix


def test_every_mistake_is_reported_in_one_go_at_its_line(folder):
    text = """\
name: no spaces please
goal: Say whether the weather is good.
data:
  train: none.jsonl
  test: test.jsonl
score: exact_match
score: contains
gate:
  min_scor: 0.9
  confidence: 7
seed: -1
"""
    assert {place(problem) for problem in problems(folder, text)} == {
        "1: name",
        "4: data.train",
        "7: score",
        "8: gate.min_score",
        "9: gate.min_scor",
        "10: gate.confidence",
        "11: seed",
    }


# Hostile files


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [touch {mark}]",
        "!!python/object/new:os.system [touch {mark}]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!own tag",
    ],
)
def test_a_yaml_tag_is_refused_and_nothing_is_executed(folder, tag):
    mark = folder / "executed"
    problem = only_problem(folder, GOOD + "x: " + tag.format(mark=mark) + "\n")
    assert place(problem) == "6"
    assert "could not determine a constructor for the tag" in problem.got
    assert not mark.exists()


def lists_of_lists() -> str:
    names = "abcdefghijklmnopqrst"
    lines = ["[&a [x, x, x, x, x, x, x, x, x]"]
    lines += [f" &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    return ",\n".join(lines) + "]"


def merged_mappings() -> str:
    lines = ["{m0: &m0 {k: 1}"]
    lines += [f" m{at}: &m{at} {{<<: [*m{at - 1}, *m{at - 1}, *m{at - 1}]}}" for at in range(1, 40)]
    return ",\n".join(lines) + "}"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("name: weather", f"name: {lists_of_lists()}"),
        GOOD + f"answer: {{labels: {lists_of_lists()}}}\n",
        GOOD + f"answer: {{schema: {{x: {lists_of_lists()}}}}}\n",
        GOOD.replace("exact_match", f"{{token_f1: {{x: {lists_of_lists()}}}}}"),
        GOOD + f"bomb: {merged_mappings()}\n",
        GOOD + "loop: &loop [*loop]\n",
    ],
    ids=["name", "labels", "schema", "parameters", "merge", "loop"],
)
def test_an_alias_bomb_is_refused_at_once(folder, text):
    (folder / "task.yaml").write_text(text)
    code = (
        "import resource, sys; from pathlib import Path; from ladder.task import load_task\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "load_task(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "task.yaml")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "TaskError" in done.stderr
    assert "aliases" in done.stderr


def test_an_honest_alias_is_read(folder):
    text = GOOD + "answer: {labels: &known [good, bad], schema: {enum: *known}}\n"
    task = load(folder, text)
    assert task.answer.labels == ("good", "bad")
    assert task.answer.json_schema == {"enum": ["good", "bad"]}


@given(st.text(max_size=200))
def test_any_text_loads_or_is_a_task_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "task.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert all(str(path) in problem.where for problem in caught.value.problems)


# Data files


def test_no_held_out_rows_is_a_mistake(folder):
    (folder / "train.jsonl").touch()
    problem = only_problem(folder, GOOD.replace("test: test", "train: train"))
    assert place(problem) == "3: data.test"
    assert problem.wanted == "one of them"
    assert "nothing can be measured" in problem.fix


def test_examples_stand_alone(folder):
    (folder / "all.jsonl").touch()
    text = GOOD.replace("{test: test.jsonl}", "\n  test: test.jsonl\n  examples: all.jsonl")
    problem = only_problem(folder, text)
    assert place(problem) == "5: data.examples"
    assert "`train` and `test`" in problem.fix


def test_a_data_file_that_is_not_there(folder):
    problem = only_problem(folder, GOOD.replace("test.jsonl", "nope.jsonl"))
    assert place(problem) == "3: data.test"
    assert "no file `nope.jsonl`" in problem.got
    assert str(folder) in problem.got
    assert problem.wanted == "a file that exists"
    assert "--data" in problem.fix


def test_a_data_file_of_an_unknown_kind(folder):
    (folder / "test.xlsx").touch()
    problem = only_problem(folder, GOOD.replace("test.jsonl", "test.xlsx"))
    assert place(problem) == "3: data.test"
    assert ".jsonl, .csv, .parquet" in problem.wanted
    assert problem.fix


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    other = tmp_path / "outside"
    other.mkdir()
    (other / "rows.jsonl").write_text("{}\n")
    (other / "saved").mkdir()
    return other


@pytest.mark.parametrize(
    "value",
    [
        "../outside/rows.jsonl",
        "{outside}/rows.jsonl",
        "link.jsonl",
        "link/rows.jsonl",
        "datasets:../outside/saved",
        "datasets:{outside}/saved#train",
        "datasets:link/saved@main",
    ],
)
def test_a_file_outside_the_folder_needs_data_on_the_command_line(folder, outside, value):
    (folder / "link.jsonl").symlink_to(outside / "rows.jsonl")
    (folder / "link").symlink_to(outside)
    text = GOOD.replace("test.jsonl", f'"{value.format(outside=outside)}"')
    problem = only_problem(folder, text)
    assert place(problem) == "3: data.test"
    assert "outside the task's folder" in problem.got
    assert problem.wanted == "a file inside it"
    assert "--data" in problem.fix
    assert load(folder, text, data_root=outside).data.test


def test_a_bare_name_is_found_under_the_data_folder(folder, outside):
    text = GOOD.replace("test.jsonl", "rows.jsonl")
    assert "no file" in only_problem(folder, text).got
    task = load(folder, text, data_root=outside)
    assert task.find_data("rows.jsonl") == outside / "rows.jsonl"


def test_the_data_folder_opens_no_other_folder(folder, outside, tmp_path):
    (tmp_path / "secret.jsonl").write_text("{}\n")
    text = GOOD.replace("test.jsonl", "../secret.jsonl")
    assert "outside" in only_problem(folder, text, data_root=outside).got


def test_a_data_set_id_is_not_looked_up_as_a_file(folder):
    assert load(folder, GOOD.replace("test.jsonl", "datasets:org/name@main#test"))


@pytest.mark.parametrize("value", ['"x\\0.jsonl"', "x" * 5000 + ".jsonl", "self.jsonl"])
def test_a_name_that_no_file_can_have(folder, value):
    (folder / "self.jsonl").symlink_to(folder / "self.jsonl")
    problem = only_problem(folder, GOOD.replace("test.jsonl", value))
    assert place(problem) == "3: data.test"
    assert len(str(problem)) < 500


# Model references


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("bundled:smollm2-135m", ("bundled", "smollm2-135m", None)),
        ("hf:org/name@v1", ("hf", "org/name", "v1")),
        ("openai:m:7b@http://host:1/v1", ("openai", "m:7b", "http://host:1/v1")),
    ],
)
def test_a_model_reference_has_three_parts(reference, parts):
    assert model_parts(reference) == parts


@pytest.mark.parametrize("reference", ["", "smollm2", ":x", "hf:", "hf:@v1"])
def test_a_model_reference_without_a_kind_or_a_name_is_refused(reference):
    with pytest.raises(ValueError, match="kind:name"):
        model_parts(reference)
