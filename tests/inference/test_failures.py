"""A failed request is no answer: what is concluded while a real server fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benches import bench_at, chat, saying, with_data
from engines.faulty_server import FaultyServer, Seen, Step, failing
from replayed import GivenRung

from ladder.climb.loop import climb_rungs
from ladder.errors import EndpointDownError, NoVerdictError
from ladder.evaluation.confirm import confirm
from ladder.evaluation.measure import measure
from ladder.evidence import Candidate
from ladder.inference.answer import answer
from ladder.report.reasons import attempt_reason
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample
from ladder.selection.proving import compare_unseen
from ladder.selection.race import best_of, race

ROWS = tuple(Sample(id=f"r{at}", input=f"number {at}", target="right") for at in range(48))
TOO_LONG = failing(400, "the prompt is longer than the context")


def bench_of(url: str, folder: Path, rows: tuple[Sample, ...] = ROWS) -> Bench:
    """Return a bench whose dev, eval and test set are the same; the engine does not wait."""
    bench = with_data(bench_at(url, folder, rows), dev=rows, sealed=rows)
    engine = bench.evaluator.models.engine(bench.task.models.base).engine
    engine.attempts = 2
    engine.breaker.patience = replace(
        engine.breaker.patience, first_wait_s=0.001, first_probe_s=0.01, longest_probe_s=0.02
    )
    return bench


def good(request: Seen, text: str = "right") -> Step:
    """Answer with a text."""
    return saying(lambda _: text).script(request)


def instructed(request: Seen) -> str:
    """Return the instruction that a request stands under: it tells candidates apart."""
    content: str = request.payload["messages"][0]["content"]
    return content


def candidates(bench: Bench, *instructions: str) -> list[Candidate]:
    return [chat(bench, description=name, instruction=name) for name in instructions]


def number(request: Seen) -> int:
    return int(request.question.split()[-1])


def often(request: Seen, share: int = 3) -> bool:
    """Tell whether a request fails whenever it is asked: one in `share`, never many in a row."""
    return number(request) % share == 0


def test_what_failed_once_is_asked_again_at_the_end(tmp_path):
    tries: dict[int, int] = {}

    def script(request: Seen) -> Step:
        tries[number(request)] = tries.get(number(request), 0) + 1
        early = number(request) == 3 and tries[3] <= 2  # as many as one asking has tries
        return failing(500) if early else good(request)

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        outcomes = answer(bench.evaluator, chat(bench), ROWS)
    assert [outcome.error for outcome in outcomes] == [None] * len(ROWS)
    assert tries[3] == 3
    assert bench.evaluator.models.asked.errors == {"HTTP 500": 1}


def test_a_request_that_is_refused_as_it_is_is_not_asked_again(tmp_path):
    with FaultyServer(lambda r: TOO_LONG if number(r) == 3 else good(r)) as server:
        bench = bench_of(server.url, tmp_path)
        outcomes = answer(bench.evaluator, chat(bench), ROWS)
        assert sum(number(request) == 3 for request in server.seen) == 1
    assert (outcomes[3].kind, outcomes[3].failed_externally) == ("HTTP 400", False)


def test_a_candidate_that_failed_externally_neither_wins_nor_loses(tmp_path):
    def script(request: Seen) -> Step:
        if instructed(request) == "lost":
            return failing(503) if often(request) else good(request)
        return good(request, "right" if number(request) % 2 else "wrong")

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        winner, lines = race(bench.evaluator, candidates(bench, "half", "lost"))
    assert winner.description == "half"
    by_name = {line.description: line for line in lines}
    assert (by_name["lost"].unheard, by_name["lost"].score) == (True, 1.0)
    assert by_name["lost"].errors > 1
    assert not by_name["half"].unheard


def test_a_candidate_that_is_refused_for_itself_loses(tmp_path):
    """Its prompts are too long: that is no outage, and the rung may fail without it."""

    def script(request: Seen) -> Step:
        long = instructed(request) == "long" and often(request)
        return TOO_LONG if long else good(request, "wrong")

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        winner, lines = race(bench.evaluator, candidates(bench, "long", "short"))
    assert winner.description == "short"
    assert [line.unheard for line in lines] == [False, False]


def test_rows_that_somebody_did_not_answer_compare_nobody(tmp_path):
    """One row failed for the better one: it stays the better one."""

    def script(request: Seen) -> Step:
        if instructed(request) == "better":
            return failing(500) if number(request) == 0 else good(request)
        return good(request, "right" if number(request) < 3 else "wrong")

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        winner, lines = race(bench.evaluator, candidates(bench, "worse", "better"))
    assert winner.description == "better"
    (line,) = [line for line in lines if line.description == "better"]
    assert (line.score, line.n, line.errors) == (1.0, 15, 1)


def test_where_nobody_was_heard_nothing_is_chosen(tmp_path):
    with FaultyServer(lambda r: failing(500) if often(r, 2) else good(r)) as server:
        bench = bench_of(server.url, tmp_path)
        with pytest.raises(NoVerdictError, match=r"2 of 4 requests failed \(2 x HTTP 500"):
            race(bench.evaluator, candidates(bench, "a", "b"))


class Above(GivenRung):
    """What must not be climbed to."""

    def unavailable(self, bench: Bench) -> None:
        raise AssertionError("climbed past a rung without a verdict")


def climbed(server: FaultyServer, folder: Path, *instructions: str, every: bool = False):
    bench = bench_of(server.url, folder)
    rungs = [GivenRung("prompt", candidates(bench, *instructions)), Above("rag", [])]
    return climb_rungs(bench, rungs, every=every)


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, True])
def test_a_rung_that_cannot_be_heard_has_no_verdict_and_is_not_climbed_past(tmp_path, every):
    with FaultyServer(lambda r: failing(500) if often(r) else good(r)) as server:
        (attempt,) = climbed(server, tmp_path, "a", every=every)
    assert attempt.status == "no verdict"
    assert "HTTP 500" in attempt_reason(attempt, [attempt])
    assert attempt.measurement.score.mean == 1.0, "what failed does not count as wrong"
    assert attempt.measurement.error_kinds.keys() == {"HTTP 500"}
    assert attempt.asked.errors["HTTP 500"] > attempt.measurement.errors


def test_a_dead_endpoint_ends_the_climb_and_its_failures_are_in_the_record(tmp_path):
    with FaultyServer([failing(404, "no such model")]) as server:
        bench = bench_of(server.url, tmp_path)
        with pytest.raises(EndpointDownError) as caught:
            climb_rungs(bench, [GivenRung("prompt", candidates(bench, *"abcd")), Above("rag", [])])
    (attempt,) = bench.history.attempts
    assert (attempt.status, attempt.reason) == ("no verdict", str(caught.value))
    assert attempt.asked.errors["HTTP 404"] >= caught.value.counts["HTTP 404"] > 1
    assert "no such model" in attempt.reason


def test_a_rung_that_fails_without_a_lost_candidate_has_no_verdict(tmp_path):
    def script(request: Seen) -> Step:
        lost = instructed(request) == "lost"
        return failing(503) if lost and often(request) else good(request, "wrong")

    with FaultyServer(script) as server:
        (attempt,) = climbed(server, tmp_path, "wrong", "lost")
    assert attempt.status == "no verdict"
    assert "too many requests failed to race lost" in attempt_reason(attempt, [attempt])
    assert attempt.verdict.status == "fail"


def test_a_rung_that_passes_without_a_lost_candidate_passes(tmp_path):
    def script(request: Seen) -> Step:
        lost = instructed(request) == "lost"
        return failing(503) if lost and often(request) else good(request)

    with FaultyServer(script) as server:
        (attempt,) = climbed(server, tmp_path, "right", "lost")
    assert attempt.status == "passed"
    assert [line.description for line in attempt.race if line.unheard] == ["lost"]


def test_a_failure_that_could_not_be_explained_has_no_verdict(tmp_path):
    """Without its ablations a rung's failure looks like a want of skill, and would be trained."""

    def script(request: Seen) -> Step:
        no_op = instructed(request).endswith("\n")
        return failing(500) if no_op and often(request) else good(request, "wrong")

    with FaultyServer(script) as server:
        (attempt,) = climbed(server, tmp_path, "a")
    assert attempt.status == "no verdict"
    assert "the no-op control ablation of the diagnosis" in attempt.reason
    assert attempt.measurement.score.mean == 0.0


