"""Near-duplicates: rows that say the same, so that no split holds the answer of another.

Equal after folding; or character 5-gram Jaccard of at least 0.8, found exactly: no signature, no
seed, no pair missed (prefix filter: Chaudhuri et al., 2006; Bayardo et al., 2007). Texts too short
for 5-grams are compared whole. Of more than 100,000 texts they are what `sketches` finds.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from math import ceil
from typing import Literal

import regex

from ladder.samples.sketches import MANY, candidates

GRAM = 5
LIKE = 0.8
_ONE_BY_ONE = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]")
"""Letters of scripts in which one letter more or less is another word, save at its end."""
CODE_SIGNS = frozenset("#%&*/@\\^")
"""Punctuation to Unicode, but no less a part of what is said than + < = > | ~ $ and € are."""
MOST_SLOT_WORDS = 2
SAME_WORD = 0.8
"""Ratio of SequenceMatcher above which two words are one word, misspelt or inflected."""
FILLER = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those some any my our your i we you me us it is are am be been "
        "do does did can could may might shall should will would please kindly just hi hello hey "
        "thanks thank so also really very",
    )
)
"""Words that politeness and grammar add; no negation, no preposition, no word that asks."""

Kind = Literal["equal", "near", "template"]


@dataclass(frozen=True)
class LikePair:
    """Two rows of `like_pairs`, and in what way they are alike."""

    left: int
    right: int
    kind: Kind
    """equal: after folding · near: reworded · template: only slots differ, for a human to judge."""
    jaccard: float
    """Of the character 5-grams; 1 for equal rows."""


class _Folding(dict[int, str]):
    """What stands in a folded text for a character, worked out once for each character met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if char in "\ufe0e\ufe0f":  # whether an emoji is in colour
            kept = ""
        elif char.isdecimal():
            kept = str(unicodedata.decimal(char))
        elif unicodedata.decomposition(char).startswith(("<wide>", "<narrow>")):
            kept = unicodedata.normalize("NFKC", char).translate(self)
        elif kind[0] in "LMN":  # marks too: without its vowel sign a Hindi word is another word
            kept = char
        elif kind in ("Sm", "Sc", "So") or char in CODE_SIGNS:
            kept = f" {char} "
        else:
            kept = "" if kind == "Cf" else " "  # Cf: soft hyphens and the like, seen by nobody
        self[code] = kept
        return kept


_FOLDING = _Folding()


def folded(text: str) -> str:
    """Fold case, width, digits' script, punctuation and space. Of punctuation alone, all is kept.

    Signs that say something are kept, each as a word of its own: mathematics, currencies, emoji
    and `CODE_SIGNS`. So C++ is not C#, "x > 5" not "x < 5", "$1" not "€1", and "x>5" is "x > 5".
    Folded is what ends or joins words in prose: . , ; : ! ? ' " ( ) [ ] { } - _ and the backtick.
    The price: "-5" is "5" and "a.b" is "a b".
    """
    plain = unicodedata.normalize("NFC", text).casefold().replace("!=", "≠").translate(_FOLDING)
    # Once more: folding case and dropping unseen characters brings letters and accents together.
    return unicodedata.normalize("NFC", " ".join(plain.split())) or text.strip()


def like_pairs(
    texts: Sequence[str], advance: Callable[[int], object] = lambda done: None
) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, of near-duplicate texts, by j and then by i.

    Of equal texts only the first is compared with others; the rest are paired with it.

    Args:
        texts: the texts to compare with each other.
        advance: called with the number of texts done, for a progress bar.
    """
    first: dict[str, int] = {}
    pairs = []
    for here, text in enumerate(map(folded, texts)):
        if text in first:
            pairs.append((first[text], here))
            advance(len(pairs))
        else:
            first[text] = here
    unequal, places, copies = list(first), list(first.values()), len(pairs)
    first.clear()  # of a million texts it is a tenth of the memory
    find = _join if len(unequal) <= MANY else _verified
    for one, other in find(unequal, lambda done: advance(copies + done)):
        pairs.append((min(places[one], places[other]), max(places[one], places[other])))
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def describe_pairs(texts: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[LikePair]:
    """Return for each pair what kind it is and how alike its texts are, in the order given."""
    return [_describe(texts, left, right) for left, right in pairs]


def same_but_for_slots(left: str, right: str) -> bool:
    """Tell whether two texts are one template filled in twice: "3 minutes", "5 minutes".

    Only replacements make a template. Both texts are folded and lose their `FILLER` words; then
    what stands at the same place but differs must be a slot: one or two words on either side, or
    numbers and signs alone of any length. No slot is

    - the same word misspelt or inflected: the first letter stays, and SAME_WORD is exceeded or a
      letter is added at the end. Typing errors rarely hit the first letter (Pollock and Zamora,
      1984); "million" and "billion" are two words, "card" and "cards" one. Numbers are the same
      only if they are equal;
    - a word moved, joined or parted;
    - a word added or left out. It may be filler that this list does not know, as in any other
      language than English, so such a pair stays a leak.

    At least as many words must stay as there are slots: of "yes" and "no" nothing stays. A synonym
    looks like a slot and cannot be told from one here; and the shorter a text, the more its slot is
    all that it says. So True means "for a human to judge", never "clean".
    """
    one, other = (
        [word for word in folded(text).split() if word not in FILLER]
        for text in sorted((left, right))  # alignment is not symmetric, the answer shall be
    )
    return slots_alone(one, other)


def slots_alone(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two lists of words differ in slots alone (`same_but_for_slots`)."""
    changes = [change for change in _changes(one, other) if not _reworded(*change)]
    stay = max(len(one), len(other)) - sum(max(map(len, change)) for change in changes)
    return 0 < len(changes) <= stay and all(_is_slot(*change) for change in changes)


