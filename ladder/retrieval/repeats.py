"""How much of a text others have said before it. Pure."""

from __future__ import annotations

from ladder.language.words import comparable, running_words

RUN_WORDS = 5


class Said:
    """What has been said so far, in runs of words.

    A word is covered when five in a row that it stands in occur in an earlier text; shorter texts
    are covered as a whole or not at all.
    """

    def __init__(self) -> None:
        self.runs: set[tuple[str, ...]] = set()

    def covered(self, text: str) -> tuple[int, int]:
        """Return how many of a text's words have been said, and how many there are."""
        words, runs = _runs(text)
        size = min(RUN_WORDS, len(words))
        known = {
            at + step for at, run in enumerate(runs) if run in self.runs for step in range(size)
        }
        return len(known), len(words)

    def share(self, text: str) -> float:
        """Return the share of a text's words that have been said; 0 for one without words."""
        covered, words = self.covered(text)
        return covered / words if words else 0.0

    def add(self, text: str) -> None:
        """Note a text as said."""
        self.runs.update(_runs(text)[1])


def _runs(text: str) -> tuple[list[str], list[tuple[str, ...]]]:
    words = running_words(comparable(text))
    size = min(RUN_WORDS, len(words))
    if not size:
        return words, []
    return words, [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
