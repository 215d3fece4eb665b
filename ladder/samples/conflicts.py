"""Like inputs and their answers: which rows are one question, which contradict each other.

Two inputs that are alike (`duplicates`) are one question asked twice where an answer is right for
both. Where none is, a number, a name or a word in them decides the answer, and both are rows of
their own; or they are the same text, and then one of the two answers is wrong.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, starmap
from typing import Any

from ladder.json_values import from_json
from ladder.language.numbers import last_number
from ladder.language.words import comparable, composed, count_words, running_words
from ladder.samples.duplicates import FILLER, folded, slots_alone
from ladder.samples.rows import Sample

NUMBER = re.compile(r"(?:(?<!\w)[-−])?\d+(?:[.,]\d+)*")
FREE_WORDS = 12
"""An answer of more words can be written in many ways: another text need not be another answer."""
SAME_ANSWER = 0.5
"""Share of words (F1) from which on two texts are one answer, written twice."""
SAME_CHARACTERS = 0.8
"""The same where characters are the words: more of them are shared by chance."""
MOST_OF_ONE_ANSWER = 0.9
"""Where one answer has more of a template's rows, its slots do not decide the answer."""
LEAST_OF_TEMPLATE = 10
"""Rows from which on it can be told whether a template's slots decide the answer."""
MOST_REWORDED = 20
CAMPS_COMPARED = 20
"""A text with more answers than these is compared with their first."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Conflicts:
    """What like pairs are, once their answers are looked at."""

    same: tuple[Pair, ...]
    """(earlier, later) that ask the same: only the first is kept."""
    contradictions: tuple[Pair, ...]
    """Of these the pairs with the same text and no answer in common."""
    beyond: int
    """Rows that contradict what most rows with the same text say: the least that must be wrong."""
    reworded: tuple[Pair, ...]
    """(training row, held-out row) that are reworded, with another answer; at most MOST_REWORDED.
    Both are kept: no answer leaks."""


def find_conflicts(
    kind: str, samples: Sequence[Sample], pairs: Sequence[Pair], train_size: int
) -> Conflicts:
    """Sort near-duplicate pairs by what their answers say.

    Args:
        kind: of the answers (`answer.type`).
        samples: the rows.
        pairs: (i, j), i < j, of near-duplicates among them; of equal texts those with the first.
        train_size: how many rows, from the first, are training rows.
    """
    paired = sorted({at for pair in pairs for at in pair})  # a row that is like none is one
    rows = {at: _Row(kind, samples[at]) for at in paired}
    if _marks_decide(rows):
        rows = {at: _Row(kind, samples[at], as_written=True) for at in paired}
    same, contradictions, beyond = _equal_rows(rows)
    unequal = [pair for pair in pairs if not _equal(rows[pair[0]], rows[pair[1]])]
    deciding = _deciding(rows, unequal)
    reworded: list[Pair] = []
    for left, right in unequal:
        one, other = rows[left], rows[right]
        if not _own_rows(one, other):
            if _template(one, other) not in deciding:
                same.append((left, right))
        elif left < train_size <= right and len(reworded) < MOST_REWORDED:
            reworded += [] if _differ_in_slots(one, other) else [(left, right)]
    return Conflicts(tuple(same), tuple(contradictions), beyond, tuple(reworded))


class _Row:
    """A row, and what of it is compared, worked out once."""

    def __init__(self, kind: str, sample: Sample, as_written: bool = False) -> None:
        self.is_text = kind == "text"
        self.targets = sample.targets
        self.written = composed(sample.input)
        self.text = self.written if as_written else folded(sample.input)
        self.numbers = _numbers(sample.input)
        self.answers = frozenset(_plain_answer(kind, target) for target in sample.targets)

    @cached_property
    def mask(self) -> str:
        """The text without its numbers."""
        return re.sub(r"\d+(?: \d+)*", "#", self.text)

    @cached_property
    def words(self) -> list[str]:
        return [word for word in running_words(self.text) if word not in FILLER]

    @cached_property
    def answers_written(self) -> list[tuple[list[str], tuple[str, ...]]]:
        """The words and the numbers of each answer."""
        return [(running_words(folded(one)), _numbers(one)) for one in self.targets]

    @cached_property
    def is_free(self) -> bool:
        """Tell whether its answers may be written in many ways."""
        return self.is_text and all(count_words(one) > FREE_WORDS for one in self.targets)


_Rows = Mapping[int, _Row]
"""Position of a row -> what of it is compared; of those that are like another."""


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(map(comparable, NUMBER.findall(text)))


def _plain_answer(kind: str, target: str) -> Any:
    """Return an answer so that those that say the same are equal."""
    plain = " ".join(target.casefold().split())
    if kind == "number":
        value = last_number(target)
        return plain if value is None else value
    if kind == "json":
        try:
            return json.dumps(from_json(target), sort_keys=True)
        except (ValueError, RecursionError):
            return plain
    if kind == "text":
        return folded(target), _numbers(target)
    return plain


def _equal_rows(rows: _Rows) -> tuple[list[Pair], list[Pair], int]:
    """Return the pairs of each text's first row with the others, and those that contradict.

    The third value is how many rows contradict what most rows with their text say.
    """
    equal: defaultdict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for at, row in rows.items():
        equal[row.text, row.numbers].append(at)
    same: list[Pair] = []
    contradictions: list[Pair] = []
    beyond = 0
    for places in equal.values():
        camps = _camps(rows, places)
        same += [(places[0], at) for at in places[1:]]
        contradictions += [(places[0], at) for camp in camps[1:] for at in camp]
        beyond += len(places) - max(map(len, camps))
    return same, contradictions, beyond


def _marks_decide(rows: _Rows) -> bool:
    """Tell whether capitals and marks decide the answer, as where they are to be judged or set.

    Then most texts that stand there in several spellings have another answer for each, and like
    spellings have like answers.
    """
    spellings: defaultdict[tuple[str, tuple[str, ...]], dict[str, _Row]] = defaultdict(dict)
    for row in rows.values():
        first = spellings[row.text, row.numbers].setdefault(row.written, row)
        if _contradict(first, row):
            return False
    several = [[*found.values()] for found in spellings.values() if len(found) > 1]
    unlike = sum(all(starmap(_contradict, combinations(found, 2))) for found in several)
    return unlike >= LEAST_OF_TEMPLATE and unlike >= MOST_OF_ONE_ANSWER * len(several)


def _camps(rows: _Rows, places: Sequence[int]) -> list[list[int]]:
    """Sort rows with one text by their answers: a row joins the first camp that it agrees with."""
    camps: list[list[int]] = []
    camp_of: dict[Any, list[int]] = {}
    for at in places:
        known = (camp_of[answer] for answer in rows[at].answers if answer in camp_of)
        near = (c for c in camps[:CAMPS_COMPARED] if not _contradict(rows[c[0]], rows[at]))
        camp = next(chain(known, near), None)
        if camp is None:
            camps.append(camp := [])
        camp.append(at)
        for answer in rows[at].answers:
            camp_of.setdefault(answer, camp)
    return camps


def _equal(one: _Row, other: _Row) -> bool:
    return one.text == other.text and one.numbers == other.numbers


def _deciding(rows: _Rows, pairs: Sequence[Pair]) -> set[str]:
    """Return the templates in which the slots decide the answer.

    "Is 7 a prime?" has one answer for many numbers, and two rows with it are two questions; of
    "Where is parcel 7?" all rows have one answer, and are one question.
    """
    members: defaultdict[str, set[int]] = defaultdict(set)
    for left, right in pairs:
        if template := _template(rows[left], rows[right]):
            members[template] |= {left, right}
    found = set()
    for template, places in members.items():
        counts = Counter(min(rows[at].answers, key=str) for at in places)
        enough = len(places) >= LEAST_OF_TEMPLATE
        if enough and max(counts.values()) <= MOST_OF_ONE_ANSWER * len(places):
            found.add(template)
    return found


def _template(one: _Row, other: _Row) -> str:
    """Return what two rows have in common around their slots; empty where they differ otherwise.

    A slot is every number of the text, or a word at one place.
    """
    if one.is_free or other.is_free:
        return ""
    if one.numbers != other.numbers and one.mask == other.mask:
        return one.mask
    words, others = one.words, other.words
    if len(words) != len(others):
        return ""
    if not slots_alone(words, others):
        return ""
    return " ".join(w if w == o else "*" for w, o in zip(words, others, strict=True))


def _own_rows(one: _Row, other: _Row) -> bool:
    """Tell whether two like rows are two questions: no answer is right for both."""
    if not _unlike(one, other):
        return False
    return not (one.is_free and other.is_free) or _differ_in_slots(one, other)


def _contradict(one: _Row, other: _Row) -> bool:
    return _unlike(one, other) and not (one.is_free and other.is_free)


def _unlike(one: _Row, other: _Row) -> bool:
    if not one.answers.isdisjoint(other.answers):
        return False
    return not one.is_text or not any(
        _one_answer(left, right) for left in one.answers_written for right in other.answers_written
    )


def _one_answer(
    one: tuple[list[str], tuple[str, ...]], other: tuple[list[str], tuple[str, ...]]
) -> bool:
    """Tell whether two texts, as their words and numbers, are one answer written twice."""
    (words, numbers), (others, other_numbers) = one, other
    if (numbers and other_numbers and numbers != other_numbers) or slots_alone(words, others):
        return False
    short, long = sorted((Counter(words), Counter(others)), key=Counter.total)
    if short <= long:
        return True
    single = all(len(word) == 1 for word in (*words, *others))  # a script without spaces
    least = SAME_CHARACTERS if single else SAME_ANSWER
    return 2 * (short & long).total() >= least * (short.total() + long.total())


def _differ_in_slots(one: _Row, other: _Row) -> bool:
    return one.numbers != other.numbers or slots_alone(one.words, other.words)
