"""Do the chances of answers mean something, and is a certified error kept on unseen rows?

    OMP_NUM_THREADS=1 python benchmarks/calibration.py FOLDER [--sets banking77 …] [--splits 200]
    python benchmarks/calibration.py FOLDER --model --rows 300 [--sets review_sentiment …]

FOLDER holds the public sets. The systems, the linear control (TF-IDF and logistic regression) and
the label student (the recipe `student_label` on character n-grams), learn a part of the training
rows; all other rows are the pool. In support_curekart the pool has the 300 out-of-scope messages
too: none of the labels is right for them, so any answer is wrong. With --model the bundled language
model answers as well, by label log-likelihood after the goal, the first --rows of the pool.

The pool is split in halves at random, --splits times: one half is the dev set, on which chances are
calibrated and the threshold is chosen, the other is unseen. ECE and Brier score stand with their
95 % intervals for the first split; `fell` is the share of all splits in which calibration lowered
them. Of thresholds: in how many splits one was certified at 5 % error; the share of the unseen rows
that it answers, and of these the share that is wrong, on average; and in how many of all splits the
error is kept, where a split without a threshold answers nothing and keeps it:

- on the unseen half, as it is counted there: it moves with luck, even where the true error is 5 %;
- not refuted by the unseen half (exact binomial test, 5 %);
- truly: the dev set is drawn from the pool with replacement, so that the whole pool is what it was
  drawn from, and the error above the threshold is known, without luck. This is what is promised.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import yaml
from numpy.typing import NDArray

from ladder.climb.opening import open_bench
from ladder.engines.base import Request
from ladder.engines.classifier import ClassifierEngine
from ladder.evaluation.calibration import CERTIFIED_ERROR, abstention, applied, fitted
from ladder.evaluation.reliability import chances_of, measured
from ladder.evaluation.ways import linear_model
from ladder.evidence import Reliability
from ladder.gate.bounds import estimate
from ladder.gate.certified import certify
from ladder.hardware import processor_flags
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.retrieval.health import calibration_error
from ladder.rungs import r1_prompt
from ladder.samples.rows import Sample
from ladder.task import load_task

ROOT = Path(__file__).resolve().parent.parent
GOALS = {
    "banking77": "Name the intent of the bank customer's message.",
    "contract_clauses": "Name the category of the contract clause.",
    "support_curekart": "Name the intent of the customer's message to a health shop.",
    "review_sentiment": "Tell whether the sentence from a product review is positive or negative.",
}
LEARNT = {"banking77": 3000, "contract_clauses": 1000}
"""Training rows that are learnt, where not all are; the others join the pool."""
POOL = {"banking77": 3080, "contract_clauses": 1500}
"""Rows of the pool at most."""
OUT_OF_SCOPE = "none"
CONFIDENCE = 0.95
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Answers:
    """What a system said of the pool."""

    chances: NDArray[np.float64]
    right: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    """Out of scope."""

    def some(self, rows: NDArray[np.int_]) -> tuple[list[float], list[bool]]:
        """Return chances, and whether right, of rows by their numbers."""
        return list(map(float, self.chances[rows])), list(map(bool, self.right[rows]))


def rows_of(folder: Path, name: str) -> tuple[list[Sample], list[Sample]]:
    """Return the rows that are learnt, and the pool."""

    def read(part: str) -> list[Sample]:
        path = folder / name / f"{part}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        rows = [json.loads(line) for line in lines]
        return [Sample(id=row["id"], input=row["input"], target=row["target"]) for row in rows]

    train = read("train")
    mixed = np.random.default_rng(0).permutation(len(train))  # sets may be sorted by label
    train = [train[at] for at in mixed]
    learnt = train[: LEARNT.get(name, len(train))]
    pool = read("test") + read("out_of_scope") + train[len(learnt) :]
    return learnt, pool[: POOL.get(name, len(pool))]


def by_control(learnt: Sequence[Sample], pool: Sequence[Sample]) -> Answers:
    """Let the linear control answer."""
    model = linear_model(learnt)
    found = model.predict_proba([row.input for row in pool])
    said = [str(model.classes_[at]) for at in found.argmax(axis=1)]
    return answers(list(found.max(axis=1)), said, pool)


def by_student(learnt: Sequence[Sample], pool: Sequence[Sample]) -> Answers:
    """Train the label student by its recipe, and let it answer."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.jsonl"
        lines = [json.dumps({"text": row.input, "label": row.target}) for row in learnt]
        rows.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        recipe = ROOT / "recipes" / "student_label"
        words = [f"{recipe}.py", "--config", f"{recipe}.yaml", "--train_file", str(rows)]
        out = Path(scratch) / "student"
        subprocess.run([sys.executable, *words, "--output_dir", str(out)], check=True,
                       capture_output=True)  # fmt: skip
        requests = [Request(text=row.input) for row in pool]
        found = [completion for _, completion in ClassifierEngine(out).complete(requests)]
    return answers([one.chance or 0.0 for one in found], [one.text for one in found], pool)


