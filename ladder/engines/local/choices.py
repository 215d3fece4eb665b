"""A closed answer set as a tree of tokens, so that one forward pass scores every answer.

Each distinct beginning of an answer is one node. A node attends to the prompt and to its
ancestors only, so its output is what it would be if that answer stood there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChoiceTree:
    """The tree of an answer set. `children[0]` belongs to the prompt's last token (the root)."""

    nodes: tuple[int, ...]
    """Token of each node; the root is not among them."""
    depths: tuple[int, ...]
    """Distance from the root, from 1."""
    ancestors: NDArray[np.bool_]
    """(nodes, nodes): [i, j] is true where j is i itself or above it."""
    children: tuple[tuple[int, ...], ...]
    """Tokens that may follow the root and each node."""
    paths: tuple[tuple[tuple[int, int], ...], ...]
    """For each choice, the (index into children, token) steps that spell it, its end included."""
    lengths: tuple[int, ...]
    """Tokens of each choice, its end included."""

    @classmethod
    def build(cls, choices: Sequence[Sequence[int]], end: int) -> ChoiceTree:
        """Build the tree of tokenised choices, each closed by the token `end`."""
        index: dict[tuple[int, ...], int] = {(): 0}
        following: list[dict[int, None]] = [{}]
        paths = []
        for choice in choices:
            steps = []
            for depth, token in enumerate((*choice, end)):
                at = index[tuple(choice[:depth])]
                following[at][token] = None
                steps.append((at, token))
                spelt = (*choice[:depth], token)
                if depth < len(choice) and spelt not in index:
                    index[spelt] = len(index)
                    following.append({})
            paths.append(tuple(steps))
        spellings = list(index)[1:]
        ancestors = np.zeros((len(spellings), len(spellings)), dtype=np.bool_)
        for row, spelling in enumerate(spellings):
            for depth in range(1, len(spelling) + 1):
                ancestors[row, index[spelling[:depth]] - 1] = True
        return cls(
            nodes=tuple(spelling[-1] for spelling in spellings),
            depths=tuple(len(spelling) for spelling in spellings),
            ancestors=ancestors,
            children=tuple(tuple(kids) for kids in following),
            paths=tuple(paths),
            lengths=tuple(len(choice) + 1 for choice in choices),
        )

    def read(self, logprobs: Sequence[dict[int, float]]) -> tuple[tuple[float, ...], int]:
        """Return each choice's log-probability, and the choice that greedy decoding reaches.

        Args:
            logprobs: for the root and each node, the log-probability of each child token.
        """
        totals = tuple(sum(logprobs[at][token] for at, token in path) for path in self.paths)
        candidates = list(range(len(self.paths)))
        depth = 0
        while len(candidates) > 1:
            at = self.paths[candidates[0]][depth][0]
            best = max(self.children[at], key=logprobs[at].__getitem__)
            candidates = [c for c in candidates if self.paths[c][depth][1] == best]
            depth += 1
            if any(len(self.paths[c]) == depth for c in candidates):
                break
        return totals, candidates[0]
