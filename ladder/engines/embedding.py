"""Vectors of texts, from an embedding model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ladder.errors import MissingExtraError


def open_embedder(folder: Path, dtype: str = "float32") -> Any:
    """Open a sentence-transformers model.

    Args:
        folder: holds the model.
        dtype: its precision.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingExtraError(
            "sentence-transformers", 'pip install "escalation-ladder[dense]"'
        ) from None
    return SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": dtype}
    )


def embed(model: Any, texts: Sequence[str]) -> np.ndarray:
    """Return one vector of length 1 for each text, float32 (texts, dimension)."""
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    return np.asarray(model.encode(list(texts), **options))