def test_measuring_ends_where_no_verdict_can_come(tmp_path):
    rows = tuple(Sample(id=f"r{at}", input=f"number {at}", target="right") for at in range(400))
    with FaultyServer(lambda r: failing(500) if often(r) else good(r, "wrong")) as server:
        bench = bench_of(server.url, tmp_path, rows)
        measured, verdict, _ = measure(bench.evaluator, chat(bench), rows)
    assert verdict.status == "none"
    assert measured.requests == 25, "8 failed of 25: 400 rows allow as many, and no more"


def test_sealed_rows_that_failed_confirm_nothing(tmp_path):
    with FaultyServer(lambda r: failing(500) if often(r) else good(r)) as server:
        bench = bench_of(server.url, tmp_path)
        found, _ = confirm(bench.evaluator, chat(bench))
    assert found.verdict.verdict == "none"
    assert (found.failures.kinds, found.failures.of) == ({"HTTP 500": 16}, 48)


def test_unseen_rows_that_failed_prove_nothing(tmp_path):
    def script(request: Seen) -> Step:
        return failing(500) if instructed(request) == "old" and often(request) else good(request)

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        bench = with_data(bench, train=ROWS)
        old, new = candidates(bench, "old", "new")
        with pytest.raises(NoVerdictError, match="fresh training examples"):
            compare_unseen(bench.evaluator, old, new)


