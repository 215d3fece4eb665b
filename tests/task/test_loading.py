"""Task files, good and bad: every mistake is told with its place, and nothing is run or read."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from task.written import GOOD, problems_of, the_problem, with_store, write_task

from ladder.errors import Problem, TaskError
from ladder.task import RUNGS, Task, load_task

HANG_SECONDS = 6
PRICES = "input_usd_per_1m: 1.0, output_usd_per_1m: 1.0"


def test_a_good_task_is_read_with_its_defaults(tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path))
    assert task.name == "sorting"
    assert task.score[0].name == "exact_match"
    assert task.gate.min_score == 0.5
    assert task.rungs == RUNGS
    assert task.rules.data_may_leave is False
    assert task.find_data("rows.jsonl") == tmp_path / "rows.jsonl"


def test_the_digest_follows_the_text(tmp_path: Path) -> None:
    first = load_task(write_task(tmp_path)).digest
    assert load_task(write_task(tmp_path)).digest == first
    assert load_task(write_task(tmp_path, GOOD + "seed: 1\n")).digest != first


def test_every_form_of_score_is_read(tmp_path: Path) -> None:
    text = GOOD.replace("score: exact_match", "score: [contains, {number: {tolerance: 0.1}}]")
    names = [
        (choice.name, choice.parameters) for choice in load_task(write_task(tmp_path, text)).score
    ]
    assert names == [("contains", {}), ("number", {"tolerance": 0.1})]


@pytest.mark.parametrize("day", ["2026-11-01", '"2026-11-01"'])
@pytest.mark.parametrize("section", [f"prices: {{{PRICES}, ", "hardware: {"])
def test_the_day_of_a_price_needs_no_quotes(tmp_path: Path, section: str, day: str) -> None:
    task = load_task(write_task(tmp_path, f"{GOOD}{section}priced: {day}}}\n"))
    priced = task.prices.priced if task.prices and "input" in section else task.hardware.priced
    assert str(priced) == "2026-11-01"


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    problem = the_problem(tmp_path / "task.yaml")
    assert problem.where == str(tmp_path / "task.yaml")
    assert problem.got == "no such file"
    assert "YAML" in problem.wanted
    assert "ladder init" in problem.fix


def test_a_folder_is_told_to_name_its_file(tmp_path: Path) -> None:
    problem = the_problem(tmp_path)
    assert problem.got == "a folder"
    assert str(tmp_path / "task.yaml") in problem.fix


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("- a\n- b\n", "a list"),
        ("hello\n", "a single value"),
        ("", "an empty file"),
        ("# a comment\n", "an empty file"),
    ],
)
def test_what_is_no_mapping_is_named(tmp_path: Path, text: str, got: str) -> None:
    path = write_task(tmp_path, text)
    problem = the_problem(path)
    assert problem.where.startswith(str(path))
    assert problem.got == got
    assert "`name:`" in problem.wanted
    assert "ladder init" in problem.fix


def test_tabs_are_named_by_line_with_their_mending(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.replace("  min_score", "\tmin_score"))
    problem = the_problem(path)
    assert problem.where == f"{path}:7"
    assert "\\t" in problem.got
    assert problem.wanted == "valid YAML"
    assert problem.fix == "Indent with spaces, not tabs."


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_an_unclosed_bracket_at_the_end_is_no_crash(tmp_path: Path, end: str) -> None:
    path = write_task(tmp_path, GOOD + "answer: {labels: [a" + end)
    problem = the_problem(path)
    assert problem.where.startswith(f"{path}:")
    assert problem.wanted == "valid YAML"


def test_bytes_that_are_not_utf8_are_named_by_offset(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.encode() + b"# \xff\n")
    problem = the_problem(path)
    assert f"offset {len(GOOD) + 2}" in problem.got
    assert problem.wanted == "UTF-8 text"
    assert problem.fix == "Save the file with UTF-8 encoding."


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load_task(write_task(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())).name == "sorting"


def test_a_file_of_more_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD + "# " + "x" * 1_000_000 + "\n")
    problem = the_problem(path)
    assert problem.wanted == "at most 1 MB"
    assert "`data:`" in problem.fix


def test_a_number_of_5000_digits_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD + f"seed: {'9' * 5000}\n")
    problem = the_problem(path)
    assert problem.where.startswith(str(path))
    assert "digits" in problem.got
    assert len(str(problem)) < len(str(path)) + 400, "the number itself is not printed"
    assert problem.fix


@pytest.mark.parametrize("number", ["1e999", "1.0e+999", ".inf", "-.inf", ".nan"])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, number: str) -> None:
    path = write_task(tmp_path, GOOD.replace("0.5", number))
    problem = the_problem(path)
    assert problem.where == f"{path}:7: gate.min_score"
    assert problem.wanted == "a finite number"


def test_an_empty_list_of_scorers_is_got_and_not_wanted(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.replace("exact_match", "[]"))
    problem = the_problem(path)
    assert problem.where == f"{path}:5: score"
    assert problem.got == "[]"
    assert "at least one scorer" in str(problem)
    assert "empty" not in problem.wanted


def test_an_unknown_key_names_the_nearest_one(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD + "hardwear: {usd_per_hour: 1}\n")
    problem = the_problem(path)
    assert problem.where == f"{path}:8: hardwear"
    assert problem.got == "the unknown key `hardwear`"
    assert problem.wanted.startswith("one of name, goal, data")
    assert problem.fix == "Did you mean `hardware`?"


@pytest.mark.parametrize(
    ("more", "key", "near", "sibling"),
    [
        (
            "use: {requests_per_mouth: 5}\n",
            "use.requests_per_mouth",
            "requests_per_month",
            "concurrency",
        ),
        (
            "prices: {input_usd_per_1m: 1, output_usd_per_1m: 2, sorce: x}\n",
            "prices.sorce",
            "source",
            "output_usd_per_1m",
        ),
        ("answer: {shema: {}}\n", "answer.shema", "schema", "max_tokens"),
    ],
)
def test_an_unknown_key_inside_a_section_names_that_sections_keys(
    tmp_path: Path, more: str, key: str, near: str, sibling: str
) -> None:
    path = write_task(tmp_path, GOOD + more)
    problem = the_problem(path)
    assert problem.where == f"{path}:8: {key}"
    assert problem.got == f"the unknown key `{key.split('.')[1]}`"
    assert sibling in problem.wanted
    assert "goal" not in problem.wanted
    assert problem.fix == f"Did you mean `{near}`?"


def test_a_far_off_key_gets_no_guess(tmp_path: Path) -> None:
    assert the_problem(write_task(tmp_path, GOOD + "zzzzqqqq: 1\n")).fix == ""


def test_a_key_that_is_a_number_is_named_by_its_line(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD + "7: x\n")
    assert the_problem(path).where.startswith(f"{path}:8: 7")


def test_missing_keys_are_all_named(tmp_path: Path) -> None:
    problems = problems_of(write_task(tmp_path, "name: x\n"))
    assert {p.wanted for p in problems} == {
        f"the key `{k}`" for k in ("goal", "data", "score", "gate")
    }
    assert {p.got for p in problems} == {"nothing"}
    assert {p.fix for p in problems} == {"It is required."}


def test_several_mistakes_come_in_one_go_each_with_its_line(tmp_path: Path) -> None:
    text = """\
