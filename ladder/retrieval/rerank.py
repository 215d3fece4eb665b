"""Order texts anew with a cross-encoder: a model that reads the query and the text together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.engines.embedding import own_classes_refused
from ladder.engines.passport import refuse_pickle
from ladder.errors import MissingExtraError
from ladder.files import digest_of, folder_digests
from ladder.models.cache import Cache
from ladder.progress import Watch

BATCH_ROWS = 32


class Reranker:
    """A sentence-transformers cross-encoder in a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError:
            raise MissingExtraError(
                "sentence-transformers", 'pip install "escalation-ladder[dense]"'
            ) from None
        refuse_pickle(folder)
        with own_classes_refused(folder):
            self.model: Any = CrossEncoder(str(folder), device="cpu", local_files_only=True)

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each (query, text): higher is more relevant."""
        if not pairs:
            return []
        found = self.model.predict(list(pairs), batch_size=BATCH_ROWS, show_progress_bar=False)
        return [float(score) for score in found]


SCORED_AT_ONCE = 64


class PairScores:
    """The scores of the cross-encoder in a folder."""

    def __init__(self, folder: Path, store: Cache, watch: Watch) -> None:
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
