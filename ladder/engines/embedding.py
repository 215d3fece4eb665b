"""Vectors of texts, from an embedding model on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ladder.engines.local.loading import quiet_transformers
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
    quiet_transformers()
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


AT_ONCE = 2048
"""Texts of a chunk. Another number would batch texts otherwise, and move last digits."""


def cut(texts: Sequence[str]) -> list[list[int]]:
    """Return the positions of texts in chunks, by their content alone: long texts come first.

    Whoever embeds the chunks, and how many at once, the same texts share a batch.
    """
    order = sorted(range(len(texts)), key=lambda at: (-len(texts[at]), at))
    if len(order) <= AT_ONCE:
        order = list(range(len(texts)))
    return [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]


def embed_chunks(model: Any, texts: Sequence[str]) -> np.ndarray:
    """Return one vector of length 1 for each text, float32 (texts, dimension), chunk by chunk."""
    chunks = cut(texts)
    if len(chunks) < 2:
        return embed(model, texts)
    return in_place(
        (at, vector)
        for chunk in chunks
        for at, vector in zip(chunk, embed(model, [texts[at] for at in chunk]), strict=True)
    )


def in_place(found: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return vectors as rows, each at its position; every position is there once."""
    vectors = dict(found)
    return np.stack([vectors[at] for at in range(len(vectors))])


INSIDE = "##"
"""Before a piece that goes on with a word (WordPiece)."""


def foreign_share(folder: Path, texts: Sequence[str]) -> float:
    """Return the share of the tokens of texts that say nothing to an embedding model.

    Those are unknown, or single letters inside a word: texts of another language or script than the
    model was made for fall into such pieces. 0 where its tokenizer tells of neither.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        return 0.0
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    unknown = getattr(tokenizer.model, "unk_token", None)
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    found = [token for text in encoded for token in text.tokens]
    foreign = sum(
        token == unknown or (token.startswith(INSIDE) and len(token) == len(INSIDE) + 1)
        for token in found
    )
    return foreign / len(found) if found else 0.0
