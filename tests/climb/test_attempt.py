"""One rung: its stages, its challenges, and what is said of the winner."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from replayed import GivenRung, asking, of, replayed

from ladder.climb.attempt import attempt_rung, race_rung
from ladder.evidence import Candidate
from ladder.report.reasons import attempt_reason
from ladder.rungs.protocol import Bench
from ladder.samples.data import Data
from ladder.samples.rows import Sample


def rows(prefix: str, count: int, start: int) -> tuple[Sample, ...]:
    return tuple(
        Sample(id=f"{prefix}{at}", input=f"number {at}", target=str(at))
        for at in range(start, start + count)
    )


TRAIN, DEV = rows("t", 100, 0), rows("d", 60, 1000)
DATA = Data(TRAIN, DEV, rows("g", 120, 2000), ())
OLD, BETTER, LUCKY = asking("usual"), asking("better everywhere"), asking("better on dev examples")
SHOWING = asking("better everywhere", description="all shown", shots=tuple(row.id for row in TRAIN))


def speak(prompt: str) -> str:
    """Answer half of the numbers, all where the instruction is better, none where it is bad."""
    head, _, question = prompt.rpartition("number ")
    number = int(question.split()[0])
    good = "everywhere" in head or ("on dev examples" in head and number >= 1000)
    right = good or ("bad" not in head and number % 2 == 0)
    return str(number) if right else "none"


def bench_of(folder: Path, *candidates: Candidate, data: Data = DATA, **task: object) -> Bench:
    return replayed(folder, data, lambda _: candidates, speak, **task)


def rung(
    bench: Bench, candidates: list[Candidate], challengers: tuple[Candidate, ...] = ()
) -> GivenRung:
    return GivenRung(
        "prompt", [of(bench, one) for one in candidates], [of(bench, one) for one in challengers]
    )


@pytest.mark.parametrize(
    ("challenger", "wins"), [(BETTER, BETTER), (LUCKY, OLD), (asking("bad"), OLD)]
)
def test_a_challenger_is_kept_only_if_it_wins_on_unseen_rows(tmp_path, challenger, wins):
    bench = bench_of(tmp_path, OLD, challenger)
    winner, lines = race_rung(bench, rung(bench, [OLD], (challenger,)))
    assert winner == of(bench, wins)
    assert {line.description: line.dropped for line in lines} == {
        one.description: one != wins for one in (OLD, challenger)
    }


def test_where_no_row_is_unseen_no_challenger_wins(tmp_path):
    bench = bench_of(tmp_path, OLD, SHOWING)
    winner, _ = race_rung(bench, rung(bench, [OLD], (SHOWING,)))
    assert winner == of(bench, OLD)


def test_without_training_rows_no_challenger_is_tried(tmp_path):
    bench = bench_of(tmp_path, OLD, data=Data((), DEV, (), ()))
    winner, lines = race_rung(bench, rung(bench, [OLD], (BETTER,)))
    assert (winner, lines) == (of(bench, OLD), ())
    assert bench.evaluator.models.asked.calls == 0


def test_a_later_stage_meets_the_winner_of_those_before(tmp_path):
    first, last = asking("bad"), BETTER
    bench = bench_of(tmp_path, first, OLD, last)
    met = []

    class Staged(GivenRung):
        @property
        def STAGES(self):  # noqa: N802 - as a module's constant
            def second(bench: Bench, leader: Candidate | None) -> list[Candidate]:
                met.append(leader)
                return [of(bench, last)]

            return (*super().STAGES, second, lambda bench, leader: [])

    staged = Staged("prompt", [of(bench, first), of(bench, OLD)])
    winner, lines = race_rung(bench, staged)
    assert met == [of(bench, OLD)]
    assert winner == of(bench, last)
    assert [line.description for line in lines if not line.dropped] == [last.description]
    assert len(lines) == 3


def test_an_attempt_says_what_was_measured_and_what_it_took(tmp_path):
    bench = bench_of(tmp_path, OLD, BETTER)
    bench.history.scores["control"] = dict.fromkeys((row.id for row in DATA.gate), 0.0)
    attempt, scores = attempt_rung(bench, rung(bench, [OLD, BETTER]))
    assert (attempt.rung, attempt.status, attempt.candidate) == (
        "prompt",
        "passed",
        of(bench, BETTER),
    )
    assert set(scores.values()) == {1.0}
    assert len(scores) == attempt.measurement.score.n
    assert attempt.diagnosis is None
    assert [(one.other, one.claim) for one in attempt.comparisons] == [("control", "better")]
    assert attempt.asked == bench.evaluator.models.asked
    assert attempt.seconds > 0
    assert bench.history.attempts == [], "who climbs keeps the attempts"
    lines = (bench.folder / "prompt" / "samples.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert {row["id"]: row["score"] for row in kept} == scores
    assert all(row["answer"] == row["target"] and row["error"] is None for row in kept)


def test_every_right_answer_is_written_where_a_row_has_several(tmp_path):
    several = tuple(replace(row, also_right=(f"{row.target} or so",)) for row in DATA.gate[:1])
    data = replace(DATA, gate=(*several, *DATA.gate[1:]))
    bench = bench_of(tmp_path, OLD, data=data)
    attempt_rung(bench, rung(bench, [OLD]))
    lines = (bench.folder / "prompt" / "samples.jsonl").read_text().splitlines()
    kept = {row["id"]: row.get("targets") for row in map(json.loads, lines)}
    assert kept.pop("g2000") == ["2000", "2000 or so"]
    assert set(kept.values()) == {None}


def test_a_failure_is_explained(tmp_path):
    placebo = asking("bad", no_op=True)
    bench = bench_of(tmp_path, asking("bad"), placebo)
    attempt, _ = attempt_rung(bench, rung(bench, [asking("bad")]))
    assert attempt.status == "failed"
    assert attempt.diagnosis is not None
    assert "no-op control" in attempt.diagnosis.ablations
    assert attempt_reason(attempt, [attempt]).startswith("min_score: ")


def test_a_rung_without_candidates_is_skipped(tmp_path):
    bench = bench_of(tmp_path)
    attempt, scores = attempt_rung(bench, rung(bench, []))
    assert (attempt.status, attempt.reason) == ("skipped", "no candidate could be built")
    assert scores == {}


def test_what_is_not_answered_leaves_no_verdict(tmp_path):
    """The recording holds none of the answers: nothing was heard, and nothing has failed."""
    bench = bench_of(tmp_path)
    attempt, _ = attempt_rung(bench, rung(bench, [OLD]))
    assert attempt.status == "no verdict"
    assert "not in the recording" in attempt_reason(attempt, [attempt])
