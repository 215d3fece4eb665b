"""The way up: when it stops, what it refuses, and what an undecided rung does.

Every rung has one candidate, whose answers are recorded: right as often as its name says.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from benches import NO_DATA, bench_over, task_with
from replayed import GivenRung, asking, of, replayed

from ladder.advice.recommend import choose
from ladder.climb.attempt import explain_context
from ladder.climb.loop import climb_rungs
from ladder.diagnosis.changes import changes, diagnostic_ablations
from ladder.diagnosis.context_costs import BUDGETS, PLACES
from ladder.economy.cost import since
from ladder.errors import EndpointDownError
from ladder.evidence import Attempt, Candidate, Control, ControlLine, Estimate, Retrieval
from ladder.gate.verdict import combine, judge_cost, judge_score
from ladder.inference.evaluator import Evaluator
from ladder.inference.outcome import Scores
from ladder.progress import Quiet, Watch
from ladder.rungs import LADDER
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample
from ladder.task import RUNGS, GateLimits, RungName

SHARES = {"good": 20, "likely": 18, "unlikely": 15, "bad": 2}
"""How many of twenty rows are answered right; 16 would be the gate."""
GATE = {"min_score": 0.8}


def rows(prefix: str, count: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"{prefix}{at}", input=f"number {at}", target=str(at)) for at in range(count)
    )


DATA = Data((), rows("d", 20), rows("g", 60), ())


def speak(prompt: str) -> str:
    number = int(prompt.rpartition("number ")[2].split()[0])
    right = number % 20 < SHARES[prompt.split()[0]]
    return str(number) if right else "none"


def candidates(evaluator: Evaluator) -> list[Candidate]:
    """Return every candidate with what its failure is explained by."""
    every = [asking(share) for share in SHARES]
    arms = [diagnostic_ablations(evaluator, of(evaluator, one)).values() for one in every]
    return [*every, *(arm for found in arms for arm in found)]


def bench_of(folder: Path, watch: Watch | None = None, **gate: object) -> Bench:
    return replayed(folder, DATA, candidates, speak, watch=watch, gate={**GATE, **gate})


def rungs(bench: Bench, shares: tuple[str, ...]) -> list[GivenRung]:
    """Return the lowest rungs, each with a candidate that answers so well."""
    named = zip(RUNGS, shares, strict=False)
    return [GivenRung(name, [of(bench, asking(share, name))]) for name, share in named]


def climbed(bench: Bench, *shares: str, **how: object) -> list[Attempt]:
    return climb_rungs(bench, rungs(bench, shares), **how)


@pytest.mark.parametrize(
    ("shares", "statuses"),
    [
        (("good", "good"), ["passed"]),
        (("bad", "good", "good"), ["failed", "passed"]),
        (("bad", "bad", "good", "good"), ["failed", "failed", "passed"]),
        (("bad", "bad", "bad", "good"), ["failed", "failed", "failed", "skipped"]),
        (("likely", "good"), ["undecided"]),
        (("unlikely", "good"), ["undecided", "passed"]),
    ],
)
def test_the_climb_stops_at_the_first_rung_that_passes(tmp_path, shares, statuses):
    bench = bench_of(tmp_path)
    found = climbed(bench, *shares)
    assert [attempt.status for attempt in found] == statuses
    assert [attempt.rung for attempt in found] == list(RUNGS[: len(statuses)])
    assert bench.history.attempts == found


def test_nothing_is_taught_to_a_student_while_no_system_holds_the_score(tmp_path):
    *_, distill = climbed(bench_of(tmp_path), "bad", "bad", "bad", "good")
    assert "nothing worth teaching" in distill.reason


def test_every_rung_is_measured_when_asked(tmp_path):
    found = climbed(bench_of(tmp_path), "good", "bad", "good", "good", every=True)
    assert [attempt.status for attempt in found] == ["passed", "failed", "passed", "passed"]


def test_until_is_the_last_rung(tmp_path):
    found = climbed(bench_of(tmp_path), "bad", "bad", "good", until="rag")
    assert [attempt.rung for attempt in found] == ["prompt", "rag"]


def test_a_rung_that_cannot_be_tried_is_skipped_and_says_why(tmp_path):
    bench = bench_of(tmp_path)
    prompt, rag, lora = rungs(bench, ("bad", "good", "good"))
    found = climb_rungs(bench, [prompt, replace(rag, missing="there is nothing to read"), lora])
    assert [attempt.status for attempt in found] == ["failed", "skipped", "passed"]
    assert found[1].reason == "there is nothing to read"


def test_scores_are_kept_and_compared_with_those_of_the_rungs_below(tmp_path):
    bench = bench_of(tmp_path)
    _, rag = climbed(bench, "bad", "good")
    assert [(one.other, one.claim) for one in rag.comparisons] == [("prompt", "better")]
    assert set(bench.history.scores) == {"prompt", "rag"}
    assert bench.history.best() == rag


# What a diagnosis refuses


@pytest.mark.slow
def test_training_is_refused_where_the_right_documents_would_do(tmp_path):
    """The page that holds the answer shares no word with the question: no search finds it."""
    dev, gate = (
        tuple(
            Sample(f"{name}{at}", f"question {at} about item{at % 4}", f"answer{at % 4}",
                   doc_ids=(f"right{at % 4}",))
            for at in range(40)
        )
        for name in ("d", "g")
    )  # fmt: skip
    pages = [Document(f"right{at}", "", f"It holds answer{at}.") for at in range(4)]
    for item in range(4):
        pages += [Document(f"p{item}-{at}", "", f"item{item} again {at}.") for at in range(14)]
    reading = asking("Read.", "rag", retrieval=Retrieval(source="documents", k=3))

    def answer(prompt: str) -> str:
        item = prompt.rpartition("item")[2].split()[0]
        return f"answer{item}" if f"answer{item}" in prompt else "none"

    def asked(evaluator: Evaluator) -> list[Candidate]:
        arms: list[Candidate] = []
        for one in (asking("Answer."), reading):
            known = of(evaluator, one)
            ways = changes(evaluator, known) | diagnostic_ablations(evaluator, known)
            arms += [one, *ways.values()]
        gold = Retrieval(source="gold", k=3)
        read = [Retrieval(source="documents", k=k) for k in BUDGETS]
        read += [gold] + [
            gold.model_copy(update={"beside": beside, "order": place})
            for beside in ("filler", "distractors")
            for place in PLACES
        ]
        return [*arms, *(reading.model_copy(update={"retrieval": how}) for how in read)]

    data = Data((), dev, gate, (), documents=tuple(pages))
    bench = replayed(tmp_path, data, asked, answer, gate=GATE)
    ways = {"prompt": asking("Answer."), "rag": reading, "lora": reading, "distill": reading}
    found = climb_rungs(bench, [GivenRung(name, [of(bench, way)]) for name, way in ways.items()])
    assert [attempt.status for attempt in found] == ["failed", "failed", "skipped", "skipped"]
    assert found[1].diagnosis.refuses == ("lora", "distill")
    assert [attempt.refused_after for attempt in found[2:]] == ["rag", "rag"]
    before, asked = found[1], bench.evaluator.models.asked
    assert before.context is None
    explain_context(bench)
    rag, more = found[1], since(asked, bench.evaluator.models.asked)
    measured = len(bench.history.scores["rag"])
    assert (rag.context.rows, rag.context.alone.mean) == (measured, 1.0)
    assert rag.asked.calls == before.asked.calls + more.calls
    assert [one.context for one in found if one is not rag] == [None] * 3


def test_an_outage_while_context_is_explained_takes_nothing_from_the_answer(tmp_path, monkeypatch):
    bench = bench_of(tmp_path)
    before = list(climbed(bench, "bad", "bad", "bad", "good"))

    def down(*_: object) -> None:
        raise EndpointDownError("http://127.0.0.1:1 is down", {})

    monkeypatch.setattr("ladder.climb.attempt.context_costs", down)
    explain_context(bench)
    assert bench.history.attempts == before


def test_where_the_cost_alone_fails_the_student_is_next(tmp_path):
    quick = asking("good and quick", "distill")
    bench = replayed(
        tmp_path,
        DATA,
        lambda _: [asking("good"), quick],
        speak,
        seconds=lambda prompt: 0.001 if "quick" in prompt else 10,
        gate={**GATE, "max_cost_usd_per_1k": 0.01},
        hardware={"shared": True},
    )
    ladder = rungs(bench, ("good", "good", "good"))
    found = climb_rungs(bench, [*ladder, GivenRung("distill", [of(bench, quick)])])
    assert [attempt.status for attempt in found] == ["failed", "skipped", "skipped", "passed"]
    assert found[0].diagnosis.refuses == ("rag", "lora")
    assert found[3].against_teacher.cheaper == pytest.approx(10_000)


def control_of(share: int, cost: float, gate: GateLimits) -> tuple[Control, Scores]:
    """Return a control that has so many of twenty rows right, judged, and its scores."""
    scores = {f"g{at}": float(at % 20 < share) for at in range(60)}
    known = list(scores.values())
    score = Estimate(mean=fmean(known), low=0, high=1, n=60)
    line = ControlLine(name="counted", score=score, latency_ms=1, cost_usd_per_1k=cost)
    limits = [judge_score(known, gate.min_score, 0.01)]
    limits.append(judge_cost(cost, gate.max_cost_usd_per_1k or 1))
    return Control(lines=(line,), judged="counted", verdict=combine(limits)), scores


@pytest.mark.parametrize(
    ("share", "cost", "least", "status", "worth_having"),
    [
        (17, 0.001, 0.7, "skipped", None),  # holds all, if not proven: as good as any student
        (17, 1.0, 0.7, "passed", False),  # too dear: a student may be what holds the cost
        (17, 0.001, 0.87, "undecided", False),  # misses the score; the teacher may be no better
        (2, 0.001, 0.7, "passed", True),
    ],
)
def test_no_student_is_taught_where_the_control_has_all_that_it_could_bring(
    tmp_path, share, cost, least, status, worth_having
):
    """The teacher has 18 of 20 right and is too dear: on 60 rows it has 3 more right than 17."""
    quick = asking("likely and quick", "distill")
    bench = replayed(
        tmp_path,
        DATA,
        lambda _: [asking("likely"), quick],
        speak,
        seconds=lambda prompt: 0.001 if "quick" in prompt else 10,
        gate={"min_score": least, "max_cost_usd_per_1k": 0.01},
        hardware={"shared": True},
    )
    control, scores = control_of(share, cost, bench.task.gate)
    bench.history.control, bench.history.scores["control"] = control, scores
    ladder = rungs(bench, ("likely", "likely", "likely"))
    *_, distill = climb_rungs(bench, [*ladder, GivenRung("distill", [of(bench, quick)])])
    assert distill.status == status
    if worth_having is None:
        assert "is not proven better than the control" in distill.reason
        assert "no student is needed" in distill.reason
    else:
        assert distill.against_teacher.worth_having is worth_having


# Undecided


class Person(Quiet):
    """Answers every question alike, or as is proposed."""

    def __init__(self, says: bool | None) -> None:
        self.says = says
        self.asked: list[str] = []

    def ask(self, question: str, default: bool) -> bool:
        self.asked.append(question)
        return default if self.says is None else self.says


@pytest.mark.parametrize(
    ("way", "says", "after_likely", "after_unlikely"),
    [
        ("lean", None, ["undecided"], ["undecided", "passed"]),
        ("climb", None, ["undecided", "passed"], ["undecided", "passed"]),
        ("stop", None, ["undecided"], ["undecided"]),
        ("ask", None, ["undecided"], ["undecided", "passed"]),
        ("ask", True, ["undecided", "passed"], ["undecided", "passed"]),
        ("ask", False, ["undecided"], ["undecided"]),
    ],
)
def test_what_an_undecided_rung_does_is_the_tasks_choice(
    tmp_path, way, says, after_likely, after_unlikely
):
    person = Person(says)
    for share, statuses in (("likely", after_likely), ("unlikely", after_unlikely)):
        (tmp_path / share).mkdir()
        bench = bench_of(tmp_path / share, person, when_undecided=way)
        assert [attempt.status for attempt in climbed(bench, share, "good")] == statuses
    assert len(person.asked) == (2 if way == "ask" else 0)
    assert all("prompt is undecided" in question for question in person.asked)


def test_the_choice_prefers_proof_only_where_the_task_climbs_for_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    bench = bench_of(tmp_path / "a", when_undecided="climb")
    likely, good = climbed(bench, "likely", "good")
    assert choose(bench.task, [likely, good]) == good
    assert choose(bench.task, [likely]) == likely
    leaning = bench_of(tmp_path / "b")
    assert choose(leaning.task, [likely, good]) == likely
    bad, unlikely = climbed(leaning, "bad", "unlikely")
    assert choose(leaning.task, [bad, unlikely]) is None


# The ladder itself


def test_the_ladder_is_in_the_order_of_the_task_file():
    assert tuple(rung.NAME for rung in LADDER) == RUNGS


def test_rungs_say_why_they_cannot_be_tried(tmp_path):
    bench = bench_over(task_with(), NO_DATA, tmp_path)
    missing: dict[RungName, str | None] = {
        rung.NAME: rung.needs(bench.task, bench.data) or rung.unavailable(bench) for rung in LADDER
    }
    assert missing["prompt"] is None
    assert "nothing to read" in str(missing["rag"])
    assert "too few" in str(missing["lora"])
    assert "too few" in str(missing["distill"])
