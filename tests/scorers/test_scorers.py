"""Scorers: each keeps the contract, and each scores what its words promise."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ladder.errors import Problem, TaskError
from ladder.scorers import SCORERS, Scorer, make_scorer
from ladder.scorers.contains import contains
from ladder.scorers.exact_match import exact_match
from ladder.scorers.json_fields import json_fields
from ladder.scorers.number import last_number, number
from ladder.scorers.token_f1 import token_f1
from ladder.task import ScorerChoice
from ladder.testing import check_scorer
from ladder.trust.code import Consent

PAIRS = {
    "exact_match": (("a b", "a b"), ("a c", "a b")),
    "contains": (("it is a red ferry now", "red ferry"), ("it is a red car", "red ferry")),
    "token_f1": (("red ferry", "red ferry"), ("blue car", "red ferry")),
    "number": (("it costs 12", "12"), ("it costs 13", "12")),
    "json_fields": (('{"a": 1}', '{"a": 1}'), ('{"a": 2}', '{"a": 1}')),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PUNCTUATION = [
    ("rm -rf a;", "rm -rf a"),
    ("rm -rf a/", "rm -rf a"),
    ("x = [1]", "x = 1"),
    ("not (a)", "not a"),
    ("a != b", "a = b"),
    ("ls *", "ls"),
    ("say 'a'", 'say "a"'),
]


def scorer_problem(choice: ScorerChoice) -> Problem:
    with pytest.raises(TaskError) as caught:
        make_scorer(choice, "task.yaml: score")
    (problem,) = caught.value.problems
    return problem


# The contract


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_every_scorer_keeps_the_contract(name: str) -> None:
    assert name in PAIRS, "a new scorer needs a right and a wrong pair here"
    check_scorer(make_scorer(ScorerChoice(name=name)), *PAIRS[name])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("exact_match", {"lowercase": True}),
        ("token_f1", {"squad": False}),
        ("token_f1", {"squad": False, "lowercase": False}),
        ("number", {"tolerance": 0}),
        ("json_fields", {"exact": True}),
    ],
)
def test_every_parameter_keeps_the_contract(name: str, parameters: dict[str, object]) -> None:
    check_scorer(make_scorer(ScorerChoice(name=name, parameters=parameters)), *PAIRS[name])


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_no_text_makes_a_scorer_raise_or_leave_0_to_1(answer: str, target: str) -> None:
    for make in SCORERS.values():
        assert 0 <= make()(answer, target).value <= 1


# exact_match and token_f1


@pytest.mark.parametrize(("answer", "target"), PUNCTUATION)
@pytest.mark.parametrize("lowercase", [False, True])
def test_exact_match_never_folds_punctuation(answer: str, target: str, lowercase: bool) -> None:
    assert exact_match(lowercase=lowercase)(answer, target).value == 0
    assert exact_match(lowercase=lowercase)(target, answer).value == 0


@pytest.mark.parametrize(("answer", "target"), PUNCTUATION)
def test_token_f1_without_squad_never_folds_punctuation(answer: str, target: str) -> None:
    assert token_f1(squad=False)(answer, target).value < 1
    assert token_f1(squad=False)(target, answer).value < 1


@given(TEXT, st.sampled_from(string.punctuation), st.integers(0, 30))
def test_one_added_mark_is_always_a_difference(text: str, mark: str, at: int) -> None:
    marked = text[:at] + mark + text[at:]
    assert exact_match()(marked, text).value == 0
    assert token_f1(squad=False)(marked, text).value < 1


@given(TEXT)
def test_a_text_equals_itself_however_it_is_spaced(text: str) -> None:
    spaced = "\n " + "  ".join(text.split()) + "\t"
    assert exact_match()(spaced, text).value == 1
    assert token_f1(squad=False)(spaced, text).value == 1


def test_exact_match_folds_case_only_when_asked() -> None:
    assert exact_match()("Yes", "yes").value == 0
    assert exact_match(lowercase=True)("STRASSE", "straße").value == 1
    assert exact_match()("Yes", "yes").reason == "differs from the target"


def test_token_f1_without_squad_folds_case_unless_told_not_to() -> None:
    assert token_f1(squad=False)("Red ferry", "red ferry").value == 1
    assert token_f1(squad=False, lowercase=False)("Red ferry", "red ferry").value == 0.5


def test_token_f1_with_squad_folds_what_squad_folds() -> None:
    assert token_f1()("The ferry.", "a Ferry").value == 1
    assert token_f1()("the red ferry leaves", "red ferry").value == pytest.approx(0.8)


def test_token_f1_counts_a_repeated_word_as_often_as_it_is_wanted() -> None:
    assert token_f1(squad=False)("x x x x", "x").value == pytest.approx(0.4)


@pytest.mark.parametrize(("answer", "target"), [("", "word"), ("word", "")])
def test_token_f1_of_an_empty_text_is_zero(answer: str, target: str) -> None:
    assert token_f1()(answer, target).value == 0


# contains


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("It leaves at nine, from pier 4.", "pier 4", 1),
        ("The Pier-4", "pier4", 1),
        ("a category", "cat", 0),
        ("concatenate", "cat", 0),
        ("pier 42", "pier 4", 0),
        ("pier number 4", "pier 4", 0),
        ("4 pier", "pier 4", 0),
        ("", "pier 4", 0),
        ("pier", "", 0),
    ],
)
def test_contains_looks_for_whole_words_in_order(answer: str, target: str, value: int) -> None:
    assert contains()(answer, target).value == value


def test_contains_finds_a_target_that_is_an_article() -> None:
    assert contains()("The answer is A.", "A").value == 1
    assert contains()("The answer is B.", "A").value == 0


# number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234,567.5", 1234567.5),
        ("first 3, then 4, so 7", 7),
        ("the total is $1,000.", 1000),
        ("12, ", 12),
        ("-0.5", -0.5),
        ("+3", 3),
        (".25", 0.25),
        ("2.5e3 m", 2500),
        ("\u22125", -5),
        ("no number", None),
        ("", None),
        ("1e999", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_number_is_read(text: str, value: float | None) -> None:
    assert last_number(text) == value


@settings(max_examples=80)
@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 3)))
def test_a_number_is_read_as_it_is_printed(value: float) -> None:
    assert last_number(f"2 steps give {value:,.3f} in all") == value
    assert last_number(f"result: {value!r}.") == value


def test_numbers_within_the_tolerance_are_equal() -> None:
    assert number()("1,000", "1000.0").value == 1
    assert number()("1001", "1000").value == 0
    assert number(tolerance=0.01)("1009", "1000").value == 1
    assert number(tolerance=0.01)("1011", "1000").value == 0
    assert number(tolerance=0)("0.1", "0.1").value == 1
    assert number(tolerance=0)("0.1000001", "0.1").value == 0


def test_the_tolerance_is_relative_for_small_numbers_too() -> None:
    assert number(tolerance=0.05)("0.04", "0.01").value == 0


def test_a_missing_number_is_a_reason() -> None:
    assert number()("none", "1").reason == "no number in the answer"
    assert number()("1", "none").reason == "no number wanted"


# json_fields


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ('{"a": {"b": 1, "c": [2, 3]}}', '{"a": {"c": [2, 3], "b": 1}}', 1),
        ('{"a": {"b": 1, "c": 9}}', '{"a": {"b": 1, "c": 2}}', 0.5),
        ('{"a": 1, "b": 2, "x": 3, "y": 4}', '{"a": 1, "b": 2}', 2 / 3),
        ('{"a": 1}', '{"a": 1, "b": 2}', 2 / 3),
        ("[1, 2]", "[2, 1]", 0),
        ("{}", "{}", 1),
        ('{"a": {}}', '{"a": []}', 0),
        ('{"a": 1.0}', '{"a": 1}', 1),
        ('{"a": "1"}', '{"a": 1}', 0),
        ("not json", '{"a": 1}', 0),
        ("", '{"a": 1}', 0),
    ],
)
def test_json_fields_are_compared_by_their_leaves(answer: str, target: str, value: float) -> None:
    assert json_fields()(answer, target).value == pytest.approx(value)


@pytest.mark.parametrize(("one", "other"), [("true", "1"), ("false", "0"), ("null", "0")])
def test_json_fields_keep_true_and_1_apart(one: str, other: str) -> None:
    left, right = f'{{"a": {one}}}', f'{{"a": {other}}}'
    assert json_fields()(left, right).value == json_fields()(right, left).value == 0
    assert json_fields()(left, left).value == 1


def test_json_fields_keep_a_dotted_key_and_a_nested_one_apart() -> None:
    assert json_fields()('{"a.b": 1}', '{"a": {"b": 1}}').value == 0


def test_json_fields_take_null_for_a_value() -> None:
    assert json_fields()("null", "null").value == 1


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "  ```json {} ```\n"])
def test_json_fields_read_a_code_fence(fence: str) -> None:
    assert json_fields()(fence.replace("{}", '{"a": 1}'), '{"a": 1}').value == 1


def test_json_fields_exact_wants_every_field_and_no_more() -> None:
    exact = json_fields(exact=True)
    assert exact('{"b": 2, "a": 1}', '{"a": 1, "b": 2}').value == 1
    assert exact('{"a": 1}', '{"a": 1, "b": 2}').value == 0
    assert exact('{"a": 1, "b": 2, "c": 3}', '{"a": 1, "b": 2}').value == 0


@pytest.mark.parametrize("depth", [50, 300, 700, 900, 960, 100_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_json_fields_survive_deep_nesting(depth: int, start: str, end: str) -> None:
    deep = start * depth + "1" + end * depth
    for answer, target in ((deep, '{"a": 1}'), ('{"a": 1}', deep), (deep, deep)):
        assert 0 <= json_fields()(answer, target).value <= 1


JSON = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab. ", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=8,
)


@given(JSON)
@example({"a": [True, 1, {"b": "1"}]})
def test_json_fields_give_1_to_the_same_value(value: object) -> None:
    assert json_fields()(json.dumps(value, indent=1), json.dumps(value)).value == 1
    assert json_fields(exact=True)(json.dumps(value), json.dumps(value)).value == 1


# Names


def test_an_unknown_scorer_suggests_the_nearest() -> None:
    problem = scorer_problem(ScorerChoice(name="exact_mach"))
    assert problem.where == "task.yaml: score"
    assert problem.got == "`exact_mach`"
    for name in SCORERS:
        assert name in problem.wanted
    assert problem.fix == "Did you mean `exact_match`?"


def test_a_scorer_like_no_other_is_told_how_to_bring_ones_own() -> None:
    assert "`module:name`" in scorer_problem(ScorerChoice(name="zzzz")).fix


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"tolernace": 1}, "tolernace"), ({"tolerance": -1}, "a tolerance of 0 or more")],
)
def test_a_parameter_that_does_not_fit_is_named(parameters: dict[str, int], said: str) -> None:
    problem = scorer_problem(ScorerChoice(name="number", parameters=parameters))
    assert problem.where == "task.yaml: score.number"
    assert str(parameters) in problem.got
    assert said in problem.wanted


OWN = """\
from ladder.scorers.base import Score

