"""What is still to be answered, and how often each part of it was lost. Pure.

A worker that dies takes its chunk with it. The chunk is handed out again; one that is lost twice is
split, and a request that is lost twice alone is given up: so every loss is counted, and no request
can be tried for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
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
    """A chunk, or a part of one, and where it was lost."""

    chunk: Chunk
    lost_on: tuple[str, ...] = ()
    """The machine of each worker that died on it."""

    def harm(self, machines: Collection[str]) -> int:
        """Return how many of its losses it may have caused itself.

        One whose machine is gone too is rarely a chunk's fault, up to a number. That it is gone is
        known some seconds after its worker is, so it is asked when the next loss comes.

        Args:
            machines: those that are there now.
        """
        stayed = sum(machine in machines for machine in self.lost_on)
        return stayed + max(0, len(self.lost_on) - stayed - NODES)

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

    def lose(
        self, piece: Piece, machine: str, machines: Collection[str], why: str
    ) -> list[tuple[int, Completion]]:
        """Take back a piece whose worker is gone.

        Args:
            piece: what the worker had.
            machine: of the worker.
            machines: those that are there.
            why: in words, for the error.

        Returns:
            position and error of a request that is given up; else nothing.
        """
        now = replace(piece, lost_on=(*piece.lost_on, machine))
        if now.harm(machines) < LOSSES:
            self.waiting.appendleft(now)
        elif len(now.chunk.places) > 1:
            self.waiting.extendleft(reversed(now.halves))
        else:
            said = f"{LOSSES} workers died on this request alone ({why}): it is given up"
            return [(now.chunk.places[0], Completion(error=said, kind=KIND))]
        return []
