"""The fixed prompts: each check takes what is wanted and refuses what is not."""

from __future__ import annotations

from collections import Counter

import pytest

from ladder.lifecycle.forgetting import FORGETTING_MARGIN, forgotten
from ladder.lifecycle.plain_prompts import PROMPTS, PlainPrompt

RIGHT = [prompt.wanted for prompt in PROMPTS]


def test_there_are_forty_of_five_skills() -> None:
    assert Counter(prompt.skill for prompt in PROMPTS) == dict.fromkeys(
        ("format", "counting", "copying", "yes/no", "nonsense"), 8
    )
    assert len({prompt.text for prompt in PROMPTS}) == len({p.name for p in PROMPTS}) == 40


@pytest.mark.parametrize("prompt", PROMPTS, ids=[prompt.name for prompt in PROMPTS])
def test_what_is_wanted_is_right_and_a_parrot_is_not(prompt: PlainPrompt) -> None:
    assert prompt.is_right(prompt.wanted)
    assert prompt.is_right(f" {prompt.wanted}\n")
    for wrong in ("", "I do not know.", "label_3", "bread", prompt.text):
        assert not prompt.is_right(wrong), wrong


@pytest.mark.parametrize("always", ["yes", "no", "UNKNOWN", "7", "{}", "[cat]", "Paris"])
def test_who_always_says_the_same_is_right_seldom(always: str) -> None:
    assert sum(prompt.is_right(always) for prompt in PROMPTS) <= 6


def test_answers_that_people_would_take() -> None:
    by_name = {prompt.name: prompt for prompt in PROMPTS}
    assert by_name["counting 1"].is_right("A dog has four legs.")
    assert not by_name["counting 1"].is_right("14")
    assert by_name["counting 3"].is_right("2 + 3 = 5")
    assert by_name["nonsense 1"].is_right("The postal code of the number nine is UNKNOWN.")
    assert not by_name["nonsense 7"].is_right("UNKNOWN")
    assert by_name["yes/no 2"].is_right("No, it is hot.")
    assert not by_name["yes/no 2"].is_right("Nobody knows")
    assert by_name["format 4"].is_right('```json\n{"city": "Rome"}\n```')
    assert by_name["copying 2"].is_right('"The green door."')


def test_what_forty_prompts_can_see() -> None:
    """Two lost and none won is let pass, three are not; five are more than chance loses."""

    def lose(count: int, won: int = 0) -> list[str]:
        return ["" if at < count else text for at, text in enumerate(RIGHT)][: 40 - won] + (
            RIGHT[40 - won :]
        )

    for count, holds in ((0, True), (2, True), (3, False), (5, False)):
        found = forgotten(RIGHT, lose(count), of_base=False)
        assert found.check.holds is holds, count
        assert [one.name for one in found.lost] == [p.name for p in PROMPTS[:count]]
    assert found.p_worse == pytest.approx(1 / 32)
    assert (found.before, found.after, found.check.margin) == (40, 35, FORGETTING_MARGIN)
    weak = [text if at < 3 else "" for at, text in enumerate(RIGHT)]
    assert not forgotten(weak, [""] * 40, of_base=False).check.holds  # all that it knew
