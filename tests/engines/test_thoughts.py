"""What a model thinks before it answers is told apart, and no answer is damaged by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladder.engines.thoughts import PAIRS, split_thoughts

HARMONY = (
    "<|channel|>analysis<|message|>A parcel is late.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>delivery<|return|>"
)
SPLIT = {
    "closed": ("<think>\nIt is late.\n</think>\n\ndelivery", "It is late.", "delivery"),
    "no line breaks": ("<think>late</think>delivery", "late", "delivery"),
    "capitals": ("<THINK>late</Think> delivery", "late", "delivery"),
    "thinking": ("<thinking>late</thinking>delivery", "late", "delivery"),
    "reasoning": ("<reasoning>late</reasoning>\ndelivery", "late", "delivery"),
    "thought": ("<thought>late</thought>\ndelivery", "late", "delivery"),
    "Magistral": ("[THINK]late[/THINK]delivery", "late", "delivery"),
    "Seed-OSS": ("<seed:think>late</seed:think>delivery", "late", "delivery"),
    "Command A": (
        "<|START_THINKING|>late<|END_THINKING|><|START_RESPONSE|>delivery<|END_RESPONSE|>",
        "late",
        "delivery",
    ),
    "Kimi": ("◁think▷late◁/think▷delivery", "late", "delivery"),
    "Gemma 4": ("<|channel>thought\nlate<channel|>delivery", "thought\nlate", "delivery"),
    "harmony": (HARMONY, "A parcel is late.", "delivery"),
    "harmony, only the answer": ("<|channel|>final<|message|>delivery", "", "delivery"),
    "harmony, JSON": (
        "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final "
        '<|constrain|>json<|message|>{"a": 1}',
        "x",
        '{"a": 1}',
    ),
    "harmony, bare": ("analysisIt is late.assistantfinaldelivery", "It is late.", "delivery"),
    "harmony, cut": ("<|channel|>analysis<|message|>It is", "It is", ""),
    "empty block": ("<think>\n\n</think>\n\ndelivery", "", "delivery"),
    "two blocks": ("<think>a</think>\n<think>b</think>delivery", "a\n\nb", "delivery"),
    "block in a block": ("<think>a <think>b</think> c</think>d", "a <think>b</think> c", "d"),
    "names its own mark": ("<think>a <think> tag? No.</think>d", "a <think> tag? No.", "d"),
    "opened by the template": ("It is late.\n</think>\n\ndelivery", "It is late.", "delivery"),
    "the same, on one line": ('So "delivery"</think>"delivery"', 'So "delivery"', '"delivery"'),
    "closed by the template": ("</think>delivery", "", "delivery"),
    "template, Magistral": ("late[/THINK]delivery", "late", "delivery"),
    "never closed": ("<think>\nIt is about", "It is about", ""),
    "closed, no answer": ("<think>late</think>\n", "late", ""),
    "blank before": ("\n <think>late</think>delivery", "late", "delivery"),
    "later marks stay": ("<think>a</think>Write </think> last", "a", "Write </think> last"),
}


@pytest.mark.parametrize(("text", "thought", "answer"), SPLIT.values(), ids=SPLIT)
def test_thoughts_are_told_apart(text: str, thought: str, answer: str) -> None:
    assert split_thoughts(text) == (thought, answer)


WHOLE = {
    "no marks": " delivery\n",
    "the word": "I think it is late",
    "a block in the middle": "Models write <think>thoughts</think> first.",
    "an opening in the middle": "It opens with <think>",
    "an end in quotes": "The block ends with `</think>`.",
    "an end in a sentence": "Write </think> where the thoughts end.",
    "in JSON": '{"note": "<think>x</think>"}',
    "another element": "<thinker>Rodin</thinker>",
    "an element's end": "<answer>a</answer></reasoning>",
    "analysis": "analysis of the final account",
    "empty": "",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_an_answer_without_thoughts_stays_as_it_is(text: str) -> None:
    assert split_thoughts(text) == ("", text)


PLAIN = st.text(st.characters(exclude_characters="<>[]|▷◁"))


@given(PLAIN, PLAIN, st.sampled_from(PAIRS))
def test_a_block_before_any_answer_is_taken_off(thought: str, answer: str, pair: tuple[str, str]):
    begin, end = pair
    assert split_thoughts(f"{begin}{thought}{end}{answer}") == (thought.strip(), answer.strip())


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    thought, answer = split_thoughts(text)
    assert len(thought) + len(answer) <= len(text)
