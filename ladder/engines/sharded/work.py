"""What is still to be answered, and how often each part of it was lost. Pure.

A worker that dies takes its chunk with it. The chunk is handed out again; one that is lost twice is
split, and a request that is lost twice alone is given up: so every loss is counted, and no request
can be tried for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ladder.engines.base import Chunk, Completion

LOSSES = 2
"""Workers that a chunk may take with it before it is split, or a request before it is given up."""
NODES = 5
"""Machines that may go away under a chunk before it is thought to be the cause."""
KIND = "worker died"
"""The kind of error of a request that was given up."""


@dataclass(frozen=True)
class Piece:
    """A chunk, or a part of one, and how often it was lost."""

    chunk: Chunk
    lost: int = 0
    """With a worker whose machine stayed."""
    nodes_lost: int = 0
    """With a whole machine: that is rarely a chunk's fault."""

    @property
    def halves(self) -> tuple[Piece, Piece]:
        """The piece in two, neither of which is known to have done harm."""
        places = self.chunk.places
        middle = len(places) // 2
        first, second = places[:middle], places[middle:]
        return (
            Piece(replace(self.chunk, places=first)),
            Piece(replace(self.chunk, places=second)),
        )


@dataclass
class Work:
    """The pieces of one call that no worker has."""

    waiting: deque[Piece] = field(default_factory=deque)

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> Work:
        """Return the work that chunks are."""
        return cls(deque(map(Piece, chunks)))

    def __len__(self) -> int:
        return len(self.waiting)

    def take(self) -> Piece:
        """Take the next piece; what was lost comes before what was not tried."""
        return self.waiting.popleft()

    def give_back(self, piece: Piece) -> None:
        """Take back a piece that no worker has begun."""
        self.waiting.appendleft(piece)

    def lose(self, piece: Piece, *, with_node: bool, why: str) -> list[tuple[int, Completion]]:
        """Take back a piece whose worker is gone.

        Args:
            piece: what the worker had.
            with_node: its machine is gone too.
            why: in words, for the error.

        Returns:
            position and error of a request that is given up; else nothing.
        """
        counted = with_node and piece.nodes_lost < NODES
        now = replace(piece, lost=piece.lost + (not counted), nodes_lost=piece.nodes_lost + counted)
        if now.lost < LOSSES:
            self.waiting.appendleft(now)
        elif len(now.chunk.places) > 1:
            self.waiting.extendleft(reversed(now.halves))
        else:
            said = f"{LOSSES} workers died on this request alone ({why}): it is given up"
            return [(now.chunk.places[0], Completion(error=said, kind=KIND))]
        return []
