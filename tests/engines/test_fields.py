"""An answer as fields: found in rows, taught, decided and written again."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from random import Random

import pytest
from conftest import program

import ladder.engines.fields as module
from ladder.engines.fields import (
    ABSENT,
    COPY,
    Form,
    Span,
    choices_of,
    decide,
    form_of,
    likeliest_tags,
    make_form,
    spans_of,
    targets,
    write_answer,
)

ROOT = Path(__file__).parents[2]
NAMES = ["Ann", "Bo Lind", "C. Dahl", "Eve", "Finn O'Hara", "Gus", "Hal Berg", "Ivy", "Jo", "Kai"]
CODES = {"rolls": "KV", "rye": "QN", "buns": "RK"}


def words(text: str) -> list[Span]:
    """Return where words and signs stand, as a tokenizer of BERT parts them."""
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def orders() -> tuple[list[str], list[str]]:
    """Return orders: a code that cannot be read in the text, a name that can, sometimes notes."""
    draw = Random(0)
    texts, answers = [], []
    for at in range(80):
        goods, name = draw.choice(list(CODES)), draw.choice(NAMES)
        notes = draw.sample(["early", "sliced", "warm"], at % 3)
        texts.append(f"{name} wants {goods}, {' and '.join(notes)}.")
        slots: dict[str, object] = {"name": name}
        if notes:
            slots["note"] = notes if len(notes) > 1 else notes[0]
        answers.append(json.dumps({"code": CODES[goods], "slots": slots, "paid": at % 2 == 0}))
    return texts, answers


def as_taught(form: Form, text: str, answer: str) -> str:
    """Return the answer that a network would give which has learnt this row to the letter."""
    places = words(text)
    taught = targets(form, text, answer, places)
    assert taught is not None
    chosen, marked = taught
    sizes = [len(choices_of(field)) for field in form.chosen]
    choices = [
        [0.0 if n == at else -9.0 for n in range(size)]
        for at, size in zip(chosen, sizes, strict=True)
    ]
    tags = [[0.0 if n == tag else -9.0 for n in range(len(form.tags))] for tag in marked]
    return write_answer(form, decide(form, text, places, choices, tags))


def test_fields_of_an_object_are_chosen_or_copied() -> None:
    texts, answers = orders()
    form = make_form(texts, answers, "json")
    known = {".".join(field.path): field for field in form.fields}
    assert set(known) == {"code", "slots.name", "slots.note", "paid"}
    assert set(known["code"].values) == {'"KV"', '"QN"', '"RK"'}
    assert set(known["paid"].values) == {"true", "false"}
    assert [known[name].copied for name in ("code", "slots.name", "slots.note")] == [
        False, True, True,
    ]  # fmt: skip
    assert known["slots.note"].many
    assert form.objects == (("slots",),)
    assert form_of(json.loads(json.dumps(form.as_json()))) == form


def test_what_a_row_teaches_gives_its_answer_again() -> None:
    texts, answers = orders()
    form = make_form(texts, answers, "json")
    for text, answer in zip(texts, answers, strict=True):
        assert json.loads(as_taught(form, text, answer)) == json.loads(answer)


def test_values_come_in_the_order_in_which_rows_have_them() -> None:
    rows = {
        "send Ann to Bergen": {"do": "travel", "at": {"who": "Ann", "place": "Bergen"}},
        "to Oslo goes Bo": {"do": "travel", "at": {"place": "Oslo", "who": "Bo"}},
        "Eve stays in Rome": {"do": "stay", "at": {"who": "Eve", "place": "Rome"}},
        "stay there": {"do": "stay", "at": {}},
    }
    answers = list(map(json.dumps, rows.values()))
    form = make_form(list(rows), answers, "json")
    assert form.in_text_order
    for text, answer in zip(rows, answers, strict=True):
        assert as_taught(form, text, answer) == answer
    swapped = [json.dumps({"last": t.split()[-1], "first": t.split()[0]}) for t in rows]
    form = make_form(list(rows), swapped, "json")
    assert not form.in_text_order
    assert [as_taught(form, t, a) for t, a in zip(rows, swapped, strict=True)] == swapped


def test_words_of_a_text_are_fields_and_a_number_is_copied_or_known() -> None:
    spelt = {"3": "three", "12": "a dozen", "40": "forty"}
    texts, answers = [], []
    for at, (goods, code) in enumerate(CODES.items()):
        for number, said in spelt.items():
            texts += [f"{said} {goods} please", f"{goods}: {100 + 10 * at + int(number)}"]
            answers += [f"{code} {number}", f"{code} {100 + 10 * at + int(number)}"]
    form = make_form(texts, answers, "text")
    code, count = form.fields
    assert (code.copied, count.copied) == (False, True)
    assert set(count.values) == {'"3"', '"12"', '"40"'}
    for text, answer in zip(texts, answers, strict=True):
        assert as_taught(form, text, answer) == answer
    assert as_taught(form, "rolls: 977", "KV 977") == "KV 977"  # a number that no row has


def test_a_label_is_chosen_even_where_the_text_says_it() -> None:
    texts = [f"{label} number {at}" for at in range(20) for label in ("chief complaint", "pain")]
    answers = [text.rpartition(" number ")[0] for text in texts]
    (field,) = make_form(texts, answers, "label").fields
    assert not field.copied
    assert choices_of(field) == (ABSENT, COPY, '"chief complaint"', '"pain"')


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        (["no JSON", "[1]", "7", '"a"'], "json", "4 of 4 answers are no JSON objects"),
        (["one two", "one", "one two three", "a b c d"], "text", "texts of differing lengths"),
        ([" ".join("abcdefghi")] * 4, "text", "have 9 words"),
        ([f"summary{at}" for at in range(4)], "text", "4 values that do not stand in the inputs"),
    ],
)
def test_answers_that_have_to_be_written_are_no_form(
    answers: list[str], kind: module.Kind, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make_form(["an input"] * len(answers), answers, kind)


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("play Heart on", "Heart", [(5, 10)]),
        ("play Hearts on", "Heart", None),  # part of a word
        ("play, Heart.", "Heart", [(6, 11)]),
        ("a b a", ["a", "a"], [(0, 1), (4, 5)]),
        ("a b", ["a", "c"], None),
        ("anything", "", None),
        ("is 7", 7, None),  # a number of JSON is no text
        ("at 9 p.m.", "9 p.m.", [(3, 9)]),
    ],
)
def test_a_value_stands_in_a_text_as_whole_words(
    text: str, value: object, found: list[Span] | None
) -> None:
    assert spans_of(text, value) == found


@pytest.mark.parametrize("seed", range(30))
def test_the_likeliest_tags_are_those_of_a_search_through_all(seed: int) -> None:
    names, draw = ["O", "B0", "I0", "B3", "I3"], Random(seed)
    tags = [[draw.gauss(0, 1) for _ in names] for _ in range(4)]

    def allowed(path: tuple[int, ...]) -> bool:
        before = ("O", *(names[at] for at in path))
        pairs = itertools.pairwise(before)
        return all(b[0] != "I" or a in (b, f"B{b[1:]}") for a, b in pairs)

    paths = [path for path in itertools.product(range(5), repeat=4) if allowed(path)]
    best = max(paths, key=lambda path: sum(row[at] for row, at in zip(tags, path, strict=True)))
    assert tuple(likeliest_tags(names, tags)) == best


def test_where_no_words_are_found_to_copy_the_next_best_value_is_taken() -> None:
    texts = ["3 rolls", "9 rolls", "7 rye", "some rye", "no rye"]
    form = make_form(texts, ["3", "9", "7", "2", "0"], "text")
    (field,) = form.fields
    scores = {ABSENT: -8.0, COPY: -0.1, '"2"': -3.0, '"0"': -2.0}
    choices = [[scores[choice] for choice in choices_of(field)]]
    nothing = [[0.0, -9.0, -9.0]] * 2
    assert decide(form, "few rolls", words("few rolls"), choices, nothing) == {("0",): "0"}


def test_training_programs_read_answers_by_the_same_file() -> None:
    here, there = Path(module.__file__), ROOT / "recipes" / "fields.py"
    assert here.read_text() == there.read_text()
    assert program("fields").make_form is not None