def clusters(size: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the cluster of each of `size` rows, named by its first row."""
    parent = list(range(size))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for left, right in pairs:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(row) for row in range(size)]


def _grams(text: str) -> set[str]:
    return {text[at : at + GRAM] for at in range(max(1, len(text) - GRAM + 1))}


def _ranked(texts: Collection[str]) -> list[array[int]]:
    """Return the 5-grams of each text as numbers, the rarest first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_grams(text))
    rarest_first = sorted(counts, key=counts.__getitem__)
    rank = {gram: number for number, gram in enumerate(rarest_first)}
    return [array("I", sorted(rank[gram] for gram in _grams(text))) for text in texts]


def _verified(texts: Sequence[str], advance: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of very many texts whose Jaccard is at least LIKE, as sketches find them."""
    for one, other in candidates(texts, GRAM, advance):
        left, right = _grams(texts[one]), _grams(texts[other])
        shared = len(left & right)
        if shared >= LIKE * (len(left) + len(right) - shared):
            yield one, other


def _join(texts: Sequence[str], advance: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """Yield every pair of rows whose Jaccard is at least LIKE.

    Two rows that share enough must share one of the few rarest grams of each: of a row of n grams
    at least LIKE n are shared, so one of any n - LIKE n + 1 is. A row of the index meets only rows
    of its own size or larger, must share more with them, and so is found by fewer of its grams.
    """
    grams = _ranked(texts)
    order = sorted(range(len(grams)), key=lambda row: len(grams[row]))
    sizes = [len(grams[row]) for row in order]
    index: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
    least_of_equals = 2 * LIKE / (1 + LIKE)
    for at, row in enumerate(order):
        own, whole = grams[row], set(grams[row])
        shortest = ceil(LIKE * len(own))
        long_enough = bisect_left(sizes, shortest)
        met: set[int] = set()
        for gram in own[: len(own) - shortest + 1]:
            if gram in index:
                found = index[gram]
                met.update(found[bisect_left(found, long_enough) :])
        for other in met:
            shared = len(whole.intersection(grams[order[other]]))
            if shared >= LIKE * (len(own) + sizes[other] - shared):
                yield order[other], row
        for gram in own[: len(own) - ceil(least_of_equals * len(own) - 1e-9) + 1]:
            index[gram].append(at)
        advance(at + 1)


def _describe(texts: Sequence[str], left: int, right: int) -> LikePair:
    one, other = folded(texts[left]), folded(texts[right])
    if one == other:
        return LikePair(left, right, "equal", 1.0)
    kind: Kind = "template" if same_but_for_slots(one, other) else "near"
    grams, others = _grams(one), _grams(other)
    return LikePair(left, right, kind, len(grams & others) / len(grams | others))


def _changes(
    one: Sequence[str], other: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the runs of words that differ: place by place, or aligned where the lengths differ."""
    if len(one) == len(other):
        for same, run in groupby(zip(one, other, strict=True), key=lambda two: two[0] == two[1]):
            if not same:
                before, after = zip(*run, strict=True)
                yield before, after
        return
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            yield one[a:b], other[c:d]


def _reworded(before: Sequence[str], after: Sequence[str]) -> bool:
    one, other = "".join(before), "".join(after)
    if one == other or sorted(before) == sorted(after):
        return True
    if one[:1] != other[:1] or any(map(str.isnumeric, one + other)):
        return False
    short, long = sorted((one, other), key=len)
    if len(short) > 1 and short == long[:-1]:
        return True
    if _ONE_BY_ONE.search(one):
        return len(short) > 1 and long.startswith(short)
    return SequenceMatcher(None, one, other, autojunk=False).ratio() > SAME_WORD


def _is_slot(before: Sequence[str], after: Sequence[str]) -> bool:
    if not before or not after:
        return False
    few = max(len(before), len(after)) <= MOST_SLOT_WORDS
    return few or not any(map(str.isalpha, "".join((*before, *after))))
