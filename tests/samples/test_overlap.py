"""Word n-grams shared with known texts, against a plain comparison of sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ladder.samples.duplicates import folded
from ladder.samples.overlap import Overlap, OverlapPair, find_overlap, most_held, words_to_share

ROW = "the ferry to the northern island leaves at nine and comes back at six"
OTHER = "a baker on the market square sells rye bread on every second Friday morning"
DOCUMENT = f"Timetable. In winter, {ROW.upper()}! No bicycles are carried between May and June."


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = folded(text).split()
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


def inputs_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["input"] for line in file]


def test_a_row_inside_a_longer_text_is_found_whole() -> None:
    found = find_overlap([OTHER, ROW], ["nothing of the kind", DOCUMENT])
    assert found.pairs == (OverlapPair(held=1, known=1, share=1.0),)
    assert (found.n, found.rows, found.checkable, found.overlapping) == (13, 2, 2, 1)


def test_each_text_has_the_row_that_it_holds_most_of() -> None:
    held = [OTHER, ROW, "short"]
    known = ["nothing of the kind", DOCUMENT, f"{OTHER} {ROW} and more"]
    assert list(most_held(held, known)) == [(0, 0.0), (1, 1.0), (0, 1.0)]
    assert list(most_held(held, [])) == []


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=5, max_size=9), min_size=1, max_size=4))
def test_what_each_text_holds_is_what_plain_sets_say(rows: list[list[str]]) -> None:
    held, known = [" ".join(row) for row in rows], [" ".join(row * 2) for row in rows]
    n = words_to_share([len(row) for row in rows])
    for text, (row, share) in zip(known, most_held(held, known), strict=True):
        own = grams(text, n)
        shares = [len(grams(one, n) & own) / max(1, len(grams(one, n))) for one in held]
        assert share == pytest.approx(max(shares))
        assert shares[row] == pytest.approx(share)


def test_the_share_counts_the_rows_own_n_grams() -> None:
    row = " ".join(f"w{at}" for at in range(10))
    long = " ".join(f"v{at}" for at in range(6))
    half = " ".join(f"w{at}" for at in range(8))
    found = find_overlap([row, long, long, long], [half])
    assert found.n == 6
    assert found.pairs == (OverlapPair(0, 0, 3 / 5),)


def test_a_repeated_n_gram_counts_once() -> None:
    row = "a b c d e a b c d e"  # a..e twice: 5 distinct 5-grams of 6
    found = find_overlap([row] + ["one two three four five"] * 3, ["a b c d e a b c d e a"])
    assert found.n == 5
    assert found.pairs[0].share == 1.0
    assert find_overlap([row, *["x"] * 3], ["a b c d e"]).pairs[0].share == 1 / 5


def test_short_rows_are_unchecked_and_not_clean() -> None:
    found = find_overlap(["cancel my order", ROW, OTHER], ["cancel my order"])
    assert (found.rows, found.checkable, found.overlapping) == (3, 2, 0)
    assert found.coverage == 2 / 3
    assert found.pairs == ()


def test_in_scripts_without_spaces_characters_are_the_words() -> None:
    row = "我的卡在哪里怎么还没有到"
    found = find_overlap([row] * 4, ["他问：我的卡在哪里，怎么还没有到？谢谢。"])
    assert (found.n, found.coverage, found.overlapping) == (12, 1, 4)
    assert found.pairs[0].share == 1
    assert find_overlap([row] * 4, ["我的卡在银行里"]).overlapping == 0
    assert find_overlap(["บัตรของฉันอยู่ที่ไหน"] * 4, ["ถาม: บัตรของฉันอยู่ที่ไหน"]).overlapping == 4


@pytest.mark.parametrize(
    ("lengths", "n"),
    [([], 13), ([40] * 9, 13), ([2, 3, 4], 5), ([7] * 8, 7), ([4, 8, 12, 16, 20], 8), ([0], 5)],
)
def test_n_follows_the_rows_that_are_short(lengths: list[int], n: int) -> None:
    assert words_to_share(lengths) == n


@given(st.lists(st.integers(0, 60), min_size=1))
def test_three_rows_of_four_are_checked_unless_shorter_than_five_words(lengths: list[int]) -> None:
    n = words_to_share(lengths)
    assert 5 <= n <= 13
    if n > 5:
        assert sum(length >= n for length in lengths) >= 0.75 * len(lengths) - 1e-9


def test_each_row_is_listed_once_with_the_first_of_the_best_texts() -> None:
    part = " ".join(ROW.split()[:13])
    found = find_overlap([OTHER, ROW], [part, DOCUMENT, ROW, OTHER])
    assert found.pairs == (OverlapPair(0, 3, 1.0), OverlapPair(1, 1, 1.0))


def test_the_list_is_cut_and_the_count_is_not() -> None:
    rows = [f"{ROW} {at}" for at in range(40)]
    found = find_overlap(rows, [DOCUMENT, rows[7]], most=3)
    assert found.overlapping == 40
    assert [pair.held for pair in found.pairs] == [7, 0, 1]
    assert found.pairs[0].share == 1.0 > found.pairs[1].share


def test_known_texts_are_read_once_and_counted() -> None:
    seen: list[int] = []
    known = (text for text in (OTHER, DOCUMENT))
    assert find_overlap([ROW], known, advance=seen.append).pairs[0].known == 1
    assert seen == [1, 2]


def test_nothing_to_check_and_nothing_known() -> None:
    nothing = Overlap(n=13, rows=0, checkable=0, overlapping=0, pairs=())
    assert find_overlap([], [ROW]) == nothing
    assert nothing.coverage == 0
    assert find_overlap([ROW], []).pairs == ()
    assert find_overlap(["", ""], ["", ROW]).checkable == 0


TEXTS = st.lists(st.lists(st.sampled_from("abcA,+"), max_size=16).map(" ".join), max_size=10)


@pytest.mark.slow
@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_the_shares_are_those_of_plain_sets(held: list[str], known: list[str]) -> None:
    found = find_overlap(held, known, most=len(held))
    listed = {pair.held: pair for pair in found.pairs}
    for at, row in enumerate(held):
        own = grams(row, found.n)
        shares = [len(own & grams(text, found.n)) / len(own) for text in known] if own else []
        if max(shares, default=0) > 0:
            assert listed[at].share == pytest.approx(max(shares))
            assert listed[at].known == shares.index(max(shares))
        else:
            assert at not in listed
    assert found.checkable == sum(bool(grams(row, found.n)) for row in held)
    assert found.overlapping == len(listed)
    assert [pair.share for pair in found.pairs] == sorted(
        (pair.share for pair in found.pairs), reverse=True
    )


def test_repeated_contract_clauses_are_found(public_data: Path) -> None:
    folder = public_data / "contract_clauses"
    train, test = (inputs_of(folder / f"{part}.jsonl") for part in ("train", "test"))
    found = find_overlap(test, train)
    known = set(map(folded, train))
    copies = {at for at, row in enumerate(test) if folded(row) in known}
    assert len(copies) == 5
    assert copies <= {pair.held for pair in found.pairs if pair.share == 1}
    assert found.n == 13
    assert found.coverage > 0.9
    assert len(found.pairs) == 20 < found.overlapping
