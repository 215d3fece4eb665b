"""What a server supports is found by asking: refused, ignored without a word, or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines.endpoint.asking import ask, engine_for, unused_url
from engines.endpoint.llama_server import free_port, llama_server
from engines.endpoint.specified_server import specified
from engines.faulty_server import FaultyServer

from ladder.engines.endpoint.supports import Finding, Supports, said, supports

ALL = ("chats", "continuing texts", "the same answer when asked again", "log-probabilities",
       "echo", "JSON schema", "n", "seed", "streaming", "prefix cache", "usage",
       "one model")  # fmt: skip


def found_at(fault: str = "") -> Supports:
    with FaultyServer(specified(fault)) as server:
        found = supports("tiny", server.url, 5)
    assert found.requests == len(server.seen), "what is asked is counted"
    return found


def of(found: Supports, ability: str) -> Finding:
    [finding] = [each for each in found.findings if each.ability == ability]
    return finding


def test_a_server_as_the_reference_has_it_supports_all() -> None:
    found = found_at()
    assert tuple(each.ability for each in found.findings) == ALL
    assert all(each.there and not each.wrong for each in found.findings), found.findings
    [(warns, line)] = said(found)
    assert not warns
    assert line.startswith("supports chats, continuing texts, ")
    assert "one model (tiny fp_1)" in line
    assert found.requests == 17
    assert found.tokens_in > 400
    assert found.tokens_out > 40


REFUSED = {
    "no echo": ("echo", "HTTP 400: Unsupported parameter: 'echo'"),
    "no logprobs": ("log-probabilities", "HTTP 400: Unsupported parameter: 'logprobs'"),
    "no n": ("n", "HTTP 400: Unsupported parameter: 'n'"),
    "no schema": ("JSON schema", "response_format is refused"),
    "no seed": ("seed", "refused: draws are not repeatable"),
    "ignores logprobs": ("log-probabilities", "the server ignores the field"),
    "ignores echo": ("echo", "asked for and not told"),
    "ignores n": ("n", "2 asked for, 1 came"),
    "ignores seed": ("seed", "the same seed drew two answers"),
    "draws": ("the same answer when asked again", "2 of 2 answers at temperature 0 were others"),
    "whole": ("streaming", "answers come whole"),
    "no usage": ("usage", "came without: tokens and costs are estimates"),
}


@pytest.mark.parametrize(("fault", "ability", "why"), [(a, *b) for a, b in REFUSED.items()])
def test_what_is_refused_or_ignored_is_told_with_its_reason(
    fault: str, ability: str, why: str
) -> None:
    finding = of(found_at(fault), ability)
    assert finding.there is False
    assert why in finding.why
    assert not finding.wrong


WRONG = {
    "chance level": ("log-probabilities", "chance level"),
    "strange logprobs": ("log-probabilities", "is not the likeliest that it tells"),
    "ignores schema": ("JSON schema", "taken, and not kept to: "),
    "cut stream": ("streaming", "the stream broke off"),
    "mixed usage": ("usage", "tokens are counted of a"),
    "another model": ("one model", "answers came from tiny fp_1, then tiny-2 fp_1"),
}


@pytest.mark.parametrize(("fault", "ability", "why"), [(a, *b) for a, b in WRONG.items()])
def test_what_is_wrong_without_a_word_is_a_warning(fault: str, ability: str, why: str) -> None:
    found = found_at(fault)
    finding = of(found, ability)
    assert finding.wrong
    assert why in finding.why
    assert any(warns and line.startswith(f"{ability}: wrong: ") for warns, line in said(found))


def test_echoed_probabilities_at_chance_level_are_wrong() -> None:
    finding = of(found_at("chance level"), "echo")
    assert finding.wrong
    assert "chance level" in finding.why


def test_a_server_that_goes_away_lacks_nothing_it_was_not_asked_for() -> None:
    found = found_at("goes away")
    assert of(found, "chats").there
    for ability in ("JSON schema", "n", "streaming"):
        assert of(found, ability).there is None


def test_a_server_that_is_not_there_supports_nothing_known() -> None:
    found = supports("tiny", unused_url(), 2)
    assert {each.there for each in found.findings} == {None}
    assert (found.tokens_in, found.tokens_out) == (0, 0)


def test_a_cache_that_is_not_told_of_is_not_known() -> None:
    assert of(found_at("tells no cache"), "prefix cache").there is None


def test_a_run_names_a_model_that_changes_meanwhile() -> None:
    with FaultyServer(specified("another model")) as server:
        engine = engine_for(server.url, concurrency=1)
        with pytest.warns(UserWarning, match="no longer one model") as caught:
            answers = dict(engine.complete([ask(f"question {at}") for at in range(9)]))
    assert engine.abilities.served_by == ("tiny fp_1", "tiny-2 fp_1")
    assert len(caught) == 1, "said once"
    assert all(answer.error is None for answer in answers.values())


def test_a_run_names_token_counts_that_cannot_be() -> None:
    with FaultyServer(specified("mixed usage")) as server:
        engine = engine_for(server.url, concurrency=1)
        long = ask("how long is the way to the north? " * 20)
        with pytest.warns(UserWarning, match="more tokens of an answer than it may have") as caught:
            answers = dict(engine.complete([long, long]))
    assert len(caught) == 1, "said once"
    assert [answers[at].error for at in (0, 1)] == [None, None], "what was answered is scored"


@pytest.mark.slow
def test_a_real_llama_cpp_server(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    with llama_server(free_port(), tmp_path / "log") as url:
        found = supports("smollm2", url, 60)
    there = {each.ability for each in found.findings if each.there}
    assert there == set(ALL) - {"echo"}
    assert not any(each.wrong for each in found.findings)
    assert of(found, "echo").there is False
    assert "tokens kept" in of(found, "prefix cache").why
    assert ".gguf" in of(found, "one model").why