name: -bad
goal: hi
data:
  examples: rows.jsonl
  tests: rows.jsonl
score: exact_match
gate:
  min_score: 7
  max_p95_ms: soon
seed: -1
seed: 2
"""
    path = write_task(tmp_path, text)
    found = {problem.where: problem for problem in problems_of(path)}
    assert set(found) == {
        f"{path}:1: name",
        f"{path}:2: goal",
        f"{path}:5: data.tests",
        f"{path}:8: gate.min_score",
        f"{path}:9: gate.max_p95_ms",
        f"{path}:11: seed",
    }
    assert found[f"{path}:1: name"].got == "'-bad'"
    assert "letters" in found[f"{path}:1: name"].wanted
    assert "3 characters" in found[f"{path}:2: goal"].wanted
    assert found[f"{path}:5: data.tests"].fix == "Did you mean `test`?"
    assert found[f"{path}:8: gate.min_score"].got == "7"
    assert found[f"{path}:8: gate.min_score"].wanted == "a share from 0 to 1"
    assert "number" in found[f"{path}:9: gate.max_p95_ms"].wanted


@pytest.mark.parametrize(
    ("more", "where", "got"),
    [
        ("name: again\n", "8: name", "a second `name` (first on line 1)"),
        ("  min_score: 0.9\n", "8: gate.min_score", "a second `min_score` (first on line 7)"),
    ],
)
def test_a_duplicate_key_is_named_with_both_lines(
    tmp_path: Path, more: str, where: str, got: str
) -> None:
    path = write_task(tmp_path, GOOD + more)
    problem = the_problem(path)
    assert (problem.where, problem.got) == (f"{path}:{where}", got)
    assert problem.wanted == "one"


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]",
        "!!python/name:os.system",
    ],
)
def test_a_python_tag_is_refused_and_nothing_runs(tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "pwned"
    path = write_task(tmp_path, GOOD + f"answer: {tag.format(mark=mark)}\n")
    problem = the_problem(path)
    assert problem.where == f"{path}:8"
    assert "tag:yaml.org,2002:python/" in problem.got
    assert problem.wanted == "valid YAML"
    assert not mark.exists()


@pytest.mark.parametrize(
    "value",
    ["!!timestamp x", "!!bool x", '!!int ""', '!!float ""', "0b", "2024-99-99", "!!set [a]"],
)
def test_a_value_that_yaml_cannot_build_is_a_problem(tmp_path: Path, value: str) -> None:
    path = write_task(tmp_path, GOOD + f"seed: {value}\n")
    assert problems_of(path)[0].where.startswith(str(path))


def bomb(kind: str) -> str:
    """Return a small file that grows to 10**11 values when its aliases are followed."""
    if kind == "merge":
        lines = ["x0: &m0 {q: 1}"]
        lines += [f"x{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 10)}]}}" for i in range(1, 11)]
        return GOOD + "\n".join(lines) + "\n"
    lines = ["x0: &m0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"x{i}: &m{i} [{', '.join([f'*m{i - 1}'] * 10)}]" for i in range(1, 11)]
    text = GOOD + "\n".join(lines) + "\n"
    return {
        "unknown keys": text,
        "labels": text + "answer: {labels: *m10}\n",
        "schema": text + "answer: {schema: {x: *m10}}\n",
        "goal": (text + "goal: *m10\n").replace("goal: Sort the notes.\n", ""),
    }[kind]


@pytest.mark.parametrize("kind", ["unknown keys", "labels", "schema", "goal", "merge"])
def test_an_alias_bomb_neither_hangs_nor_fills_the_memory(tmp_path: Path, kind: str) -> None:
    path = write_task(tmp_path, bomb(kind))
    program = (
        "import resource, sys, pathlib\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from ladder.errors import TaskError\n"
        "from ladder.task import load_task\n"
        "try: load_task(pathlib.Path(sys.argv[1]))\n"
        "except TaskError as error: print(len(str(error)), error)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"a bomb in {kind} hangs load_task")
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout.split()[0]) < 20_000


def test_examples_stand_alone(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.replace("data:\n", "data:\n  test: rows.jsonl\n"))
    problem = the_problem(path)
    assert problem.where == f"{path}:5: data.examples"
    assert problem.got == "`examples` beside `test`"
    assert "`train` and `test`" in problem.fix


def test_without_held_out_rows_there_is_no_task(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.replace("examples:", "train:"))
    problem = the_problem(path)
    assert problem.where == f"{path}:3: data.test"
    assert problem.got == "neither `test` nor `examples`"
    assert problem.wanted == "one of them"
    assert "nothing can be measured" in problem.fix


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def read_or_refuse(text: str) -> None:
    """Fail on anything but a task, or a TaskError whose every problem names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_task(Path(folder), text)
        problems: tuple[Problem, ...] = ()
        try:
            assert load_task(path).source == path
        except TaskError as error:
            problems = error.problems
        assert all(problem.where.startswith(str(path)) for problem in problems)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Task.model_fields)), VALUES, max_size=5))
