"""The ways to answer without a language model, fitted to training examples in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ladder.language.words import search_terms
from ladder.retrieval.search import LexicalIndex
from ladder.samples.data import Data
from ladder.samples.rows import Sample

LINEAR = "TF-IDF + logistic regression"
VOTERS = 5

Predictor = Callable[[Sequence[str]], list[str]]
"""Inputs -> answers."""
Fit = Callable[[Sequence[Sample]], Predictor]
"""Training examples -> what answers by them."""


def ways_of(data: Data) -> dict[str, Fit]:
    """Return the ways to answer that a task's data allow, by name."""
    if not data.labels:
        return {"nearest example": _nearest}
    ways: dict[str, Fit] = {"majority": _majority, "nearest example": _vote}
    if len({sample.target for sample in data.train}) > 1:
        ways[LINEAR] = linear
    return ways


def _majority(train: Sequence[Sample]) -> Predictor:
    (label, _), *_ = Counter(sample.target for sample in train).most_common(1)
    return lambda inputs: [label] * len(inputs)


def _nearest(train: Sequence[Sample]) -> Predictor:
    index = LexicalIndex([sample.input for sample in train])

    def predict(inputs: Sequence[str]) -> list[str]:
        return [train[ranking[0][0]].target for ranking in index.search(inputs, 1)]

    return predict


def _vote(train: Sequence[Sample]) -> Predictor:
    """Let the nearest rows vote; of labels with equal votes the nearest row's wins."""
    index = LexicalIndex([sample.input for sample in train])

    def predict(inputs: Sequence[str]) -> list[str]:
        answers = []
        for ranking in index.search(inputs, VOTERS):
            votes = Counter(train[at].target for at, _ in ranking)
            answers.append(max(votes, key=lambda label: votes[label]))
        return answers

    return predict


def linear(train: Sequence[Sample]) -> Predictor:
    """Fit a logistic regression on TF-IDF of terms and pairs of terms.

    Args:
        train: rows of at least two labels.
    """
    model = linear_model(train)
    if model is None:
        return _majority(train)
    return Linear(model)


@dataclass(frozen=True)
class Linear:
    """A fitted linear model that answers, and says how likely it is right."""

    model: Any

    def __call__(self, inputs: Sequence[str]) -> list[str]:
        """Answer each input with its likeliest label."""
        return [str(label) for label in self.model.predict(inputs)]

    def chances(self, inputs: Sequence[str]) -> list[float]:
        """Return the probability of each answer, as the model tells it."""
        return [float(most) for most in self.model.predict_proba(inputs).max(axis=1)]


def linear_model(train: Sequence[Sample]) -> Any:
    """Return scikit-learn's pipeline, fitted; None where no text has a single character.

    The terms are those of the search, as they are; of texts that have none, such as rows of
    punctuation, the characters.

    Args:
        train: rows of at least two labels.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [sample.input for sample in train]
    read: Callable[[str], list[str]] = search_terms if any(map(search_terms, texts)) else list
    if not any(map(read, texts)):
        return None
    model = make_pipeline(
        TfidfVectorizer(analyzer=lambda text: _with_pairs(read(text)), sublinear_tf=True),
        LogisticRegression(C=10.0, max_iter=300),
    )
    return model.fit(texts, [sample.target for sample in train])


def _with_pairs(terms: list[str]) -> list[str]:
    return [*terms, *map(" ".join, pairwise(terms))]
