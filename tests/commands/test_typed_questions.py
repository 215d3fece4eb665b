"""Typed questions as a server reads and answers them, in both forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ladder.commands.typed_questions import (
    FORMS,
    Question,
    RefusedError,
    body_of,
    chances,
    chosen,
    confidence,
)
from ladder.engines.base import NO_ANSWER
from ladder.lifecycle.served import Decided

LABELS = ("bread", "cake", "pie")
EACH = dict.fromkeys(LABELS)
CAKE = Decided("cake", 0.7, {"bread": 0.2, "cake": 0.7, "pie": 0.1}, tokens=9)


def systemone(criteria: Any = EACH, **more: Any) -> dict[str, Any]:
    question = {"type": "choice", "instructions": "What?", "criteria": criteria}
    return {"model": "m", "state": "two slices", "questions": {"q": question}, **more}


def decisions(values: Any = LABELS, **more: Any) -> dict[str, Any]:
    choices = [{"value": value, "description": "some"} for value in values]
    question = {"type": "choice", "name": "q", "choices": choices}
    return {"model": "m", "input": "two slices", "questions": [question], **more}


BODIES = {"systemone": systemone(), "decisions": decisions()}


def answered(form: str, body: Any, decided: Decided = CAKE) -> dict[str, Any]:
    spoken = FORMS[form]
    found = spoken.put(spoken.read(body, LABELS), decided)
    return json.loads(json.dumps(found, allow_nan=False))


def test_an_answer_as_systemone_puts_it() -> None:
    found = answered("systemone", systemone())
    assert found["answers"]["q"] == {
        "type": "choice",
        "choice": "cake",
        "probabilities": pytest.approx({"bread": 0.2, "cake": 0.7, "pie": 0.1}),
        "confidence": pytest.approx((3 * 0.7 - 1) / 2),
    }
    assert found["usage"] == {"input_tokens": 9, "output_tokens": 0}


def test_an_answer_as_decisions_puts_it() -> None:
    [found] = answered("decisions", decisions())["answers"]
    assert (found["type"], found["name"], found["choice"]) == ("choice", "q", "cake")
    pairs = {pair["value"]: pair["probability"] for pair in found["probabilities"]}
    assert pairs == pytest.approx({"bread": 0.2, "cake": 0.7, "pie": 0.1})


@pytest.mark.parametrize("form", FORMS)
def test_what_could_not_be_answered_is_no_label(form: str) -> None:
    found = answered(form, BODIES[form], Decided(error="too long", kind=NO_ANSWER))["answers"]
    assert found in ({}, [{"type": "refusal", "name": "q"}])


@pytest.mark.parametrize("form", FORMS)
def test_a_system_without_probabilities_tells_none(form: str) -> None:
    found = answered(form, BODIES[form], Decided("pie"))["answers"]
    answer = found[0] if isinstance(found, list) else found["q"]
    assert answer["choice"] == "pie"
    assert "probabilities" not in answer
    assert "confidence" not in answer


def test_of_fewer_options_the_probabilities_add_up_to_one() -> None:
    question = Question("q", ("bread", "pie"))
    assert chances(question, CAKE) == {"bread": pytest.approx(2 / 3), "pie": pytest.approx(1 / 3)}
    assert chosen(question, CAKE) == "bread"
    assert chosen(question, Decided("cake")) is None, "nothing says which of the two"
    assert (confidence(1.0, 1), confidence(0.5, 2), confidence(1.0, 3)) == (1.0, 0.0, 1.0)
    assert confidence(0.4, 2) == 0.0, "the choice's own, not the likeliest's"


ABOUT = {
    "a text": ("two slices", "two slices"),
    "an object": ({"note": "ü"}, '{"note": "ü"}'),
    "a chat": ([{"role": "system", "content": "x"}, {"role": "user", "content": "hi"}], "hi"),
    "a list": (["a", 1], '["a", 1]'),
}


@pytest.mark.parametrize(("about", "text"), ABOUT.values(), ids=ABOUT)
def test_what_a_question_is_about_becomes_one_input(about: Any, text: str) -> None:
    assert FORMS["systemone"].read(systemone(state=about), LABELS).about == text
    assert FORMS["decisions"].read(decisions(input=about), LABELS).about == text


REFUSED = {
    "another label": ("systemone", systemone({"cake": None, "tart": None}), "`tart` is no label"),
    "another label there": ("decisions", decisions(("tart",)), "its labels are bread, cake, pie"),
    "a label that is no text": ("decisions", decisions(([1],)), "is no label"),
    "no options": ("systemone", systemone({}), "no options"),
    "options in another form": ("systemone", systemone("cake"), "no options"),
    "no question": ("systemone", systemone(questions={}), "0 questions"),
    "too many": (
        "systemone",
        systemone(questions={str(n): {"type": "choice"} for n in range(65)}),
        "65 questions",
    ),
    "questions in the other form": ("systemone", systemone(questions=[]), "no object"),
    "questions in this form": ("decisions", decisions(questions={}), "no list"),
    "a question that is none": ("systemone", systemone(questions={"q": 1}), "its type is `None`"),
    "another type": (
        "systemone",
        systemone(questions={"q": {"type": "score", "criteria": ["low", "high"]}}),
        "its type is `score`; this system answers `choice` alone",
    ),
    "a predicate": (
        "decisions",
        decisions(questions=[{"type": "predicate", "name": "q"}]),
        "its type is `predicate`",
    ),
    "nothing to read": ("systemone", systemone(state=""), "`state` is missing"),
    "nothing to read there": ("decisions", decisions(input=None), "`input` is missing"),
}


@pytest.mark.parametrize(("form", "body", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_is_refused_in_words(form: str, body: Any, words: str) -> None:
    with pytest.raises(RefusedError, match=words) as refused:
        FORMS[form].read(body, LABELS)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "content", [b"", b"x", b"[]", b"\xff", b"[" * 100_000, b"1", b'{"a": "\\ud800"}']
)
def test_a_body_that_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        body_of(content)
    assert refused.value.status == 400


def test_without_options_all_labels_are() -> None:
    body = systemone(questions={"q": {"type": "choice"}})
    assert FORMS["systemone"].read(body, LABELS).questions[0].options == LABELS