def ends(*, length=1):
    return lambda answer, target: Score(float(answer[-length:] == target[-length:]))
"""


def test_a_scorer_of_ones_own_is_used_with_its_parameters(tmp_path: Path) -> None:
    (tmp_path / "own_scorers").mkdir()
    (tmp_path / "own_scorers" / "mine.py").write_text(OWN)
    allowed = Consent(tmp_path / "task.yaml", "all")
    name = "own_scorers.mine:ends"
    scorer: Scorer = make_scorer(ScorerChoice(name=name), consent=allowed)
    assert scorer("abc", "xxc").value == 1
    longer = make_scorer(ScorerChoice(name=name, parameters={"length": 2}), consent=allowed)
    assert longer("abc", "xxc").value == 0
    check_scorer(scorer, ("abc", "xxc"), ("abc", "xxd"))


@pytest.mark.parametrize("name", ["no_such_package.mine:ends", "yaml:no_such_name"])
def test_a_scorer_of_ones_own_that_is_not_there_is_named(name: str) -> None:
    problem = scorer_problem(ScorerChoice(name=name))
    assert problem.where == "task.yaml: score"
    assert f"`{name}`" in problem.got
    assert problem.wanted == "a scorer beside the task"
    assert f"trusted_packages: [{name.partition(':')[0].partition('.')[0]}]" in problem.fix


METRIC = """\
import datasets
import evaluate


