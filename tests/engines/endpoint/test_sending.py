"""One try: its time limit, what it cost, and whether it is streamed."""

from __future__ import annotations

import time
import warnings

import pytest
from engines.endpoint.asking import answer_of, ask, engine_for
from engines.faulty_server import FaultyServer, Seen, Step, failing, saying

from ladder.engines.endpoint.sending import MOST_REFUSED_WHOLE


def test_text_ends_before_the_first_stop() -> None:
    with FaultyServer() as server:
        assert answer_of(server, ask("yes ; no END", stop=("END", ";", ""))).text == "yes"
    assert server.seen[0].payload["stop"] == ["END", ";"]


def test_leading_breaks_do_not_stop_an_answer_and_nothing_before_a_stop_is_none() -> None:
    with FaultyServer([saying("\n\n yes\nno"), saying("; yes")]) as server:
        assert answer_of(server, ask(stop=("\n", ";"))).text == "yes"
        completion = answer_of(server, ask(stop=("\n", ";")))
    assert (completion.text, completion.kind) == ("", "empty")
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)


def test_time_out_then_answer() -> None:
    with FaultyServer([Step(delay_s=5), Step()]) as server:
        start = time.monotonic()
        assert answer_of(server, timeout_s=0.3).text == "hello"
    assert 0.3 <= time.monotonic() - start < 2


def test_time_out_every_time() -> None:
    with FaultyServer([Step(delay_s=5)]) as server:
        completion = answer_of(server, timeout_s=0.2, attempts=2)
    assert completion.error == (
        "no answer in 2 attempts; the last: time-out: no answer within 0.2 s"
    )
    assert completion.kind == "time-out"


def test_missing_usage_is_estimated_with_one_warning() -> None:
    with FaultyServer([Step(usage=False)]) as server:
        engine = engine_for(server.url)
        with pytest.warns(UserWarning, match="estimates") as caught:
            answers = dict(engine.complete([ask("12345678")] * 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(list(engine.complete([ask()]))) == 1
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert answers[0].tokens_in == 2 + 2  # "be brief" and the question: 8 characters each
    assert answers[0].tokens_out == 3  # two blanks, 8 characters, a line end
    assert engine.count_tokens("12345") == 2


# Streamed, to be timed


def test_a_streamed_answer_tells_when_its_first_token_came() -> None:
    with FaultyServer([Step(words_s=0.05)]) as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two three")])
    assert (completion.text, completion.error) == ("one two three", None)
    assert (completion.tokens_in, completion.tokens_out) == (11, 3)
    assert completion.first_s is not None
    # Two words and the usage come after the first word.
    assert 0.05 < completion.first_s < completion.seconds - 0.1


def test_a_stream_without_usage_is_estimated() -> None:
    with FaultyServer([Step(words_s=0, usage=False)]) as server, pytest.warns(match="estimates"):
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert (completion.text, completion.tokens_out) == ("one two", 2)


def test_an_endpoint_that_does_not_stream_is_timed_all_the_same() -> None:
    with FaultyServer() as server:
        [(_, completion)] = engine_for(server.url).streaming(1).complete([ask("one two")])
    assert completion.text == "one two"
    assert completion.seconds > 0
    assert completion.first_s is None
    assert server.seen[0].payload["stream"] is True


def no_streams(request: Seen) -> Step:
    return failing(400, "no streams") if request.payload.get("stream") else Step()


def test_an_endpoint_that_refuses_streams_is_asked_for_one_once() -> None:
    with FaultyServer(no_streams) as server:
        engine = engine_for(server.url).streaming(1)
        answers = dict(engine.complete([ask(str(at)) for at in range(5)]))
    assert [answers[at].text for at in range(5)] == ["0", "1", "2", "3", "4"]
    assert ["stream" in request.payload for request in server.seen] == [True] + [False] * 5


def test_requests_that_are_refused_either_way_do_not_double_for_ever() -> None:
    """After a few it is the requests that are refused, not the stream."""
    script = lambda r: failing(400) if r.question.startswith("bad") else Step(words_s=0)  # noqa: E731
    questions = [ask("good"), *(ask(f"bad{at}") for at in range(MOST_REFUSED_WHOLE + 3))]
    with FaultyServer(script) as server:
        answers = dict(engine_for(server.url).streaming(1).complete(questions))
    assert [answer.kind for at, answer in sorted(answers.items())][1:] == ["HTTP 400"] * 7
    assert len(server.seen) == len(questions) + MOST_REFUSED_WHOLE
