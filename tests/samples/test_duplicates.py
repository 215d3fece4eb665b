"""Near-duplicates: what counts as saying the same, against a plain count of shared 5-grams."""

from __future__ import annotations

import json
import random
import string
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ladder.samples.duplicates import (
    GRAM,
    LIKE,
    LikePair,
    clusters,
    describe_pairs,
    folded,
    like_pairs,
    same_but_for_slots,
)

LONG = "The ferry to the northern island leaves at nine and comes back at six in the evening"
TEXTS = st.lists(st.text("ab .!", min_size=1, max_size=12), max_size=12)


def grams(text: str) -> frozenset[str]:
    text = folded(text)
    return frozenset(text[at : at + GRAM] for at in range(max(1, len(text) - GRAM + 1)))


def overlap(left: str, right: str) -> float:
    return len(grams(left) & grams(right)) / len(grams(left) | grams(right))


def every_like_pair(texts: list[str]) -> list[tuple[int, int]]:
    """By comparing all with all; of equal texts only the first is compared."""
    first: dict[str, int] = {}
    place = [first.setdefault(folded(text), at) for at, text in enumerate(texts)]
    own = [grams(text) for text in texts]
    found = []
    for i, j in combinations(range(len(texts)), 2):
        if place[j] < j:
            like = i == place[j]
        else:
            like = place[i] == i and 5 * len(own[i] & own[j]) >= 4 * len(own[i] | own[j])
        if like:
            found.append((i, j))
    return sorted(found, key=lambda pair: pair[::-1])


def inputs_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["input"] for line in file]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Where is it?", "  where IS it "),
        ("a-b", "a b"),
        ("STRASSE", "straße"),
        (LONG, LONG.replace("nine", "ten")),
        (LONG, LONG + "!"),
        ("ab", "AB."),
        ("if x>5: stop", "If x > 5 stop"),
        ("pass\u00adword", "password"),
        ("cafe\u0301", "caf\u00e9"),
        ("abcdefghijklm", "abcdefghijklX"),  # 8 of 10 grams shared: the limit itself
    ],
)
def test_like_texts_are_a_pair(left: str, right: str) -> None:
    assert like_pairs([left, right]) == [(0, 1)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("yes", "no"),
        ("ab", "abc"),
        ("?", "!"),
        (LONG, LONG[: len(LONG) // 2]),
        (LONG, " ".join(reversed(LONG.split()))),
        ("", "a"),
        ("C++", "C#"),
        ("is x > 5", "is x < 5"),
        ("a != b", "a = b"),
        ("Why a $1 charge?", "Why a €1 charge?"),
        ("50 % off", "50 off"),
        ("find *.* files", "find files"),
        ("की", "का"),
        ("abcdefghijkl", "abcdefghijkX"),  # 7 of 9
    ],
)
def test_unlike_texts_are_no_pair(left: str, right: str) -> None:
    assert like_pairs([left, right]) == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("abc +", max_size=40), max_size=30))
def test_exactly_the_pairs_of_a_full_comparison_are_found(texts: list[str]) -> None:
    assert like_pairs(texts) == every_like_pair(texts)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_no_pair_near_the_limit_is_missed(draw: random.Random, edits: int) -> None:
    texts = []
    for _ in range(12):
        text = draw.choices(string.ascii_lowercase, k=draw.randrange(5, 200))
        texts.append("".join(text))
        for _ in range(edits):
            at = draw.randrange(len(text))
            text[at : at + 1] = draw.choice(([], ["1"], [text[at], "2"]))
            if text:
                texts.append("".join(text))
            else:
                break
    assert like_pairs(texts) == every_like_pair(texts)


@pytest.mark.slow
def test_the_pairs_of_real_commands_are_those_of_a_full_comparison(public_data: Path) -> None:
    folder = public_data / "nl2bash"
    texts = [*inputs_of(folder / "train.jsonl")[:900], *inputs_of(folder / "test.jsonl")]
    found = like_pairs(texts)
    assert found == every_like_pair(texts)
    assert len(found) > 40


