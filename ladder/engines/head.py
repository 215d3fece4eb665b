"""A student that does not generate: hashed character and word n-grams under a linear head."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ladder.engines.base import Abilities, Completion, Request
from ladder.errors import EngineError
from ladder.files import folder_digests, write_whole

FEATURES = 2**16
CONFIG, WEIGHTS = "head.json", "head.npz"


class HeadEngine:
    """Labels a text with a linear model kept in a folder (no pickle: arrays and JSON)."""

    def __init__(self, folder: Path) -> None:
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise EngineError(f"{folder} holds no label student: there is no {name} in it")
        self.folder = folder

    @property
    def abilities(self) -> Abilities:
        """It reads text; its labels are its own."""
        return Abilities(plain=True, context=1_000_000, local=True)

    def fingerprint(self) -> dict[str, str]:
        """Return the digests of its two files."""
        return folder_digests(self.folder, (CONFIG, WEIGHTS))

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    @cached_property
    def _parts(self) -> tuple[list[str], Any, Any, Any]:
        labels = json.loads((self.folder / CONFIG).read_text())["labels"]
        with np.load(self.folder / WEIGHTS, allow_pickle=False) as arrays:
            return labels, arrays["weights"], arrays["intercepts"], vectorizer()

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Label each request's text; the choices of a request are ignored."""
        labels, weights, intercepts, features = self._parts
        for at, request in enumerate(requests):
            started = time.perf_counter()
            text = request.text or "\n".join(content for _, content in request.messages)
            values = features.transform([text]) @ weights.T + intercepts
            label = labels[int(np.argmax(values))]
            seconds = time.perf_counter() - started
            yield at, Completion(label, self.count_tokens(text), 1, seconds)


def vectorizer() -> Any:
    """Return the feature function: the same for training and answering, with nothing to store."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), n_features=FEATURES)


def train_head(folder: Path, texts: Sequence[str], labels: Sequence[str], seed: int) -> None:
    """Fit a linear head on labelled texts and write it to a folder."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=30.0, max_iter=300, random_state=seed)
    model.fit(vectorizer().transform(texts), labels)
    weights, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one row of weights stands for two classes
        weights, intercepts = np.vstack([-weights, weights]), np.hstack([-intercepts, intercepts])
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"weights": weights.astype(np.float32), "intercepts": intercepts.astype(np.float32)}
    np.savez_compressed(folder / WEIGHTS, **arrays)
    write_whole(folder / CONFIG, json.dumps({"labels": list(map(str, model.classes_))}))
