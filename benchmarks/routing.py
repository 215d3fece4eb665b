"""Is a cascade worth it on real rows: a light system answers what it is sure of, a heavy the rest.

    python benchmarks/routing.py FOLDER [--sets banking77 …] [--margin 0.02]

FOLDER holds the public sets. The light system is the control's: TF-IDF and logistic regression. The
heavy one is a logistic regression on sentence embeddings (banking77, support_curekart), or SmolLM2
that scores the labels (review_sentiment). Both learn from the training rows; the test rows are cut
in two by a fixed draw: one half chooses the threshold, the other judges it. Costs are seconds of a
request alone, measured here: the light system's are paid by every request.
Printed: score and cost of light, heavy, a random mix, the cascade and a router that knows.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ladder.engines import open_engine
from ladder.engines.base import Request
from ladder.engines.bundled import bundled_folder
from ladder.evaluation.ways import linear_model
from ladder.gate.bounds import estimate
from ladder.gate.routing import Cascade, Prices, Routed, choose, judge
from ladder.hardware import processor_flags
from ladder.samples.rows import Sample

ERROR = 0.05
TIMED = 40
FLAGS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
SETS = ("banking77", "support_curekart", "review_sentiment")
OF_MODEL = {"review_sentiment": 600}
"""Sets whose heavy system is the language model -> test rows that it answers."""

Rows = Sequence[dict[str, Any]]
Answer = Callable[[Sequence[str]], list[tuple[str, float]]]
"""Texts -> the label of each and how sure it is, as a probability."""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def by_words(train: Rows) -> Answer:
    """Return the control: TF-IDF of terms and pairs, logistic regression."""
    rows = [Sample(id=str(at), input=r["input"], target=r["target"]) for at, r in enumerate(train)]
    model = linear_model(rows)
    return lambda texts: _surest(model.predict_proba(list(texts)), model.classes_)


def by_embeddings(train: Rows) -> Answer:
    """Return a logistic regression on sentence embeddings."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    embedder = SentenceTransformer(str(bundled_folder("all-minilm-l6-v2")), device="cpu")
    read = lambda texts: embedder.encode(list(texts), normalize_embeddings=True)  # noqa: E731
    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit(read([row["input"] for row in train]), [row["target"] for row in train])
    return lambda texts: _surest(model.predict_proba(read(texts)), model.classes_)


def _surest(chances: Any, labels: Any) -> list[tuple[str, float]]:
    best = chances.argmax(axis=1)
    return [(str(labels[at]), float(row[at])) for at, row in zip(best, chances, strict=True)]


def by_model(train: Rows) -> Answer:
    """Return SmolLM2, which scores each label after the text."""
    engine = open_engine("bundled:smollm2-135m", None, Path.cwd())
    labels = tuple(sorted({row["target"] for row in train}))

    def answer(texts: Sequence[str]) -> list[tuple[str, float]]:
        asked = [
            Request(text=f"Review: {' '.join(text.split())}\nSentiment:", choices=labels)
            for text in texts
        ]
        found = dict(engine.complete(asked))
        scores = [found[at].choice_logprobs for at in range(len(texts))]
        return [(labels[each.index(max(each))], max(each) - min(each)) for each in scores]

    return answer


def seconds_of(answer: Answer, texts: Sequence[str]) -> float:
    """Return the median seconds of one request alone."""
    took = []
    for text in [texts[0], *texts[:TIMED]]:
        start = time.perf_counter()
        answer([text])
        took.append(time.perf_counter() - start)
    return median(took[1:])


def main() -> None:
    """Measure each set, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--margin", type=float, default=0.02)
    given = parser.parse_args()
    print(" ".join(sorted(FLAGS & processor_flags())))
    for name in given.sets:
        train = rows_of(given.folder / name / "train.jsonl")
        test = rows_of(given.folder / name / "test.jsonl")
        random.Random(0).shuffle(test)
        test = test[: OF_MODEL.get(name, len(test))]
        light, heavy = by_words(train), (by_model if name in OF_MODEL else by_embeddings)(train)
        texts = [row["input"] for row in test]
        prices = Prices(seconds_of(light, texts), seconds_of(heavy, texts))
        routed = [
            Routed(sure, float(one == row["target"]), float(other == row["target"]))
            for (one, sure), (other, _), row in zip(light(texts), heavy(texts), test, strict=True)
        ]
        half = len(routed) // 2
        threshold = choose(routed[:half], prices, given.margin, ERROR)
        found = judge(routed[half:], prices, threshold, given.margin, ERROR)
        _print(name, routed[half:], prices, found)


def _print(name: str, rows: Sequence[Routed], prices: Prices, found: Cascade) -> None:
    scores = [row.light if row.sure >= found.point.threshold else row.heavy for row in rows]
    shown = estimate(scores, 1 - ERROR)
    test = found.not_worse
    print(f"\n{name}: {found.verdict}; {len(rows)} rows judge, as many chose")
    print("                     score   cost of a request, heavy = 1")
    lines = (
        ("light", found.light.score, found.light.cost),
        ("random mix", found.mix, found.point.cost),
        ("cascade", found.point.score, found.point.cost),
        ("router that knows", found.oracle.score, found.oracle.cost),
        ("heavy", found.heavy.score, found.heavy.cost),
    )
    for what, score, cost in lines:
        print(f"  {what:<18} {score:.3f}   {cost / prices.heavy:.3f}")
    print(f"  cascade {shown.mean:.3f} ({shown.low:.3f}-{shown.high:.3f})")
    print(
        f"  {found.point.escalated:.0%} escalated; {test.won} won, {test.lost} lost against heavy"
    )
    print(f"  at least {test.low:+.3f} of heavy's score: {test.verdict} by {test.margin:g}")
    print(f"  above the mix by at least {found.above_mix:+.3f}")
    print(f"  keeps {found.point.score / found.heavy.score:.1%} of the heavy score")
    alone = f"light {prices.light * 1e3:.2f} ms, heavy {prices.heavy * 1e3:.2f} ms"
    print(f"  a request alone: {alone}")


if __name__ == "__main__":
    main()
