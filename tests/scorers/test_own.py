"""The scorer `own`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ladder.errors import Problem, TaskError
from ladder.scorers import Scorer, make_scorer
from ladder.task import ScorerChoice
from ladder.testing import check_scorer
from ladder.trust.code import Consent


def scorer_problem(choice: ScorerChoice) -> Problem:
    with pytest.raises(TaskError) as caught:
        make_scorer(choice, "task.yaml: score")
    (problem,) = caught.value.problems
    return problem


def test_a_scorer_like_no_other_is_told_how_to_bring_ones_own() -> None:
    assert "`module:name`" in scorer_problem(ScorerChoice(name="zzzz")).fix


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


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:eval"])
def test_a_task_cannot_have_the_standard_library_run_something(name: str, tmp_path: Path) -> None:
    choice = ScorerChoice(name=name, parameters={"command": f"touch {tmp_path / 'ran'}"})
    for granted in ("nothing", "trusted", "all"):
        with pytest.raises(TaskError, match="a scorer of your own"):
            make_scorer(choice, consent=Consent(tmp_path / "task.yaml", granted))
    assert not (tmp_path / "ran").exists()
