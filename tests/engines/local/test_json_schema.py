"""Answers held to a JSON Schema, and answers drawn, by the real bundled model."""

from __future__ import annotations

import json
import sys

import jsonschema
import pytest
from engines.local.questions import in_float32

from ladder.engines.base import Request
from ladder.engines.local import LocalEngine
from ladder.engines.local.json_schema import refusal
from ladder.errors import MissingExtraError

pytest.importorskip("torch")
pytest.importorskip("llguidance")

GOAL = "Write what is asked for as JSON."
ASKED = ("Play Adele.", "Will it rain in Rome tomorrow, and how warm will it get?", 'Say "hi".')


def closed(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {"type": "boolean"}
    for level in range(depth):
        inner = closed(**{f"level {level}": inner})
    return inner


ODD = (
    'say "hi"',
    "back\\slash",
    "two\nlines",
    "tab\t",
    "é 日本 \U0001f600",
    "<|im_end|>",
    "</s>",
    "",
)
SCHEMAS = {
    "plain": closed(intent={"enum": ["PlayMusic", "GetWeather"]}, sure={"type": "boolean"}),
    "deep": nested(8),
    "pattern": closed(code={"type": "string", "pattern": r"^[A-Z]{2}-\d{3}(é|ü)$"}),
    "odd values": closed(said={"type": "string", "enum": list(ODD)}),
    "odd keys": closed(**{'a "quoted" é': {"const": 1}, "back\\slash": {"type": "null"}}),
    "one odd value": {"const": {"said": ODD[4]}},
    "either": {"anyOf": [closed(a={"type": "boolean"}), {"enum": ["none"]}]},
    "list": {"type": "array", "items": {"enum": [1, 2.5, None]}, "minItems": 2, "maxItems": 3},
    "range": closed(n={"type": "integer", "minimum": -3, "maximum": 12}),
    "short": closed(name={"type": "string", "minLength": 1, "maxLength": 12}),
    "named parts": {"$defs": {"n": closed(n={"type": "null"})}, **closed(a={"$ref": "#/$defs/n"})},
}
ENDLESS = {
    "list": closed(words={"type": "array", "items": {"const": "word"}, "minItems": 50}),
    "in itself": {"$defs": {"n": closed(next={"$ref": "#/$defs/n"})}, "$ref": "#/$defs/n"},
}


@pytest.fixture(scope="module")
def engine(smollm):
    return LocalEngine(smollm)


@pytest.fixture(scope="module")
def exact(smollm):
    return in_float32(smollm)


def chat(question: str, **more: object) -> Request:
    return Request(messages=(("system", GOAL), ("user", question)), **more)


def plain(question: str, **more: object) -> Request:
    return Request(text=f"{GOAL}\nInput: {question}\nOutput:", stop=("\n",), **more)


@pytest.mark.slow
@pytest.mark.parametrize("form", [chat, plain])
def test_every_answer_keeps_to_its_schema(engine, form):
    """All schemas in one call: each row follows its own."""
    asked = [
        (schema, form(question, max_tokens=120, schema=json.dumps(schema)))
        for schema in SCHEMAS.values()
        for question in ASKED
    ]
    answers = dict(engine.complete([request for _, request in asked]))
    for at, (schema, _) in enumerate(asked):
        assert answers[at].error is None
        value = json.loads(answers[at].text)
        jsonschema.Draft202012Validator(schema).validate(value)
        assert "\n" not in answers[at].text


@pytest.mark.parametrize("temperature", [1.0, pytest.param(3.0, marks=pytest.mark.slow)])
def test_drawn_answers_keep_to_it_too(engine, temperature):
    schema = SCHEMAS["short"]
    requests = [
        chat("A name?", max_tokens=60, schema=json.dumps(schema), temperature=temperature, sample=n)
        for n in range(12)
    ]
    texts = [completion.text for _, completion in engine.complete(requests)]
    for text in texts:
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    assert len(set(texts)) > 1


@pytest.mark.slow
def test_free_rows_are_untouched_by_held_ones_beside_them(exact):
    free = [chat(question, max_tokens=16) for question in ASKED]
    held = [chat(q, max_tokens=60, schema=json.dumps(SCHEMAS["plain"])) for q in ASKED]
    alone = dict(exact.complete(free))
    mixed = dict(exact.complete([*held, *free]))
    for at in range(len(free)):
        assert mixed[len(held) + at].text == alone[at].text
        assert mixed[len(held) + at].tokens_out == alone[at].tokens_out


@pytest.mark.slow
def test_properties_come_in_the_schemas_order(engine):
    schema = closed(zebra={"const": 1}, ant={"const": 2})
    _, answer = next(iter(engine.complete([chat("Both.", schema=json.dumps(schema))])))
    assert list(json.loads(answer.text)) == ["zebra", "ant"]


@pytest.mark.slow
@pytest.mark.parametrize("schema", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_that_gets_too_long_is_cut_and_no_json(engine, schema):
    held = plain("Words.", schema=json.dumps(schema), max_tokens=20)
    _, answer = next(iter(engine.complete([held])))
    assert answer.error is None
    assert answer.tokens_out == 20
    assert answer.text.startswith("{")
    with pytest.raises(ValueError, match="line 1"):
        json.loads(answer.text)


REFUSED = {
    "look-ahead": {"type": "string", "pattern": "(?=a)b"},
    "a schema elsewhere": {"$ref": "https://example.org/schema"},
    "no such type": {"type": "strin"},
    "not": {"not": {"type": "string"}},
    "unsatisfiable": {"allOf": [{"type": "integer"}, {"type": "string"}]},
}


@pytest.mark.parametrize("schema", REFUSED.values(), ids=REFUSED)
def test_a_schema_that_cannot_be_followed_is_an_error_for_its_row_alone(engine, schema):
    held = plain("Anything.", schema=json.dumps(schema))
    answers = dict(engine.complete([held, plain("Anything.", max_tokens=4)]))
    assert "no answer can be held to this schema" in answers[0].error
    assert answers[0].text == ""
    assert answers[1].error is None
    assert refusal(json.dumps(schema))


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_can_be_followed_is_not_refused(schema):
    assert refusal(json.dumps(schema)) is None


@pytest.mark.slow
def test_without_the_library_the_command_that_installs_it_is_named(smollm, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtraError, match=r"llguidance is not installed.*\[local\]"):
        list(LocalEngine(smollm).complete([plain("x", schema="{}")]))


@pytest.mark.slow
def test_a_drawn_answer_depends_on_its_request_alone(exact):
    requests = [
        chat(question, max_tokens=8, temperature=0.7, sample=sample)
        for question in ASKED
        for sample in range(3)
    ]
    together = dict(exact.complete(requests))
    for at, request in enumerate(requests):
        _, alone = next(iter(exact.complete([request])))
        assert alone.text == together[at].text
    backwards = dict(exact.complete(requests[::-1]))
    assert [backwards[at].text for at in range(9)] == [together[8 - at].text for at in range(9)]
    assert len({completion.text for completion in together.values()}) > 3


@pytest.mark.slow
def test_without_temperature_the_sample_changes_nothing(engine):
    requests = [chat(ASKED[0], max_tokens=8, sample=sample) for sample in range(3)]
    assert len({completion.text for _, completion in engine.complete(requests)}) == 1