def test_a_vote_that_an_outage_took_part_in_is_none(tmp_path):
    def script(request: Seen) -> Step:
        return failing(500) if request.payload["seed"] == 1 else good(request)

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        (outcome,) = answer(bench.evaluator, chat(bench, votes=5), ROWS[:1])
    assert (outcome.kind, outcome.score) == ("HTTP 500", None)


def test_what_was_heard_is_told_from_what_was_not():
    def reading(*scores: float | None):
        from ladder.selection.race import Standing

        return Standing(scores, 1.0, out=scores.count(None) > 1)

    seen = [reading(1.0, 1.0, None, None), reading(0.0, 1.0, 0.0, 0.0)]
    from ladder.progress import Quiet

    assert best_of(2, 4, 0.5, lambda at, count: seen[at], Quiet())[0] == 1
    assert best_of(1, 4, 0.5, lambda at, count: seen[0], Quiet())[0] is None


def test_what_failed_tries_were_billed_is_paid_and_no_part_of_what_an_answer_costs(tmp_path):
    """A fault must not make a system look dear: its cost is a limit of the gate."""
    tries: dict[int, int] = {}
    billed = {"error": {"message": "overloaded"}, "choices": [], "usage": {"prompt_tokens": 9000}}

    def script(request: Seen) -> Step:
        tries[number(request)] = tries.get(number(request), 0) + 1
        once = number(request) % 5 == 0 and tries[number(request)] == 1
        return Step(body=json.dumps(billed).encode()) if once else good(request)

    with FaultyServer(script) as server:
        bench = bench_of(server.url, tmp_path)
        measured, _, _ = measure(bench.evaluator, chat(bench), ROWS, all_rows=True)
    assert measured.tokens.input_mean == 11
    assert measured.cost_usd_per_1k == pytest.approx(14e-3)
    assert bench.evaluator.models.asked.usd >= 10 * 9000 / 1e6
