"""A student that does not generate: a linear classifier on character n-grams, or on an embedding.

The folder is what the recipe `student_label` leaves.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ladder.engines.base import Abilities, Completion, Request
from ladder.engines.embedding import embed, open_embedder
from ladder.engines.passport import read_settings, refuse_changed
from ladder.errors import EngineError
from ladder.files import file_digest, folder_digests
from ladder.hardware import precision

CONFIG, WEIGHTS = "head.json", "head.npz"
BATCH_ROWS = 32
N_GRAMS = {"analyzer": "char_wb", "ngram_range": [2, 5], "n_features": 2**16}
"""The features of a head that does not say which it has: an older one."""

Featurize = Callable[[Sequence[str]], Any]
"""Texts -> features (texts, width): a sparse or a dense matrix."""


class ClassifierEngine:
    """Labels a text with a linear model kept in a folder (no pickle: arrays and JSON)."""

    def __init__(self, folder: Path) -> None:
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise EngineError(f"{folder} holds no classifier: there is no {name} in it")
        refuse_changed(folder, None)
        self.folder = folder
        self.config: dict[str, Any] = read_settings(folder / CONFIG)
        self.features: dict[str, Any] = self.config.get("features", {"n_grams": N_GRAMS})

    @property
    def abilities(self) -> Abilities:
        """It reads text; its labels are its own."""
        return Abilities(plain=True, instructed=False, context=1_000_000)

    def fingerprint(self) -> dict[str, str]:
        """Return the digests of its two files; the first holds that of its embedding, if any.

        And the precision of that, where it is not the one that the head learnt from.
        """
        pins = folder_digests(self.folder, (CONFIG, WEIGHTS))
        if self._precision != self.features.get("dtype"):
            pins["precision"] = str(self._precision)
        return pins

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    @cached_property
    def _parts(self) -> tuple[list[str], Any, Any, Featurize]:
        try:
            with np.load(self.folder / WEIGHTS, allow_pickle=False) as arrays:
                parts = arrays["weights"], arrays["intercepts"]
            return self.config["labels"], *parts, self._featurize()
        except (LookupError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
            fix = "Put the original files back, or train it again"
            said = f"{CONFIG} and {WEIGHTS} hold no classifier ({type(error).__name__}: {error})"
            raise EngineError(f"{self.folder}: {said}. {fix}") from None

    @property
    def _precision(self) -> str | None:
        """That of the vectors it learnt from; float32, which it reads too, on a plain processor."""
        learnt: str | None = self.features.get("dtype")
        return precision() if learnt == "bfloat16" else learnt

    def _featurize(self) -> Featurize:
        if "embedding" not in self.features:
            return n_grams(self.features["n_grams"])
        place = Path(self.features["embedding"])
        if weights_digest(place) != self.features["weights"]:
            raise EngineError(
                f"{self.folder} was trained on the embedding in {place}, which is not there or has "
                "changed: put it back, or train the head again"
            )
        model = open_embedder(place, self._precision or "float32")
        return lambda texts: embed(model, texts)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Label each request's text, in batches; the choices of a request are ignored."""
        labels, weights, intercepts, featurize = self._parts
        for start in range(0, len(requests), BATCH_ROWS):
            started = time.perf_counter()
            texts = [_text(request) for request in requests[start : start + BATCH_ROWS]]
            values = featurize(texts) @ weights.T + intercepts
            seconds = (time.perf_counter() - started) / len(texts)
            for at, row in enumerate(values):
                best = int(np.argmax(row))
                tokens = self.count_tokens(texts[at])
                # Of two labels one row of weights stands for both, with either sign.
                scale = 0.5 if len(labels) == 2 else 1.0
                chance = float(1 / np.exp(scale * (row - row[best])).sum())
                yield start + at, Completion(labels[best], tokens, 1, seconds, chance=chance)


def _text(request: Request) -> str:
    return request.text or "\n".join(content for _, content in request.messages)


def n_grams(settings: dict[str, Any]) -> Featurize:
    """Return the features of hashed character n-grams, with nothing to store."""
    from sklearn.feature_extraction.text import HashingVectorizer

    other = settings.keys() - N_GRAMS.keys()
    if other:  # with `input: filename` the rows would name files to read
        raise EngineError(f"{CONFIG}: got {', '.join(sorted(other))}, wanted {', '.join(N_GRAMS)}")
    settings = {**settings, "ngram_range": tuple(settings["ngram_range"])}
    features: Featurize = HashingVectorizer(**settings).transform
    return features


def weights_digest(folder: Path) -> str:
    """Return the sha256 over the digests of a folder's weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(bytes.fromhex(file_digest(path)))
    return digest.hexdigest()
