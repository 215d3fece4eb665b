"""What a cross-encoder says of question and text: each pair is scored once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ladder.engines.cache import Store
from ladder.files import digest_of, folder_digests
from ladder.progress import Watch
from ladder.retrieval.rerank import Reranker

SCORED_AT_ONCE = 64


class PairScores:
    """The scores of the cross-encoder in a folder."""

    def __init__(self, folder: Path, store: Store, watch: Watch) -> None:
        self.folder = folder
        self.store = store
        self.watch = watch

    @cached_property
    def _reranker(self) -> Reranker:
        return Reranker(self.folder)

    @cached_property
    def _digest(self) -> str:
        return files_digest(self.folder)

    def of(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the scores of (question, text) pairs."""
        keys = [digest_of(["pair score", self._digest, *pair]) for pair in pairs]
        kept = self.store.get(sorted(set(keys)))
        wanted = dict(zip(keys, pairs, strict=True))
        missing = [(key, pair) for key, pair in wanted.items() if key not in kept]
        if missing:
            with self.watch.step("reranking", len(missing)) as advance:
                for start in range(0, len(missing), SCORED_AT_ONCE):
                    part = missing[start : start + SCORED_AT_ONCE]
                    scores = self._reranker.scores([pair for _, pair in part])
                    for (key, _), score in zip(part, scores, strict=True):
                        self.store.put(key, score)
                        kept[key] = score
                    advance(start + len(part))
        return [float(kept[key]) for key in keys]


def files_digest(folder: Path) -> str:
    """Return the digest of a model's files: a folder may hold another model tomorrow."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return digest_of(folder_digests(folder, names))
