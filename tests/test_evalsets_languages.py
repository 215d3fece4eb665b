"""One task in five languages: the same questions, answers that can be found, no near-duplicates."""

from __future__ import annotations

import importlib.util
import re
import sys
import unicodedata
from collections import Counter
from itertools import combinations

import pytest
from conftest import ROOT, ladder

from ladder.samples.duplicates import same_but_for_slots
from ladder.samples.reading import read_rows
from ladder.samples.rows import Document, Rows, Sample
from ladder.scorers.contains import contains
from ladder.scorers.exact_match import exact_match
from ladder.scorers.token_f1 import token_f1
from ladder.task import load_task

FOLDER = ROOT / "evalsets/languages"
SPACED = ("en", "de", "ar")
LANGUAGES = (*SPACED, "zh", "th")
FLOORS = {"en": 0.95, "de": 0.88, "ar": 0.88, "zh": 0.92, "th": 0.92}
"""Of recall at 5 by words: two to three questions of 60 below what was measured."""
SCRIPT = {"en": "LATIN", "de": "LATIN", "ar": "ARABIC", "zh": "CJK", "th": "THAI"}

SPEC = importlib.util.spec_from_file_location("languages", ROOT / "benchmarks/languages.py")
assert SPEC
assert SPEC.loader
benchmark = importlib.util.module_from_spec(SPEC)
sys.modules["languages"] = benchmark
SPEC.loader.exec_module(benchmark)


def rows_of(language: str) -> Rows:
    return read_rows(load_task(FOLDER / language / "task.yaml"))


def questions(rows: Rows) -> list[Sample]:
    return sorted((*rows.train, *rows.test), key=lambda row: row.id)


def entries(rows: Rows) -> dict[str, Document]:
    return {document.id: document for document in rows.documents}


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_check_finds_no_mistake_no_leak_and_no_near_duplicate(language):
    checked = ladder("check", FOLDER / language / "task.yaml")
    assert checked.returncode == 0, checked.stderr
    for said in ("no mistake found", "no leak found", "0 near-duplicates"):
        assert said in checked.stdout


def test_the_card_names_licence_and_languages():
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    for word in ("Apache-2.0", "English", "German", "Chinese", "Thai", "Arabic"):
        assert word in card, word


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_asks_the_same_about_the_same(language):
    here, english = rows_of(language), rows_of("en")
    assert len(questions(here)) == 60
    assert len(here.documents) == 48
    for part in ("train", "test"):
        asked = [(row.id, row.doc_ids) for row in getattr(here, part)]
        assert asked == [(row.id, row.doc_ids) for row in getattr(english, part)]
    assert list(entries(here)) == list(entries(english))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_stands_in_the_entry_that_is_named(language):
    rows = rows_of(language)
    there = entries(rows)
    for row in questions(rows):
        [name] = row.doc_ids
        assert row.target in there[name].text, row.id
        assert row.target not in row.input, row.id
        if language in SPACED:  # as whole words: no prefix and no ending is joined to it
            found = re.search(rf"(?<!\w){re.escape(row.target)}(?!\w)", there[name].text)
            assert found, row.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_contains_finds_the_answer_in_its_entry(language):
    """Between quotes, before an Arabic comma, amid words that no space parts."""
    rows = rows_of(language)
    there = entries(rows)
    missed = [
        row.id
        for row in questions(rows)
        if contains()(there[row.doc_ids[0]].text, row.target).value < 1
    ]
    assert not missed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", [contains, token_f1, exact_match])
def test_an_answer_is_right_and_another_question_s_is_not(language, make):
    score, rows = make(), questions(rows_of(language))
    for row in rows:
        assert score(row.target, row.target).value == 1, row.id
    others = zip(rows, [*rows[11:], *rows[:11]], strict=True)
    assert all(score(other.target, row.target).value < 1 for row, other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_entry_has_questions_in_both_files(language):
    rows = rows_of(language)
    train, test = ({row.doc_ids for row in part} for part in (rows.train, rows.test))
    assert not train & test


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_is_composed_and_in_its_own_script(language):
    rows = rows_of(language)
    texts = [f"{entry.title} {entry.text}" for entry in rows.documents]
    texts += [f"{row.input} {row.target}" for row in questions(rows)]
    for text in texts:
        assert unicodedata.normalize("NFC", text) == text
        letters = [unicodedata.name(char).split()[0] for char in text if char.isalpha()]
        assert set(letters) == {SCRIPT[language]}, text


@pytest.mark.parametrize("language", SPACED)
def test_no_question_is_another_with_one_word_changed(language):
    asked = [row.input for row in questions(rows_of(language))]
    alike = [pair for pair in combinations(asked, 2) if same_but_for_slots(*pair)]
    assert not alike


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_begin_in_many_ways(language):
    """One template filled in sixty times would begin sixty times alike."""
    beginnings = Counter(row.input[:4].casefold() for row in questions(rows_of(language)))
    assert len(beginnings) >= 20
    assert max(beginnings.values()) <= 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_word_search_finds_the_entry(language):
    recall = benchmark.found_at(language, ("words",))["words", 5]
    assert len(recall) == 60
    assert sum(recall.values()) / len(recall) >= FLOORS[language]


def test_a_document_that_shares_no_word_is_not_found_by_words():
    task = benchmark.task_of("en", embedder=False)
    retriever = benchmark.retriever_of(task)
    how = benchmark.Retrieval(source="documents")
    unknown = Sample(id="x", input="Zymurgy?", target="", doc_ids=("d01",))
    assert benchmark.rank_of(retriever, how, unknown) == float("inf")
    known = Sample(id="y", input="Who prunes the roses?", target="", doc_ids=("d33",))
    assert benchmark.rank_of(retriever, how, known) == 1


def test_a_language_is_compared_with_english_on_the_questions_of_both():
    english = {"a": 1.0, "b": 1.0, "c": 0.0}
    assert benchmark.apart(english, english) == ""
    assert benchmark.apart({"a": 0.0, "b": 1.0}, english).startswith("-0.50 ")
