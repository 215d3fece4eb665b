"""The control answers any rows, in any script; where it holds the gate, a climb may end there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benches import bench_over, task_with
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying
from small_tasks import Row, write_task

from ladder.commands.assess import assess
from ladder.evaluation.control import _chosen_on_dev
from ladder.evaluation.ways import linear
from ladder.evidence import Assessment
from ladder.files import digest_of
from ladder.progress import Quiet
from ladder.report.markdown import as_markdown
from ladder.report.summary import answer_line
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import load_task


def rows(*pairs: tuple[str, str]) -> list[Sample]:
    return [Sample(str(at), text, target) for at, (text, target) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("good", "bad", "asked"),
    [
        (["😀 ❤", "🥰 😁"], ["😤 💔", "🤮 😢"], ["😀 😁", "💔 🤮"]),
        (["很好吃", "服务很好"], ["很难吃", "服务很差"], ["真好", "真差"]),
        (["!", "! !"], ["?", "? ?"], ["!", "?"]),
        (["อร่อยมาก", "อร่อยดี"], ["แย่มาก", "แย่ที่สุด"], ["อร่อย", "แย่"]),
    ],
)
def test_rows_of_any_signs_are_told_apart(
    good: list[str], bad: list[str], asked: list[str]
) -> None:
    train = rows(*((text, "good") for text in good), *((text, "bad") for text in bad))
    assert linear(train)(asked) == ["good", "bad"]


def test_rows_without_a_sign_are_answered_by_the_majority() -> None:
    assert linear(rows(("", "a"), ("", "b"), ("", "b")))(["", "x"]) == ["b", "b"]


def word_of(split: str, number: int) -> dict[str, str]:
    """A label that one word gives away, in other words each time."""
    label = ("bread", "cake", "pie")[number % 3]
    return {"input": f"{split} order {digest_of([split, number])[:12]} {label}", "target": label}


def no_word_of(split: str, number: int) -> dict[str, str]:
    """A label that nothing gives away."""
    seed = digest_of([split, number])
    return {"input": f"{split} order {seed[:12]}", "target": ("a", "b")[int(seed[20], 16) % 2]}


def assessed(folder: Path, row: Row, **fields: Any) -> tuple[Assessment, int]:
    """Assess with a base that answers nonsense; return what was found, and its requests."""
    every = fields.pop("every", False)
    folder.mkdir()
    with FaultyServer() as server:
        models = {"base": f"openai:any@{server.url}"}
        usual = {"answer": {"type": "label"}, "score": "exact_match", "models": models}
        path = write_task(folder, row, 90, 200, **{**usual, **fields})
        found, _ = assess(load_task(path), folder / "runs", Quiet(), until="prompt", every=every)
        kinds = [request for request in server.seen if request.payload.get("messages")]
    return found, len(kinds)


def test_where_the_control_holds_the_gate_no_model_is_asked(tmp_path: Path) -> None:
    gate = {"min_score": 0.8, "max_p95_ms": 1000, "max_cost_usd_per_1k": 1}
    use = {"requests_per_month": 1_000_000}  # one machine at 0.2 USD an hour: 0.146 per 1,000
    found, requests = assessed(tmp_path / "easy", word_of, gate=gate, use=use)
    answer, control = found.recommendation, found.control
    assert control is not None
    assert control.verdict is not None
    assert (answer.control, answer.rung, answer.confirmed_verdict) == (True, None, "pass")
    assert answer.description == control.judged == "TF-IDF + logistic regression"
    assert [limit.limit for limit in control.verdict.limits] == [
        "min_score",
        "max_error_rate",
        "max_p95_ms",
        "max_cost_usd_per_1k",
    ]
    assert found.attempts == ()
    assert found.control_calibration is not None
    assert "Probabilities of the linear control's answers" in as_markdown(found)
    assert requests <= 1, "a greeting at most"
    assert "no language model (TF-IDF + logistic regression), confirmed" in answer_line(found)
    assert "`ladder assess --climb` measures the rungs" in as_markdown(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (no_word_of, {}),
        (word_of, {"gate": {"min_score": 0.8, "when_control_passes": "climb"}}),
        (word_of, {"answer": {"type": "text"}}),
        (word_of, {"every": True}),
        (word_of, {"gate": {"min_score": 0.8, "max_cost_usd_per_1k": 1e-12}}),
        (word_of, {"rungs": ["prompt"]}),
    ],
    ids=["no word tells", "the task climbs", "texts", "all", "too dear", "rungs named"],
)
def test_else_the_rungs_are_climbed(tmp_path: Path, row: Row, fields: dict[str, Any]) -> None:
    found, _ = assessed(tmp_path / "task", row, **fields)
    assert [attempt.rung for attempt in found.attempts] == ["prompt"]
    assert not found.recommendation.control


def test_texts_end_at_the_control_where_the_task_says_so(tmp_path: Path) -> None:
    fields = {"answer": {"type": "text"}, "score": "contains"}
    gate = {"min_score": 0.8, "when_control_passes": "stop"}
    found, _ = assessed(tmp_path / "task", word_of, gate=gate, **fields)
    assert found.recommendation.description == "nearest example"


def test_a_control_that_is_judged_has_its_share_of_the_error(tmp_path: Path) -> None:
    """Five systems share 5 %: the bound of the one look is that of 1 %, less a tenth of it."""
    found, _ = assessed(tmp_path / "task", word_of, gate={"min_score": 0.8})
    assert found.control
    assert found.control.verdict
    score = found.control.verdict.limits[0]
    n = found.data.gate
    # The tenth: it may hand its share on. The rest: whole rows cannot spend all of it.
    assert 0.005 < score.low**n <= 0.009
    assert found.data.systems == 5


def test_a_row_that_the_judge_did_not_grade_chooses_no_way(tmp_path: Path) -> None:
    """The first way is right on four rows of four, and two of its answers have no grade.

    The other is right on five rows of six: on three of the four that both were graded on.
    """
    dev = tuple(Sample(f"d{at}", f"question {at}", "right") for at in range(6))
    answers = {
        "four of four": ["right"] * 4 + ["ungraded"] * 2,
        "five of six": ["right"] * 3 + ["wrong"] + ["right"] * 2,
    }

    def script(seen: Seen) -> Step:
        if "ungraded" in seen.question:
            return failing(400, "this is not judged")
        return saying("no" if '"wrong"' in seen.question else "yes")

    with FaultyServer(script) as server:
        judge = {"rubric": "Is it right?", "model": f"openai:judge@{server.url}"}
        data = Data(dev, dev, dev, (), labels=("right", "wrong"))
        bench = bench_over(task_with(score={"judge": judge}), data, tmp_path)
        assert _chosen_on_dev(bench.evaluator, answers) == "four of four"
