"""How texts from elsewhere are shown: escaped once, here, so that nothing shown can act."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

BREAKS = {"\n": " ", "\r": " ", "\t": " "}


def harmless(text: str, most: int | None = None) -> str:
    r"""Return a text as one line without anything that a terminal obeys.

    Control characters, marks that turn the direction of writing, and halves of surrogate pairs are
    written as their code point, `\\u001b`; breaks become spaces.

    Args:
        text: from a file, a server or a model.
        most: characters kept; a longer text ends in `…`.
    """
    spoken = "".join(BREAKS.get(sign) or _visible(sign) for sign in text)
    folded = " ".join(spoken.split())
    return folded if most is None or len(folded) <= most else f"{folded[: most - 1]}…"


def _visible(sign: str) -> str:
    acts = unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return f"\\u{ord(sign):04x}" if acts else sign


def counted(kinds: Mapping[str, int]) -> str:
    """Return how often each kind of error came, the commonest first: `12 x HTTP 503`."""
    first = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} x {kind}" for kind, count in first)
