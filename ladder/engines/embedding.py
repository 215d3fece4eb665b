"""Vectors of texts, from an embedding model on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ladder.engines.passport import refuse_pickle
from ladder.errors import EngineError, MissingExtraError
from ladder.wording import harmless


def open_embedder(folder: Path, dtype: str = "float32") -> Any:
    """Open a sentence-transformers model.

    Args:
        folder: holds the model.
        dtype: its precision.

    Raises:
        EngineError: it holds pickles, classes of its own, or no such model.
        MissingExtraError: sentence-transformers is not installed.
    """
    refuse_pickle(folder)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingExtraError(
            "sentence-transformers", 'pip install "escalation-ladder[dense]"'
        ) from None
    with own_classes_refused(folder):
        return SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": dtype}
        )


@contextmanager
def own_classes_refused(folder: Path) -> Iterator[None]:
    """Say in one line why sentence-transformers does not load a folder.

    It imports no class but its own (since its version 6), whatever `modules.json` names.
    """
    try:
        yield
    except (ValueError, OSError, ImportError, LookupError, TypeError, AttributeError) as error:
        why = harmless(str(error), 200)
        fix = "Wanted: safetensors, and classes of sentence-transformers alone."
        raise EngineError(f"{folder} cannot be loaded. {fix} {why}") from error


def embed(model: Any, texts: Sequence[str]) -> np.ndarray:
    """Return one vector of length 1 for each text, float32 (texts, dimension)."""
    options = {"normalize_embeddings": True, "show_progress_bar": False}
    return np.asarray(model.encode(list(texts), **options))