def test_any_values_give_a_task_or_a_task_error(values: dict[str, object]) -> None:
    read_or_refuse(yaml.safe_dump({**yaml.safe_load(GOOD), **values}, allow_unicode=True))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 12),
    st.text(st.sampled_from("abc:{}[]&*!|>-?,#'\"%@` \n\t\\0159é"), max_size=8),
)
def test_any_damage_gives_a_task_or_a_task_error(at: int, cut: int, put: str) -> None:
    read_or_refuse(GOOD[:at] + put + GOOD[at + cut :])


def test_a_missing_data_file_is_named_in_the_same_go_as_a_wrong_key(tmp_path: Path) -> None:
    path = write_task(tmp_path, GOOD.replace("rows.jsonl", "none.jsonl") + "sed: 1\n")
    assert {problem.where for problem in problems_of(path)} == {
        f"{path}:4: data.examples",
        f"{path}:8: sed",
    }


def test_an_honest_alias_is_read(tmp_path: Path) -> None:
    text = GOOD + "answer: {labels: &known [good, bad], schema: {enum: *known}}\n"
    answer = load_task(write_task(tmp_path, text)).answer
    assert answer.labels == ("good", "bad")
    assert answer.json_schema == {"enum": ["good", "bad"]}


@pytest.mark.parametrize(
    ("given", "meant"), [("90", "Did you mean 0.9?"), ("85.5", "Did you mean 0.855?"), ("1.5", "")]
)
def test_a_score_in_percent_is_told_its_share(tmp_path: Path, given: str, meant: str) -> None:
    text = GOOD.replace("min_score: 0.5", f"min_score: {given}")
    problem = the_problem(write_task(tmp_path, text))
    assert problem.wanted == "a share from 0 to 1"
    assert problem.fix == meant


