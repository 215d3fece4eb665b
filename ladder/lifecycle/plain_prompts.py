"""Forty fixed prompts that any assistant can answer, and what is right: the same for every task.

Eight each of keeping a format, counting, copying, answering yes or no, and refusing nonsense. Half
of the yes/no answers are no, and two of the questions under "nonsense" have an answer: a model that
always says the same is no better for it. Every check is a rule on the text; none asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ladder.files import digest_of

Skill = Literal["format", "counting", "copying", "yes/no", "nonsense"]
AROUND = " \t\r\n.!\"'`*“”‘’"
"""What may stand around an answer."""


@dataclass(frozen=True)
class PlainPrompt:
    """A prompt with a checkable answer."""

    name: str
    skill: Skill
    text: str
    wanted: str
    """In words or as an example, for people."""
    is_right: Callable[[str], bool]


def is_exactly(answer: str) -> Callable[[str], bool]:
    """The answer, whatever its case, and nothing else but marks around it."""
    return lambda text: " ".join(text.split()).strip(AROUND).casefold() == answer.casefold()


def matches(pattern: str) -> Callable[[str], bool]:
    """The whole answer has a form; case counts."""
    return lambda text: re.fullmatch(pattern, text.strip()) is not None


def first_word_is(word: str) -> Callable[[str], bool]:
    """The answer begins with a word, whatever its case."""
    return lambda text: re.match(rf"\W*{word}\b", text, re.IGNORECASE) is not None


def ends_on_number(number: int) -> Callable[[str], bool]:
    """The last number of the answer, in digits or as a word, is this one: `2 + 3 = 5` is right."""

    def right(text: str) -> bool:
        found = re.findall(rf"(?<![\w.])\d+\b|\b(?:{'|'.join(NUMBERS)})\b", text.casefold())
        return bool(found) and found[-1] in (str(number), NUMBERS[number])

    return right


def ends_on(word: str) -> Callable[[str], bool]:
    """The answer is a word, or one sentence that ends with it, whatever the case."""
    pattern = rf"(?:[^\s?]+\s+){{0,{SENTENCE}}}\W*{word}\W*"
    return lambda text: re.fullmatch(pattern, text.strip(), re.IGNORECASE) is not None


SENTENCE = 12
"""Words before it, at most: who repeats the question is not right."""
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
ONLY = "Answer with the number only."
COPY = "Repeat exactly, and write nothing else:"
YES_NO = "Answer with yes or no only."
UNKNOWN = "Answer in one word. If the question has no answer, write only: UNKNOWN"


def _format() -> list[tuple[str, str, Callable[[str], bool]]]:
    return [
        ("Write the word apple in capital letters. Write only the word.", "APPLE",
         matches(r"[\"'*]*APPLE[\"'*]*[.!]?")),
        ("Write the word RIVER in small letters. Write only the word.", "river",
         matches(r"[\"'*]*river[\"'*]*[.!]?")),
        ("Write the date 3 May 2021 as YYYY-MM-DD. Write only the date.", "2021-05-03",
         is_exactly("2021-05-03")),
        ('Write a JSON object with the key "city" and the value "Rome". Write only the JSON.',
         '{"city": "Rome"}', matches(r'(?s)(?:```(?:json)?)?\s*\{\s*"city"\s*:\s*"Rome"\s*\}\s*'
                                     r"(?:```)?")),
        ("Write the words red, green and blue on one line, with commas between them and no other "
         "word.", "red, green, blue", matches(r"(?i)red, ?green, ?blue\.?")),
        ("Write the number seven as a digit. Write only the digit.", "7", is_exactly("7")),
        ("Put the word cat into square brackets. Write only that.", "[cat]",
         matches(r"\[ ?cat ?\]\.?")),
        ("Answer with one word: what is the opposite of hot?", "cold", is_exactly("cold")),
    ]  # fmt: skip


def _counting() -> list[tuple[str, str, Callable[[str], bool]]]:
    questions = [
        ("How many legs does a dog have?", 4),
        ("How many days does a week have?", 7),
        ("What is 2 plus 3?", 5),
        ("How many words are in this list: sun, moon, star?", 3),
        ("How many letters does the word cat have?", 3),
        ("Which number comes after 8?", 9),
        ("What is 10 minus 4?", 6),
        ("How many wheels does a bicycle have?", 2),
    ]
    return [(f"{asked} {ONLY}", str(number), ends_on_number(number)) for asked, number in questions]


def _copying() -> list[tuple[str, str, Callable[[str], bool]]]:
    texts = [
        "blue",
        "the green door",
        "4711",
        "A-17/B",
        "one two three four",
        "Lisbon, 12 March",
        "zarvok",
        "We open at nine and close at five.",
    ]
    return [(f"{COPY} {text}", text, is_exactly(text.strip("."))) for text in texts]


def _yes_no() -> list[tuple[str, str, Callable[[str], bool]]]:
    questions = [
        ("Is water wet?", "yes"),
        ("Is the sun cold?", "no"),
        ("Is Paris in France?", "yes"),
        ("Can a fish drive a car?", "no"),
        ("Is ten more than two?", "yes"),
        ("Is a stone alive?", "no"),
        ("Do birds have wings?", "yes"),
        ("Is snow black?", "no"),
    ]
    return [(f"{asked} {YES_NO}", word, first_word_is(word)) for asked, word in questions]


def _nonsense() -> list[tuple[str, str, Callable[[str], bool]]]:
    senseless = [
        "What is the postal code of the number nine?",
        "Which colour does a promise weigh?",
        "Who was the first king of the word because?",
        "How many corners does yesterday have?",
        "What does the blorptang eat on sundays of glass?",
        "In which year will a triangle marry rain?",
    ]
    asked = [(f"{question} {UNKNOWN}", "UNKNOWN", ends_on("unknown")) for question in senseless]
    sensible = [
        ("What is the capital of France?", "Paris", ends_on("paris")),
        ("Which animal barks?", "dog", ends_on("dog")),
    ]
    return [*asked, *((f"{asks} {UNKNOWN}", wanted, check) for asks, wanted, check in sensible)]


def _all() -> tuple[PlainPrompt, ...]:
    kinds: dict[Skill, list[tuple[str, str, Callable[[str], bool]]]] = {
        "format": _format(),
        "counting": _counting(),
        "copying": _copying(),
        "yes/no": _yes_no(),
        "nonsense": _nonsense(),
    }
    return tuple(
        PlainPrompt(f"{skill} {number}", skill, *fields)
        for skill, prompts in kinds.items()
        for number, fields in enumerate(prompts, start=1)
    )


PROMPTS = _all()
DIGEST = digest_of([(each.name, each.text, each.wanted) for each in PROMPTS])