def test_every_documented_leak_is_found(public_data: Path) -> None:
    folder = public_data / "nl2bash"
    train = inputs_of(folder / "train.jsonl")
    with (folder / "test.jsonl").open(encoding="utf-8") as file:
        test = [json.loads(line) for line in file]
    texts = [*train, *(row["input"] for row in test)]
    cluster = clusters(len(texts), like_pairs(texts))
    leaked = [at for at, row in enumerate(test) if row["meta"]["input_in_train"]]
    assert len(leaked) == 33
    assert all(cluster[len(train) + at] < len(train) for at in leaked)
    known = set(map(folded, train))
    unequal = [test[at]["input"] for at in leaked if folded(test[at]["input"]) not in known]
    assert len(unequal) == 1, "the training example says *.txt"
    assert "all TXT files" in unequal[0]


def test_no_text_and_one_text_have_no_pairs() -> None:
    assert like_pairs([]) == []
    assert like_pairs([LONG]) == []


def test_each_copy_is_paired_with_the_first() -> None:
    assert like_pairs(["x y", "other words", "X, Y", "x  y!"]) == [(0, 2), (0, 3)]


def test_progress_counts_every_text() -> None:
    seen: list[int] = []
    like_pairs(["a", "a", "b"], seen.append)
    assert seen == [1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_pair_is_truly_alike_and_equal_texts_share_a_cluster(texts: list[str]) -> None:
    pairs = like_pairs(texts)
    assert all(left < right for left, right in pairs)
    assert all(overlap(texts[left], texts[right]) >= LIKE for left, right in pairs)
    cluster = clusters(len(texts), pairs)
    for left, one in enumerate(texts):
        for right, other in enumerate(texts):
            if folded(one) == folded(other):
                assert cluster[left] == cluster[right]


def test_one_changed_letter_in_a_long_text_is_always_found() -> None:
    draw = random.Random(5)
    texts = []
    for _ in range(60):
        text = "".join(draw.choices(string.ascii_lowercase + " ", k=150))
        at = draw.randrange(150)
        texts += [text, text[:at] + "q" + text[at + 1 :]]
    wanted = {(at, at + 1) for at in range(0, len(texts), 2)}
    assert set(like_pairs(texts)) == wanted


def test_pairs_do_not_change_from_run_to_run() -> None:
    texts = [LONG.replace("nine", word) for word in ("nine", "ten", "noon", "six", "eleven")]
    assert like_pairs(texts) == like_pairs(texts)


@example("ß\u0301")
@example("\u2adc")
@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert bool(folded(text)) == bool(text.strip())


# Which kind of pair


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("set a timer for 3 minutes", "set a timer for 5 minutes"),
        ("set a timer for 3 minutes", "Please set the timer for 25 minutes."),
        ("Give this cookbook a three", "give this cookbook a 3"),
        ("Play music from 1999", "Play music from 1996."),
        ("What is due on 2019-03-01?", "What is due on 2020-11-28?"),
        ("How do I sort a list in C++?", "How do I sort a list in C#?"),
        ("keep the rows where x > 5", "keep the rows where x < 5"),
        ("Who added a $7 fee to my receipt?", "Who added a €7 fee to my receipt?"),
        ("book a flight to Boston on Monday", "book a flight to New York on Monday"),
        ("book a flight to Boston on Tuesday", "book a flight to Boston on Thursday"),
        ("pay one million to Ann", "pay one billion to Ann"),
        ("convert euros to dollars today", "convert dollars to euros today"),
        ("when does flight BA4711 land", "when does flight BA4712 land"),
        ("bob 5 + 7 5 + bob bob", "bob bob 7 ann + bob 7"),
        ("courts of the County of Essex", "courts of the County of Norfolk"),
        ("मुझे दिल्ली का मौसम बताओ", "मुझे मुंबई का मौसम बताओ"),
    ],
)
def test_rows_that_differ_only_in_slots_are_a_template(left: str, right: str) -> None:
    assert same_but_for_slots(left, right)
    assert same_but_for_slots(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("How do I return my skis?", "how do i return my skis"),
        ("How do I return my skis?", "Please, how can I return the skis?"),
        ("How do I return my boot?", "How do I return my boots?"),
        ("How do I return my skis?", "How do I retrun my skis?"),
        ("Is there a fee for late return?", "is there a fee for late returns"),
        ("my check in time is wrong", "my checkin time is wrong"),
        ("remind me at 2 pm", "remind me at 2pm"),
        ("order two new blue bicycles now", "order two blue new bicycles now"),
        ("Where is the back-up parking ticket?", "Where is the back-up parking ticket kept"),
        ("Hi, i want to join as a skipper", "i want to join as a skipper"),
        ("bitte sperren Sie meine Karte sofort", "sperren Sie meine Karte sofort"),
        ("I do not like it at all", "I do like it at all"),
        ("since it began to rain I stay at home", "I stay at home since it began to rain"),
        ("yes", "no"),
        ("pay 5", "send 7"),
        ("", ""),
        ("", "set a timer"),
        (LONG, " ".join(reversed(LONG.split()))),
        ("the man with the long grey coat left", "the lady without any such thing left"),
    ],
)
def test_what_is_reworded_or_wholly_different_is_no_template(left: str, right: str) -> None:
    assert not same_but_for_slots(left, right)
    assert not same_but_for_slots(right, left)


