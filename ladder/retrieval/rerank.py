"""Order texts anew with a cross-encoder: a model that reads the query and the text together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ladder.engines.embedding import own_classes_refused
from ladder.engines.passport import refuse_pickle
from ladder.errors import MissingExtraError

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