def by_model(name: str, learnt: Sequence[Sample], pool: Sequence[Sample]) -> Answers:
    """Let the bundled model answer by the log-likelihood of the labels."""
    labels = sorted({row.target for row in learnt})
    with tempfile.TemporaryDirectory() as scratch:
        for part, rows in (("train", learnt), ("test", pool)):
            kept = [row for row in rows if row.target in labels]
            lines = [json.dumps({"id": r.id, "input": r.input, "target": r.target}) for r in kept]
            text = "".join(line + "\n" for line in lines)
            (Path(scratch) / f"{part}.jsonl").write_text(text, encoding="utf-8")
        task = {
            "name": name,
            "goal": GOALS[name],
            "data": {"train": "train.jsonl", "test": "test.jsonl"},
            "answer": {"type": "label", "labels": labels},
            "score": "exact_match",
            "gate": {"min_score": 0.5},
        }
        path = Path(scratch) / "task.yaml"
        path.write_text(yaml.safe_dump(task), encoding="utf-8")
        bench = open_bench(load_task(path), Path(scratch) / "runs", Quiet())
        forms = r1_prompt.STAGES[0](bench, None)
        form = next(each for each in forms if each.decoding == "scored")
        outcomes = answer(bench.evaluator, form, pool)
        chances, right = chances_of(bench.evaluator, form, outcomes)
        bench.evaluator.models.cache.close()
    heard = [row for row, outcome in zip(pool, outcomes, strict=True) if outcome.score is not None]
    said = [row.target if hit else "" for row, hit in zip(heard, right, strict=True)]
    return answers(chances, said, heard)


def answers(chances: Sequence[float], said: Sequence[str], pool: Sequence[Sample]) -> Answers:
    """Put together what a system said; an out-of-scope row has no right answer."""
    outside = np.array([row.target == OUT_OF_SCOPE for row in pool])
    right = np.array([text == row.target for text, row in zip(said, pool, strict=True)])
    return Answers(np.asarray(chances, dtype=float), right & ~outside, outside)


def calibrate(found: Answers, splits: int) -> str:
    """Return the cells on calibration: figures of the first split, and in how many they fell."""
    fell = {"ece": 0, "brier": 0}
    first: tuple[str, Reliability, Reliability] | None = None
    for split in range(splits):
        dev, unseen = halves(len(found.right), split)
        method, curve = fitted(*found.some(dev))
        chances, right = found.some(unseen)
        after = applied(curve, chances)
        fell["ece"] += calibration_error(after, right) < calibration_error(chances, right)
        fell["brier"] += brier(after, right) < brier(chances, right)
        if first is None:
            both = (measured(each, right, CONFIDENCE) for each in (chances, after))
            first = (method, *both)
    assert first is not None
    method, before, later = first
    return (
        f"{before.n} | {ece(before)} | {ece(later)} | {of_brier(before)} | {of_brier(later)} | "
        f"{method} | {fell['ece'] / splits:.0%}, {fell['brier'] / splits:.0%}"
    )


