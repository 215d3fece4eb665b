"""Votes: drawn in waves, ended early, counted by what answers mean, and paid for in full."""

from __future__ import annotations

import random
from collections import Counter
from math import comb

import pytest
from benches import bench_at, chat, saying
from engines.faulty_server import FaultyServer, Seen, Step

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.evaluation.latency import judged_latency
from ladder.inference.answer import answer
from ladder.inference.exchanges import carry_out, once
from ladder.inference.voting import TEMPERATURE, ballot, decided, draws_wanted, vote
from ladder.samples.rows import Sample
from ladder.task import AnswerForm

ROWS = tuple(Sample(id=f"g{at}", input=f"question {at}", target="yes") for at in range(4))


@pytest.mark.parametrize("first", range(9))
@pytest.mark.parametrize("second", range(9))
def test_the_posterior_is_the_binomial_sum(first, second):
    """For whole a, b: P(Beta(a, b) > 1/2) = P(Binomial(a + b - 1, 1/2) < a)."""
    n = first + second + 1
    leads = sum(comb(n, heads) for heads in range(first + 1)) / 2**n
    assert decided(first, second, left=100) == (leads >= 0.95)


@pytest.mark.parametrize(
    ("counts", "drawn", "wanted"),
    [
        ((), 0, 4),  # four that agree suffice, three do not
        ((4,), 4, 0),
        ((3, 1), 4, 2),  # five to one, with two left: nothing can change any more
        ((2, 2), 4, 3),
        ((5, 1), 6, 0),
        ((4, 2), 6, 1),
        ((4, 4), 8, 0),
        ((), 4, 3),  # four abstained
        ((1, 1, 1, 1), 4, 3),
    ],
)
def test_the_fewest_draws_that_could_decide_are_asked_for(counts, drawn, wanted):
    assert draws_wanted(counts, drawn, 8) == wanted


def test_few_draws_are_all_taken():
    assert [draws_wanted((), 0, most) for most in (1, 2, 3)] == [1, 2, 2]
    assert draws_wanted((2,), 2, 3) == 0, "the third could change nothing"


@pytest.mark.parametrize("share", [0.55, 0.7, 0.9])
def test_a_vote_that_ends_early_elects_what_the_whole_one_would(share):
    luck = random.Random(7)
    same = drawn = 0
    for _ in range(2000):
        draws = ["a" if luck.random() < share else luck.choice("bcd") for _ in range(40)]
        heard: list[str] = []
        while more := draws_wanted(list(Counter(heard).values()), len(heard), 40):
            heard += draws[len(heard) : len(heard) + more]
        drawn += len(heard)
        same += Counter(heard).most_common(1)[0][0] == Counter(draws).most_common(1)[0][0]
    assert same / 2000 >= 0.95
    assert drawn / 2000 < 40 / 2


@pytest.mark.parametrize(
    ("form", "labels", "text", "counts_as"),
    [
        ({"type": "number"}, (), "So it is 1,200.0", "1200.0"),
        ({"type": "number"}, (), "many", None),
        ({"type": "json"}, (), '{"b": 1, "a": [2]}', '{"a":[2],"b":1}'),
        ({"type": "json"}, (), '```json\n{"a":[2],"b":1}\n```', '{"a":[2],"b":1}'),
        ({"type": "json"}, (), "{", None),
        ({"type": "label"}, ("Late", "Lost"), " late\n", "late"),
        ({"type": "label"}, ("Late", "Lost"), "It is late.", None),
        ({"type": "text"}, (), "The  Moon", "the moon"),
        ({"type": "text"}, (), "  ", None),
    ],
)
def test_what_an_answer_counts_as(form, labels, text, counts_as):
    assert ballot(AnswerForm.model_validate(form), labels, text) == counts_as


def test_answers_that_agree_end_the_vote_and_all_draws_are_paid_for(tmp_path):
    with saying(lambda request: "yes") as server:
        bench = bench_at(server.url, tmp_path, ROWS, answer={"type": "text"})
        outcomes = answer(bench.evaluator, chat(bench, votes=8), ROWS)
    assert [o.text for o in outcomes] == ["yes"] * 4
    assert len(server.seen) == bench.evaluator.models.asked.calls == 4 * 4
    for outcome in outcomes:
        assert (outcome.completion.tokens_in, outcome.completion.tokens_out) == (44, 12)
    for question in {request.question for request in server.seen}:
        sent = [r.payload for r in server.seen if r.question == question]
        assert sorted(payload["seed"] for payload in sent) == [0, 1, 2, 3]
        assert {payload["temperature"] for payload in sent} == {TEMPERATURE}


