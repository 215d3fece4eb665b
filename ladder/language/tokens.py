"""How many tokens a text has, where no tokenizer tells. Pure.

Two answers for two questions. `most_tokens` is for limits: a text that fits by it fits. A price
wants the likely number instead.
"""

from __future__ import annotations

import re

_PROSE = re.compile(
    r" ?\b[A-Z]?(?:[bcdfghj-np-tv-xz]{0,3}[aeiouy]{1,3})+[bcdfghj-np-tv-xz]{0,3}\b", re.ASCII
)
"""A word of ASCII letters that can be spoken; the space before it belongs to its first token."""


def most_tokens(text: str) -> int:
    """Return a number of tokens that a text has at most, by the usual tokenizers.

    A token of byte-level BPE, and of SentencePiece with byte fallback, is one byte or more, so the
    bytes of the UTF-8 text are a bound that no text exceeds. Words of ASCII letters that can be
    spoken are counted at half of that: every usual vocabulary has their pairs of letters. English
    prose comes out at two to three times its count, other scripts at one to three times.
    """
    if not text:
        return 0
    prose = _PROSE.findall(text)
    rest = len(text.encode(errors="replace")) - sum(map(len, prose))
    # One more: SentencePiece may put a space, which is a token of its own, before the text.
    return 1 + rest + sum((len(word) + 1) // 2 for word in prose)


def is_prose(text: str) -> bool:
    """Tell whether most of a text is words of ASCII letters: its tokens are about a quarter."""
    return 2 * sum(map(len, _PROSE.findall(text))) >= len(text.encode(errors="replace"))


def likely_tokens(text: str) -> int:
    """Return an estimate, not a count: a quarter of the text's bytes in UTF-8, rounded up.

    Four characters a token for English, about three quarters of a token for a Chinese character.
    """
    return -(-len(text.encode(errors="replace")) // 4)