def test_one_rung_needs_no_list(tmp_path: Path) -> None:
    assert load_task(write_task(tmp_path, GOOD + "rungs: rag\n")).rungs == ("rag",)


def test_an_unknown_field_of_columns_is_named_with_the_known_ones(tmp_path: Path) -> None:
    text = GOOD.replace("examples: rows.jsonl", "examples: rows.jsonl\n  columns: {inptu: text}")
    problem = the_problem(write_task(tmp_path, text))
    assert problem.where.endswith("task.yaml:5: data.columns.inptu")
    assert "'input'" in problem.wanted


def test_a_misspelt_store_names_the_key(tmp_path: Path) -> None:
    path = with_store(tmp_path, "lancedb:kept")
    path.write_text(path.read_text().replace("store:", "stor:"))
    (problem,) = problems_of(path)
    assert problem.fix == "Did you mean `store`?"


@pytest.mark.parametrize(
    ("labels", "got", "fix"),
    [
        ("[yes, no]", "`yes`, `no`, which YAML reads as true or false", '["yes", "no"]'),
        ("[yes, maybe, no]", "`yes`, `no`", '["yes", "maybe", "no"]'),
        ("[On, OFF]", "`On`, `OFF`", '["On", "OFF"]'),
        ("[a, ~]", "`~`, which YAML does not read as text", '["a", "~"]'),
        ("[1.10, 1.2]", "`1.10`, `1.2`", '["1.10", "1.2"]'),
        ("[010, 8]", "`010`", '["010", "8"]'),
        ("[12:30, 1_000]", "`12:30`, `1_000`", '["12:30", "1_000"]'),
        ("[2026-01-02, a]", "`2026-01-02`", '["2026-01-02", "a"]'),
    ],
)
def test_labels_that_yaml_reads_as_something_else_are_told_in_quotes(
    tmp_path: Path, labels: str, got: str, fix: str
) -> None:
    text = GOOD + f"answer: {{type: label, labels: {labels}}}\n"
    problem = the_problem(write_task(tmp_path, text))
    assert problem.where.endswith("task.yaml:8: answer.labels")
    assert got in problem.got
    assert problem.fix.endswith(fix)


def test_whole_numbers_may_be_labels(tmp_path: Path) -> None:
    text = GOOD + "answer: {type: label, labels: [0, 1, -2]}\n"
    assert load_task(write_task(tmp_path, text)).answer.labels == ("0", "1", "-2")


def test_labels_are_in_one_form_of_unicode_and_stand_once(tmp_path: Path) -> None:
    text = GOOD + 'answer: {type: label, labels: ["acce\u0300s", "acc\u00e8s", " b "]}\n'
    assert load_task(write_task(tmp_path, text)).answer.labels == ("acc\u00e8s", "b")


@pytest.mark.parametrize(
    ("old", "new", "where", "fix"),
    [
        ("name: sorting", "name: 2024", ":1: name", 'Write "2024".'),
        ("goal: Sort the notes.", "goal: yes", ":2: goal", 'Write "yes".'),
        ("examples: rows.jsonl", "examples: no", ":4: data.examples", 'Write "no".'),
    ],
)
def test_other_texts_that_yaml_reads_as_something_else_are_told_too(
    tmp_path: Path, old: str, new: str, where: str, fix: str
) -> None:
    problem = the_problem(write_task(tmp_path, GOOD.replace(old, new)))
    assert problem.where.endswith(where)
    assert problem.fix == fix


def test_keys_that_yaml_reads_as_something_else_are_told(tmp_path: Path) -> None:
    problems = problems_of(write_task(tmp_path, GOOD + "use: {strata: {yes: 0.5, no: 0.5}}\n"))
    assert {problem.fix for problem in problems} == {"Write the keys in quotes."}


@pytest.mark.parametrize("line", ["seed: yes", "use: {months: on}", "answer: {max_tokens: off}"])
def test_yes_and_on_are_no_numbers(tmp_path: Path, line: str) -> None:
    problem = the_problem(write_task(tmp_path, f"{GOOD}{line}\n"))
    assert problem.wanted.startswith("a number (YAML reads yes, no, on and off")


def test_yes_and_no_stay_what_they_are_where_they_are_wanted(tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path, GOOD + "rules: {data_may_leave: yes}\n"))
    assert task.rules.data_may_leave is True