def test_the_majority_wins_and_only_rows_in_doubt_go_on(tmp_path):
    def speak(request: Seen) -> str:
        doubtful = request.question == "question 2"
        return "no" if doubtful and request.payload["seed"] in (0, 5) else "Yes"

    with saying(speak) as server:
        bench = bench_at(server.url, tmp_path, ROWS, answer={"type": "text"})
        outcomes = answer(bench.evaluator, chat(bench, votes=8), ROWS)
        again = answer(bench.evaluator, chat(bench, votes=8), ROWS)
    # 3 to 1, then 4 to 2, then 5 to 2 of at most 8.
    sent = Counter(request.question for request in server.seen)
    assert sent == {"question 0": 4, "question 1": 4, "question 2": 7, "question 3": 4}
    assert [o.text for o in outcomes] == ["Yes"] * 4
    assert [o.text for o in again] == ["Yes"] * 4
    assert all(o.completion.cached for o in again)


@pytest.mark.slow
def test_what_is_no_answer_abstains_and_errors_do_not_end_the_vote(tmp_path):
    def script(request: Seen) -> Step:
        if request.payload["seed"] == 0:
            return Step(402, b"{}")
        return saying(lambda r: ["", "no idea", "7", "9"][r.payload["seed"] % 4]).script(request)

    with FaultyServer(script) as server:
        bench = bench_at(server.url, tmp_path, ROWS, answer={"type": "number"})
        [outcome] = answer(bench.evaluator, chat(bench, votes=8), ROWS[:1])
    assert outcome.error is None
    assert outcome.text == "7", "two 7, two 9: the one heard first"
    assert len(server.seen) == 8


def test_a_row_without_any_answer_is_an_error(tmp_path):
    with FaultyServer([Step(402, b"{}")]) as server:
        bench = bench_at(server.url, tmp_path, ROWS, answer={"type": "text"})
        [outcome] = answer(bench.evaluator, chat(bench, votes=3), ROWS[:1])
    assert "402" in str(outcome.error)
    assert outcome.text == ""


@pytest.mark.slow
def test_latency_is_that_of_all_waves_one_after_the_other(tmp_path):
    """Four draws side by side, then two, then one: three delays, not seven and not one."""

    def speak(request: Seen) -> str:
        return "no" if request.payload.get("seed", 0) in (0, 5) else "yes"

    with saying(speak, delay_s=0.1) as server:
        bench = bench_at(server.url, tmp_path, ROWS, answer={"type": "text"})
        rows = [Sample(id=f"t{at}", input=f"timed {at}", target="yes") for at in range(20)]
        latency, _, _ = judged_latency(bench.evaluator, chat(bench, votes=8), rows, 0.01)
        once_, _, _ = judged_latency(bench.evaluator, chat(bench), rows, 0.01)
    assert latency.n == 20
    assert 300 <= latency.p50 < 700
    assert 100 <= once_.p50 < 300
    assert latency.first_token_p50 is None
    assert bench.evaluator.models.asked.calls == 7 * 23 + 23


@pytest.mark.slow
def test_exchanges_of_different_lengths_go_side_by_side(tmp_path):
    with saying(lambda request: str(request.payload["seed"])) as server:
        bench = bench_at(server.url, tmp_path, ROWS)
        engine = bench.evaluator.models.engine(bench.task.models.base)
        requests = [Request(text=f"q {at}") for at in range(3)]
        votes = [vote(r, 8, lambda text: text, in_parallel=True) for r in requests[:2]]
        told: list[int] = []
        found = dict(
            carry_out(engine, [votes[0], once(requests[2]), votes[1]], lambda c: told.append(1))
        )
    assert {at: completion.tokens_out for at, completion in found.items()} == {0: 24, 1: 3, 2: 24}
    assert len(told) == 17


@pytest.mark.slow
def test_the_bundled_model_is_voted_on(smollm):
    pytest.importorskip("torch")
    engine = LocalEngine(smollm)
    requests = [
        Request(text=f"Q: {ask}\nA:", stop=("\n",), max_tokens=6)
        for ask in ("What is the capital of France?", "What colour is the sky?")
    ]

    def elected() -> list[tuple[str, int]]:
        votes = [
            vote(r, 8, lambda text: text.casefold() or None, in_parallel=False) for r in requests
        ]
        found = dict(carry_out(engine, votes))
        return [(found[at].text, found[at].tokens_in) for at in range(2)]

    first = elected()
    assert elected() == first
    for (text, tokens_in), request in zip(first, requests, strict=True):
        draws, rest = divmod(tokens_in, len(engine.encode(request)))
        assert text
        assert rest == 0
        assert 4 <= draws <= 8