def cover(found: Answers, splits: int) -> str:
    """Return the cells on what can be answered at the certified error."""
    shares, wrongs, outside, kept, unrefuted, true = [], [], [], 0, 0, 0
    inside = found.outside.any()
    for split in range(splits):
        dev, unseen = halves(len(found.right), split)
        true += truly_kept(found, len(dev), split)
        one = abstention(found.some(dev), found.some(unseen), CONFIDENCE)
        if one.threshold is None or one.share is None:
            kept, unrefuted = kept + 1, unrefuted + 1
            continue
        shares.append(one.share.mean)
        wrongs += [one.wrong.mean] if one.wrong else []
        kept += one.wrong is None or one.wrong.mean <= CERTIFIED_ERROR
        unrefuted += one.verdict != "fail"
        if inside:
            strange = unseen[found.outside[unseen]]
            outside.append(float((found.chances[strange] >= one.threshold).mean()))
    share = f"{fmean(shares):.1%} ({min(shares):.0%}–{max(shares):.0%})" if shares else "–"
    wrong = f"{fmean(wrongs):.1%}" if wrongs else "–"
    strangers = f"{fmean(outside):.1%}" if outside else "–"
    counts = (hits(each, splits) for each in (kept, unrefuted, true))
    return f"{len(shares)} | {share} | {wrong} | {strangers} | {' | '.join(counts)}"


def truly_kept(found: Answers, rows: int, split: int) -> bool:
    """Tell whether a threshold chosen on rows drawn from the pool keeps the error over the pool."""
    dev = np.random.default_rng([split, 1]).integers(len(found.right), size=rows)
    chosen = certify(*found.some(dev), CERTIFIED_ERROR, CONFIDENCE)
    if chosen is None:
        return True
    given = found.chances >= chosen.threshold
    return bool((~found.right[given]).mean() <= CERTIFIED_ERROR)


def halves(rows: int, split: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return a random half of the pool, and the other."""
    mixed = np.random.default_rng([split, 0]).permutation(rows)
    return mixed[: rows // 2], mixed[rows // 2 :]


def brier(chances: Sequence[float], right: Sequence[bool]) -> float:
    """Return the mean squared distance of chances from what came true."""
    return fmean((chance - hit) ** 2 for chance, hit in zip(chances, right, strict=True))


def ece(found: Reliability) -> str:
    """Say an expected calibration error."""
    return f"{found.ece:.3f} ({found.ece_low:.3f}–{found.ece_high:.3f})"


def of_brier(found: Reliability) -> str:
    """Say a Brier score."""
    return f"{found.brier.mean:.3f} ({found.brier.low:.3f}–{found.brier.high:.3f})"


def hits(count: int, of: int) -> str:
    """Say a share of the splits with its 95 % interval."""
    found = estimate([1.0] * count + [0.0] * (of - count), CONFIDENCE)
    return f"{found.mean:.1%} ({found.low:.0%}–{found.high:.0%})"


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="holds the public sets")
    parser.add_argument("--sets", nargs="+", choices=list(GOALS), default=list(GOALS))
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--model", action="store_true", help="the language model answers too")
    parser.add_argument("--rows", type=int, default=300, help="of the pool that it answers")
    given = parser.parse_args()
    print(f"flags: {' '.join(flag for flag in FLAGS if flag in processor_flags())}")
    for name in given.sets:
        learnt, pool = rows_of(given.folder, name)
        systems = {"control": by_control(learnt, pool), "student": by_student(learnt, pool)}
        if given.model:
            mixed = np.random.default_rng(2).permutation(len(pool))[: given.rows]
            systems["model"] = by_model(name, learnt, [pool[at] for at in mixed])
        for system, found in systems.items():
            print(f"| {name} | {system} | {len(learnt)} | {len(found.right)} | "
                  f"{found.right.mean():.3f} | {calibrate(found, given.splits)} |")  # fmt: skip
            print(f"| {name} | {system} | {cover(found, given.splits)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
