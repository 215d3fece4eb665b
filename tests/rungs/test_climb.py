"""The climb's own decisions: when to stop, when to refuse, what to say. No model is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ladder.advice.recommend import choose
from ladder.climb.loop import climb_rungs, ends, refusal
from ladder.evidence import (
    Attempt,
    Candidate,
    Diagnosis,
    Estimate,
    LimitVerdict,
    Measurement,
    TokenUse,
)
from ladder.gate.verdict import combine, score_holds
from ladder.models.cache import Cache
from ladder.progress import Quiet
from ladder.rungs import LADDER
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.task import RUNGS, Task


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    task = Task.model_validate(
        {
            "name": "t",
            "goal": "Sort the mail.",
            "data": {"test": "t.jsonl"},
            "score": "exact_match",
            "gate": {"min_score": 0.8, "max_p95_ms": 100},
        }
    )
    store = Cache(tmp_path / "s.sqlite")
    return Bench(task, Data((), (), (), ()), store, tmp_path / "run", tmp_path / "artefacts")


@dataclass
class FixedRung:
    """A rung that is always available; what it measures is given."""

    NAME: str
    STAGES: tuple[()] = ()
    CHALLENGERS: tuple[()] = ()

    def unavailable(self, bench: Bench) -> str | None:
        return None


def attempt(rung: str, score: str = "pass", latency: str = "pass", **more: object) -> Attempt:
    distance = {"pass": 0.1, "fail": -0.1, "undecided": 0.01}
    limits = [
        LimitVerdict(limit=name, wanted=0.8, got=0.8 + distance[word], distance=distance[word],
                     verdict=word)
        for name, word in (("min_score", score), ("max_p95_ms", latency))
    ]  # fmt: skip
    verdict = combine(limits)
    status = {"pass": "passed", "fail": "failed"}.get(verdict.status, "undecided")
    return Attempt(
        rung=rung,
        status=status,
        verdict=verdict,
        candidate=Candidate(rung=rung, description="x", model="replay:x"),
        measurement=Measurement(
            score=Estimate(mean=0.8 + distance[score], low=0.7, high=0.9, n=50),
            tokens=TokenUse(input_mean=1, output_mean=1),
        ),
        **more,
    )


def climbed(bench: Bench, monkeypatch: pytest.MonkeyPatch, outcomes: dict[str, Attempt], **how):
    """Bench over fixed outcomes: only measuring is replaced."""
    monkeypatch.setattr(
        "ladder.commands.assess.attempt_rung", lambda bench, rung, *, every: outcomes[rung.NAME]
    )
    return climb_rungs(bench, [FixedRung(name) for name in RUNGS], **how)


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        (("pass",), ["passed"]),
        (("fail", "pass"), ["failed", "passed"]),
        (("fail", "fail", "pass"), ["failed", "failed", "passed"]),
        (("fail", "fail", "fail"), ["failed", "failed", "failed", "skipped"]),
        (("undecided",), ["undecided"]),
    ],
)
def test_the_climb_stops_at_the_first_rung_that_passes(bench, monkeypatch, scores, stops):
    outcomes = {name: attempt(name, score) for name, score in zip(RUNGS, scores, strict=False)}
    found = climbed(bench, monkeypatch, outcomes)
    assert [a.status for a in found] == stops


def test_every_rung_is_measured_when_asked(bench, monkeypatch):
    outcomes = {name: attempt(name) for name in RUNGS}
    found = climbed(bench, monkeypatch, outcomes, every=True)
    assert [a.rung for a in found] == list(RUNGS)


def test_until_is_the_last_rung(bench, monkeypatch):
    outcomes = {name: attempt(name, "fail") for name in RUNGS}
    found = climbed(bench, monkeypatch, outcomes, until="rag")
    assert [a.rung for a in found] == ["prompt", "rag"]


def test_training_is_refused_when_the_gap_is_retrieval(bench, monkeypatch):
    gap = Diagnosis(causes=(), refuses=("lora", "distill"))
    outcomes = {
        "prompt": attempt("prompt", "fail"),
        "rag": attempt("rag", "fail", diagnosis=gap),
    }
    found = climbed(bench, monkeypatch, outcomes)
    assert [a.status for a in found] == ["failed", "failed", "skipped", "skipped"]
    assert (found[2].refused_after, found[2].reason) == ("rag", "")


def test_latency_alone_goes_to_the_student(bench, monkeypatch):
    slow = Diagnosis(causes=(), refuses=("rag", "lora"))
    outcomes = {
        "prompt": attempt("prompt", "pass", "fail", diagnosis=slow),
        "distill": attempt("distill"),
    }
    found = climbed(bench, monkeypatch, outcomes)
    assert [a.status for a in found] == ["failed", "skipped", "skipped", "passed"]


def test_no_student_without_a_system_that_holds_the_score(bench):
    bench.history.attempts.append(attempt("prompt", "fail"))
    assert "nothing worth teaching" in str(refusal(bench, FixedRung("distill"), every=False))
    bench.history.attempts.append(attempt("lora", "pass", "fail"))
    assert refusal(bench, FixedRung("distill"), every=False) is None


def test_score_holds_looks_at_the_score_alone():
    assert score_holds(attempt("lora", "pass", "fail").verdict)
    assert not score_holds(attempt("lora", "fail", "pass").verdict)


def deciding(bench: Bench, when_undecided: str, watch: object = None) -> Bench:
    gate = bench.task.gate.model_copy(update={"when_undecided": when_undecided})
    bench.task = bench.task.model_copy(update={"gate": gate})
    bench.evaluator.watch = watch or bench.evaluator.watch
    return bench


def leaning_badly(rung: str) -> Attempt:
    """Undecided, with an estimate on the wrong side."""
    found = attempt(rung, "undecided")
    assert found.verdict is not None
    return found.model_copy(
        update={"verdict": found.verdict.model_copy(update={"unproven": False})}
    )


@pytest.mark.parametrize(
    ("way", "if_it_holds", "if_it_does_not"),
    [("lean", True, False), ("climb", False, False), ("stop", True, True), ("ask", True, False)],
)
def test_what_an_undecided_rung_does_is_the_tasks_choice(bench, way, if_it_holds, if_it_does_not):
    deciding(bench, way)
    assert ends(bench, attempt("prompt", "undecided")) == if_it_holds
    assert ends(bench, leaning_badly("prompt")) == if_it_does_not
    assert ends(bench, attempt("prompt", "pass"))
    assert not ends(bench, attempt("prompt", "undecided", "fail"))


def test_a_person_who_is_asked_decides(bench):
    class Contrary(Quiet):
        def ask(self, question: str, default: bool) -> bool:
            assert "prompt is undecided" in question
            return not default

    deciding(bench, "ask", Contrary())
    assert not ends(bench, attempt("prompt", "undecided"))
    assert ends(bench, leaning_badly("prompt"))


def test_the_choice_prefers_proof_only_where_the_task_climbs_for_it(bench):
    attempts = [attempt("prompt", "undecided"), attempt("rag", "pass")]
    assert choose(bench.task, attempts) is attempts[0]
    assert choose(deciding(bench, "climb").task, attempts) is attempts[1]
    assert choose(bench.task, attempts[:1]) is attempts[0]
    assert choose(bench.task, [attempt("prompt", "fail"), leaning_badly("rag")]) is None


def test_the_ladder_is_in_the_order_of_the_task_file():
    assert tuple(rung.NAME for rung in LADDER) == RUNGS


def test_rungs_say_why_they_cannot_be_tried(bench):
    reasons = {rung.NAME: rung.unavailable(bench) for rung in LADDER}
    assert reasons["prompt"] is None
    assert "nothing to read" in reasons["rag"]
    assert "too few" in reasons["lora"]
    assert "too few" in reasons["distill"]