@given(
    st.lists(st.sampled_from(["alarm", "kitchen", "wake", "tomorrow", "noon"]), min_size=2),
    st.data(),
)
def test_another_number_anywhere_is_a_slot_and_another_case_is_none(
    words: list[str], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(words)))
    one, other = data.draw(st.lists(st.integers(0, 10**6), min_size=2, max_size=2, unique=True))
    left, right = (" ".join([*words[:at], str(n), *words[at:]]) for n in (one, other))
    assert same_but_for_slots(left, right)
    assert not same_but_for_slots(left, left.upper() + "!")


@given(st.text("ab12 +", max_size=20), st.text("ab12 +", max_size=20))
def test_the_order_of_two_rows_does_not_matter(left: str, right: str) -> None:
    assert same_but_for_slots(left, right) == same_but_for_slots(right, left)


def test_pairs_are_described_in_the_order_given() -> None:
    texts = [LONG, LONG.upper() + "!", LONG.replace("nine", "ten"), "Please: " + LONG]
    found = describe_pairs(texts, [(0, 3), (0, 2), (0, 1)])
    assert [(pair.left, pair.right, pair.kind) for pair in found] == [
        (0, 3, "near"),
        (0, 2, "template"),
        (0, 1, "equal"),
    ]
    assert found[0].jaccard == overlap(texts[0], texts[3])
    assert found[1].jaccard == overlap(texts[0], texts[2])
    assert found[2] == LikePair(0, 1, "equal", 1.0)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_a_described_pair_is_equal_exactly_when_its_folded_texts_are(texts: list[str]) -> None:
    pairs = like_pairs(texts)
    for pair in describe_pairs(texts, pairs):
        same = folded(texts[pair.left]) == folded(texts[pair.right])
        assert (pair.kind == "equal") == same
        assert pair.jaccard >= LIKE
    assert [(pair.left, pair.right) for pair in describe_pairs(texts, pairs)] == pairs


def test_questions_on_two_years_of_a_report_are_templates(public_data: Path) -> None:
    folder = public_data / "finance_qa"
    texts = [*inputs_of(folder / "train.jsonl"), *inputs_of(folder / "test.jsonl")]
    found = describe_pairs(texts, like_pairs(texts))
    years = [pair for pair in found if "2018" in texts[pair.left] + texts[pair.right]]
    assert len(years) >= 5
    assert {pair.kind for pair in years if "2018" not in texts[pair.left]} == {"template"}


# Clusters


def test_clusters_follow_chains_and_take_the_first_rows_name() -> None:
    assert clusters(6, [(4, 5), (1, 4), (2, 3)]) == [0, 1, 2, 2, 1, 1]
    assert clusters(0, []) == []


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_clusters_are_the_connected_rows(pairs: list[tuple[int, int]]) -> None:
    found = clusters(15, pairs)
    reach = {row: {row} for row in range(15)}
    for _ in range(15):
        for left, right in pairs:
            joined = reach[left] | reach[right]
            for row in joined:
                reach[row] = reach[row] | joined
    assert found == [min(reach[row]) for row in range(15)]
