"""A second try: only after an outside check has found fault, once, and paid for."""

from __future__ import annotations

import json

import pytest
from benches import bench_at, chat, saying
from engines.faulty_server import FaultyServer, Seen, Step

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.evaluation.latency import judged_latency
from ladder.inference.answer import answer
from ladder.inference.exchanges import carry_out, once
from ladder.inference.rewriting import asked_again, fault_of, rewritten
from ladder.samples.rows import Sample
from ladder.task import AnswerForm

ROWS = tuple(Sample(id=f"g{at}", input=f"question {at}", target='{"a": 1}') for at in range(3))
TRAIN = tuple(Sample(id=f"t{at}", input="x", target=json.dumps({"a": at})) for at in range(3))
LABELS = ("Late", "Lost")


@pytest.mark.parametrize(
    ("form", "labels", "text", "fault"),
    [
        ("json", (), '{"a": 2}', ""),
        ("json", (), "a is 2", "it is not JSON (Expecting value"),
        ("json", (), '{"a": "2"}', "$.a: '2' is not of type 'integer'"),
        ("number", (), "about 7", ""),
        ("number", (), "seven", "there is no number in it"),
        ("label", LABELS, "late", ""),
        ("label", LABELS, "It is late.", "it is none of: Late, Lost"),
        ("label", tuple(map(str, range(40))), "x", "it is none of: 0, 1,"),
        ("label", (), "anything", ""),
        ("text", (), "anything", ""),
    ],
)
def test_what_can_be_checked_from_outside(form, labels, text, fault):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    found = fault_of(AnswerForm(type=form), labels, schema, text)
    assert found.startswith(fault) if fault else found == ""
    assert not fault or text not in found or form == "json"
    assert len(found) < 250


def test_a_chat_shows_the_answer_and_what_is_wrong():
    request = Request(messages=(("system", "s"), ("user", "u")), max_tokens=9)
    again = asked_again(request, "late!", "it is none of: Late, Lost")
    assert again.messages[:3] == (*request.messages, ("assistant", "late!"))
    assert "it is none of: Late, Lost" in again.messages[3][1]
    assert again.max_tokens == 9


def test_a_plain_prompt_goes_on_with_the_line_that_asks():
    request = Request(text="Goal\n\nInput: x\nOutput:", stop=("\n",))
    again = asked_again(request, "two\nlines", "it is not JSON")
    assert again.text == "Goal\n\nInput: x\nOutput: two lines\nRefused: it is not JSON\nOutput:"
    assert again.stop == ("\n",)


def repaired(request: Seen) -> str:
    """Answer question 1 wrongly until it is refused."""
    return "a is 1" if request.question == "question 1" else '{"a":1}'


def test_only_the_refused_answer_is_asked_for_again(tmp_path):
    with saying(repaired) as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        outcomes = answer(bench.evaluator, chat(bench, rewrite=True), ROWS)
    assert [o.text for o in outcomes] == ['{"a":1}'] * 3
    assert [o.completion.tokens_in for o in outcomes] == [11, 22, 11]
    assert [o.completion.tokens_out for o in outcomes] == [3, 6, 3]
    assert outcomes[1].completion.seconds > 0
    assert len(server.seen) == bench.evaluator.models.asked.calls == 4
    assert [turn["content"] for turn in server.seen[-1].payload["messages"]][1:3] == [
        "question 1",
        "a is 1",
    ]
    assert "it is not JSON" in server.seen[-1].question


def test_it_is_asked_for_again_once(tmp_path):
    with saying(lambda request: "never JSON") as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        outcomes = answer(bench.evaluator, chat(bench, rewrite=True), ROWS)
    assert [o.text for o in outcomes] == ["never JSON"] * 3
    assert len(server.seen) == 6


def test_without_a_second_answer_the_first_one_stands(tmp_path):
    def script(request: Seen) -> Step:
        if len(request.payload["messages"]) > 2:
            return Step(402, b"{}")
        return saying(lambda _: "first").script(request)

    with FaultyServer(script) as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        [outcome] = answer(bench.evaluator, chat(bench, rewrite=True), ROWS[:1])
    assert (outcome.text, outcome.error) == ("first", None)


def test_an_error_is_not_checked(tmp_path):
    with FaultyServer([Step(402, b"{}")]) as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        [outcome] = answer(bench.evaluator, chat(bench, rewrite=True), ROWS[:1])
    assert "402" in str(outcome.error)
    assert len(server.seen) == 1


def test_latency_counts_the_second_request(tmp_path):
    with saying(repaired, delay_s=0.1) as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        latency, _, _ = judged_latency(bench.evaluator, chat(bench, rewrite=True), ROWS, 0.01)
    assert latency.p50 >= 100
    assert latency.p95 >= 200  # of a row whose first answer was refused
    assert latency.first_token_p50 is None


def test_votes_may_be_checked_too(tmp_path):
    def speak(request: Seen) -> str:
        refused = len(request.payload["messages"]) > 2
        return '{"a":1}' if refused else '{"a":"1"}'

    with saying(speak) as server:
        bench = bench_at(server.url, tmp_path, ROWS, train=TRAIN, answer={"type": "json"})
        [outcome] = answer(bench.evaluator, chat(bench, votes=8, rewrite=True), ROWS[:1])
    assert outcome.text == '{"a":1}'
    assert (len(server.seen), outcome.completion.tokens_in) == (5, 55)


@pytest.mark.slow
def test_the_bundled_model_is_asked_again(smollm):
    pytest.importorskip("torch")
    engine = LocalEngine(smollm)
    request = Request(text="Input: seven\nOutput:", stop=("\n",), max_tokens=6)
    checks = (lambda text: "", lambda text: "there is no number in it")
    found = dict(carry_out(engine, [rewritten(once(request), request, c) for c in checks]))
    assert found[0].tokens_in == len(engine.encode(request))
    second = asked_again(request, found[0].text, "there is no number in it")
    assert found[1].tokens_in == found[0].tokens_in + len(engine.encode(second))
    assert found[1].seconds > found[0].seconds / 2