class Halves(evaluate.Metric):
    def _info(self):
        features = datasets.Features(
            {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
        )
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=features
        )

    def _compute(self, predictions, references):
        same = float(predictions[0][:1] == references[0][:1])
        return {"first": same, "tenfold": 10 * same, "half": same / 2}
"""
USE_METRIC = """\
import json, sys
from ladder.errors import LadderError
from ladder.scorers import make_scorer
from ladder.task import ScorerChoice
from ladder.trust.code import Consent
folder = sys.argv[1]
allowed = Consent(granted="all")
found = []
for parameters in ({}, {"field": "half"}, {"field": "tenfold"}):
    choice = ScorerChoice(name=f"evaluate:{folder}", parameters=parameters)
    scorer = make_scorer(choice, consent=allowed)
    scores = [scorer(answer, "abc") for answer in ("axx", "xxx", "")]
    found.append([[score.value, score.reason] for score in scores])
try:
    make_scorer(ScorerChoice(name="evaluate:" + folder + "-is-not-there"), consent=allowed)
    refusal = "none"
except LadderError as error:
    refusal = str(error)
except Exception as error:
    refusal = f"a raw {type(error).__name__}"
print(json.dumps([found, refusal]))
"""


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[list[object]]], str]:
    """Score with a metric in a process of its own, offline: its library is slow to load."""
    root = tmp_path_factory.mktemp("metric")
    folder = root / "halves"
    folder.mkdir()
    (folder / "halves.py").write_text(METRIC)
    offline = {
        "HF_HOME": str(root / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", USE_METRIC, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, **offline},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found, refusal = json.loads(done.stdout.splitlines()[-1])
    return folder, found, refusal


def test_a_metric_of_the_evaluate_library_runs_from_a_local_folder(
    metric: tuple[Path, list[list[list[object]]], str],
) -> None:
    folder, (first, half, tenfold), _ = metric
    assert [value for value, _ in first] == [1, 0, 0]
    assert [value for value, _ in half] == [0.5, 0, 0]
    assert [value for value, _ in tenfold] == [1, 0, 0], "a score stays within 0..1"
    assert first[0][1] == f"{folder}: 1"


def test_a_metric_that_is_not_there_is_told(
    metric: tuple[Path, list[list[list[object]]], str],
) -> None:
    folder, _, refusal = metric
    assert f"{folder}-is-not-there" in refusal


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:eval"])
def test_a_task_cannot_have_the_standard_library_run_something(name: str, tmp_path: Path) -> None:
    choice = ScorerChoice(name=name, parameters={"command": f"touch {tmp_path / 'ran'}"})
    for granted in ("nothing", "trusted", "all"):
        with pytest.raises(TaskError, match="a scorer of your own"):
            make_scorer(choice, consent=Consent(tmp_path / "task.yaml", granted))
    assert not (tmp_path / "ran").exists()
