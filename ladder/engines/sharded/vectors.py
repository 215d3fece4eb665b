"""Vectors of many texts from the workers of a cluster.

An embedding model stands in place of a language model: a crew places it, checks it and counts its
losses alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ladder.engines.base import Chunk, Completion, Request
from ladder.engines.embedding import cut, embed, in_place, open_embedder
from ladder.engines.sharded.crew import Crew, Model
from ladder.engines.sharded.worker import Able, Opener
from ladder.errors import EngineError
from ladder.files import digest_of, folder_digests


class Vectors:
    """An embedding model, opened where it is first asked."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet.

        Raises:
            EngineError: its folder is not there.
        """
        if not folder.is_dir():
            fix = "all machines must have the embedding model by the same path"
            raise EngineError(f"{folder} is not there: {fix}")
        self.folder = folder
        self._model: Any = None

    def fingerprint(self) -> dict[str, str]:
        """Return the digest of its files."""
        names = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.*"))
        files = [name for name in names if (self.folder / name).is_file()]
        return {"embedding": digest_of(folder_digests(self.folder, files))}

    def answer(self, texts: Sequence[str], chunk: Chunk) -> list[np.ndarray]:
        """Return the vectors of a chunk's texts, in its order."""
        if self._model is None:
            self._model = open_embedder(self.folder)
        return list(embed(self._model, texts))


def embed_on(crew: Crew, folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Return one vector of length 1 for each text, float32 (texts, dimension).

    The chunks are those of one machine (`embedding.cut`), whatever the number of workers.

    Args:
        crew: the workers.
        folder: holds the embedding model, by the same path on all machines.
        texts: more than one chunk of them, to gain anything.

    Raises:
        EngineError: the cluster is lost, a worker is not like this machine, or a text ends all
            workers that read it.
    """
    here = Vectors(folder.resolve())
    chunks = [Chunk(tuple(places), 0, len(texts)) for places in cut(texts)]
    opener = cast(Opener, partial(Vectors, here.folder))
    model = Model(digest_of(here.fingerprint()), cast(Able, here), opener)
    answers = crew.answer(model, cast(Sequence[Request], texts), chunks)
    return in_place((place, _vector(place, answer)) for place, answer in answers)


def _vector(place: int, answer: Completion | np.ndarray) -> np.ndarray:
    if isinstance(answer, Completion):
        raise EngineError(f"text {place + 1} cannot be embedded: {answer.error}")
    return answer
