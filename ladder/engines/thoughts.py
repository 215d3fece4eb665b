"""What a model thinks before it answers: a block at the very start of its text."""

from __future__ import annotations

import re

BLOCK = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)", re.DOTALL)


def split_thoughts(text: str) -> tuple[str, str]:
    """Return a text's thought and its answer.

    The thought is a `<think>` block at the very start. One that is not closed is all thought: the
    answer never began. A mark further on is the answer's own.
    """
    found = BLOCK.match(text)
    return (found[1].strip(), text[found.end() :].strip()) if found else ("", text)
