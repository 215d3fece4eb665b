"""What a model thinks aloud before it answers: told apart from the answer, and never scored."""

from __future__ import annotations

import re

PAIRS = (
    ("<think>", "</think>"),  # DeepSeek, Qwen, GLM, Phi, Nemotron and most others
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),  # EXAONE
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("<|channel>", "<channel|>"),  # Gemma 4
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # Sky-T1, OpenThinker
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("Here is my thought process:", "Here is my response:"),  # Granite 3.2
    ("Here's my thought process:", "Here's my response:"),
    ("Thinking...\n", "...done thinking."),  # Ollama's command line
    ('<details type="reasoning"', "</details>"),  # Open WebUI
)
"""How blocks of thoughts begin and end, where `_TAG` does not find them."""
LONE_ENDS = ("</think>", "</seed:think>", "[/THINK]", "<|END_THINKING|>", "◁/think▷", "<channel|>")
"""Ends of blocks whose beginning the chat template may write: then a reply holds only the end."""
_TAG = re.compile(
    r"<((?:\w+[_:])?(?:think|thinking|thoughts?)(?:[_:]\w+)?)(?:\s[^<>]*)?>", re.IGNORECASE
)
"""Begins a block of thoughts in a tag named after them, perhaps with attributes."""
_QUOTES = "`'\"“”‘’«»"
_HARMONY = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>(.*)", re.DOTALL)
_FINAL = re.compile(r"(?:\A|<\|channel\|>)final.*?<\|message\|>", re.DOTALL)
"""Where the answer begins in a reply in OpenAI's harmony form."""
_BARE_HARMONY = re.compile(r"\s*analysis(.*?)assistantfinal(.*)", re.DOTALL)
"""The same where the server has left the special tokens out."""
_MARK = re.compile(r"(?:\A|<\|channel\|>)\w+<\|message\|>|<\|[a-z]+\|>(?:assistant)?")
_AROUND = re.compile(
    r"<\|(?:START|END)_RESPONSE\|>|<\|(?:begin|end)_of_(?:solution|box)\|>"
    r"|\A\s*<(?:answer|response|output)>|</(?:answer|response|output)>\s*\Z",
    re.IGNORECASE,
)
"""What Command A, Sky-T1, GLM-V, Hunyuan, ERNIE and Marco-o1 write around the answer that follows
their thoughts. Without thoughts it is part of the answer."""


def split_thoughts(text: str) -> tuple[str, str]:
    """Part what a model thought from what it answers.

    Thoughts stand at the very start, in a block of one of `PAIRS`, in harmony's channels, or before
    the lone end of a block. A block that does not end is thought to the last word. Blocks further
    on, and ends in quotes, are part of the answer.

    Args:
        text: what the model wrote.

    Returns:
        Its thoughts without their marks, and its answer; a text without thoughts stays as it is.
    """
    harmony = _harmony(text)
    if harmony is not None:
        return harmony
    found = _block(text)
    thoughts = []
    while found is not None:
        thought, text = found
        thoughts.append(thought)
        found = _block(text)
    if not thoughts:
        lone = _before_lone_end(text)
        if lone is None:
            return "", text
        thoughts, text = [lone[0]], lone[1]
    return "\n\n".join(filter(None, map(str.strip, thoughts))), _AROUND.sub("", text).strip()


def _harmony(text: str) -> tuple[str, str] | None:
    if bare := _BARE_HARMONY.fullmatch(text):
        return bare.group(1).strip(), bare.group(2).strip()
    if not (shown := _HARMONY.fullmatch(text)):
        return None
    turn = shown.group(1)
    if not (final := _FINAL.search(turn)):
        return _MARK.sub(" ", turn).strip(), ""
    answer = _MARK.split(turn[final.end() :], maxsplit=1)[0]
    return _MARK.sub(" ", turn[: final.start()]).strip(), answer.strip()


def _block(text: str) -> tuple[str, str] | None:
    """Return the thought and the rest of a text that starts with a block; None where none does."""
    start = text.lstrip()
    opened = _opened(start)
    if opened is None:
        return None
    begin, end = opened
    marks = re.compile(f"({begin})|{re.escape(end)}", re.IGNORECASE)
    deep, first, ends = 0, 0, []
    for mark in marks.finditer(start):
        first = first or mark.end()
        deep += 1 if mark.group(1) else -1
        ends += [] if mark.group(1) else [mark]
        if deep == 0:
            return start[first : mark.start()], start[mark.end() :]
    # Thoughts may name the mark that begins them: then the first end is the end.
    if ends:
        return start[first : ends[0].start()], start[ends[0].end() :]
    return start[first:], ""


def _opened(start: str) -> tuple[str, str] | None:
    """Return the pattern of the mark that a text starts with, and the mark that ends its block."""
    if tag := _TAG.match(start):
        name = tag.group(1)
        return rf"<{re.escape(name)}(?:\s[^<>]*)?>", f"</{name}>"
    pairs = (pair for pair in PAIRS if start[: len(pair[0])].lower() == pair[0].lower())
    begin, end = next(pairs, ("", ""))
    return (re.escape(begin), end) if begin else None


def _before_lone_end(text: str) -> tuple[str, str] | None:
    """Part a text at the end of a block that it does not begin; None where there is none."""
    for begin, end in PAIRS:
        before, mark, after = text.partition(end)
        if end in LONE_ENDS and mark and begin.lower() not in before.lower():
            return None if _is_mentioned(before, after) else (before, after)
    return None


def _is_mentioned(before: str, after: str) -> bool:
    """Tell whether a mark stands in quotes, or as a word of a sentence, and so ends nothing."""
    left, right = before[-1:], after[:1]
    opened = not before[-2:-1].strip(" \n([{")  # else the quotes end what was thought
    return (left == right == " ") or (
        opened and left != "" and left in _QUOTES and right in _QUOTES
    )
