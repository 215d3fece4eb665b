"""The reference without a language model: always printed, never a rung."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ladder.economy.cost import machine_usd_per_1k
from ladder.evaluation.units import as_units
from ladder.evidence import Control, ControlLine
from ladder.files import digest_of
from ladder.inference.evaluator import Evaluator
from ladder.inference.judge import gated_scores
from ladder.inference.outcome import Scores
from ladder.language.stems import VERSION
from ladder.language.words import search_terms
from ladder.retrieval.search import LexicalIndex
from ladder.samples.rows import Sample

VOTERS = 5

Predictor = Callable[[Sequence[Sample], Sequence[str]], list[str]]
"""(training examples, inputs) -> answers."""


def measure_control(evaluator: Evaluator) -> tuple[Control | None, Scores]:
    """Answer the eval set without a model; None where there are no training examples."""
    train, gate = evaluator.data.train, evaluator.data.gate
    if not train:
        return None, {}
    ways: dict[str, Predictor] = {"nearest example": _nearest}
    if evaluator.data.labels:
        ways = {"majority": _majority, "nearest example": _vote}
        if len({sample.target for sample in train}) > 1:
            ways["TF-IDF + logistic regression"] = linear
    about = [VERSION, digest_of([(s.id, s.input, s.target) for s in (*train, *gate)]), sorted(ways)]

    def compute() -> dict[str, Any]:
        found = {}
        for name, predict in ways.items():
            started = time.perf_counter()
            answers = predict(train, [sample.input for sample in gate])
            seconds = (time.perf_counter() - started) / len(gate)
            found[name] = {"answers": answers, "seconds": seconds}
        return found

    kept = evaluator.models.cache.remember("control", about, compute)
    scores = {
        name: gated_scores(evaluator, list(zip(gate, kept[name]["answers"], strict=True)))
        for name in ways
    }
    lines = tuple(_line(evaluator, name, kept[name]["seconds"], scores[name]) for name in ways)
    best = max(lines, key=lambda line: line.score.mean)
    measured = {
        sample.id: score
        for sample, score in zip(gate, scores[best.name], strict=True)
        if score is not None
    }
    return Control(lines=lines), measured


def _line(
    evaluator: Evaluator, name: str, seconds: float, scores: Sequence[float | None]
) -> ControlLine:
    pairs = zip(evaluator.data.gate, scores, strict=True)
    known = [(sample, score) for sample, score in pairs if score is not None]
    return ControlLine(
        name=name,
        score=as_units(known, evaluator.task.use.strata).estimate(evaluator.task.gate.confidence),
        latency_ms=1000 * seconds,
        cost_usd_per_1k=machine_usd_per_1k(seconds, evaluator.task.hardware.usd_per_hour),
    )


def _majority(train: Sequence[Sample], inputs: Sequence[str]) -> list[str]:
    (label, _), *_ = Counter(sample.target for sample in train).most_common(1)
    return [label] * len(inputs)


def _nearest(train: Sequence[Sample], inputs: Sequence[str]) -> list[str]:
    found = LexicalIndex([sample.input for sample in train]).search(inputs, 1)
    return [train[ranking[0][0]].target for ranking in found]


def _vote(train: Sequence[Sample], inputs: Sequence[str]) -> list[str]:
    """Let the nearest rows vote; of labels with equal votes the nearest row's wins."""
    found = LexicalIndex([sample.input for sample in train]).search(inputs, VOTERS)
    answers = []
    for ranking in found:
        votes = Counter(train[at].target for at, _ in ranking)
        answers.append(max(votes, key=lambda label: votes[label]))
    return answers


def linear(train: Sequence[Sample], inputs: Sequence[str]) -> list[str]:
    """Answer with a logistic regression on TF-IDF of terms and pairs of terms.

    The terms are those of the search, as they are; of texts that have none, such as rows of
    punctuation, the characters.

    Args:
        train: rows of at least two labels.
        inputs: to answer.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [sample.input for sample in train]
    read: Callable[[str], list[str]] = search_terms if any(map(search_terms, texts)) else list
    if not any(map(read, texts)):
        return _majority(train, inputs)
    model = make_pipeline(
        TfidfVectorizer(analyzer=lambda text: _with_pairs(read(text)), sublinear_tf=True),
        LogisticRegression(C=10.0, max_iter=300),
    )
    model.fit(texts, [sample.target for sample in train])
    return [str(label) for label in model.predict(inputs)]


def _with_pairs(terms: list[str]) -> list[str]:
    return [*terms, *map(" ".join, pairwise(terms))]
