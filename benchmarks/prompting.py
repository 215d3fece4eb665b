"""What the prompt search is worth: the usual prompts beside what is found, on fresh examples.

    python benchmarks/prompting.py FOLDER [--sets banking77 …] [--calls 600]

FOLDER holds the public sets. Each is cut to a few hundred rows (Banking77 to ten intents), the
prompt rung's usual waves race on the dev examples, and the search goes on from their winner,
whatever the gate. Both winners then answer the same eval examples, which neither has seen. `kept`
is what the climb would do: the challenger must win on training examples that chose nothing. The
bundled model answers, a few minutes a set, with nothing kept from before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import yaml

from ladder.climb.opening import open_bench
from ladder.economy.cost import since
from ladder.evidence import Candidate
from ladder.gate.paired import paired
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.rungs import r1_prompt
from ladder.rungs.protocol import Bench
from ladder.selection.prompt_search import worth_it
from ladder.selection.proving import compare_unseen
from ladder.selection.race import race
from ladder.task import load_task

GOALS = {
    "review_sentiment": "Tell whether the product review is positive or negative.",
    "banking77": "Name the intent of the bank customer's message.",
    "contract_clauses": "Name the category of the contract clause.",
    "support_curekart": "Name the intent of the customer's message to a health shop.",
    "clinical_sections": "Name the section of the clinical note that the dialogue belongs to.",
}
USUAL_GATE = 0.8
LABELS = {"banking77": 10}
"""How many of a set's labels are kept, first come."""
TRAIN_ROWS, TEST_ROWS = 500, 340


def cut(folder: Path, name: str, target: Path, calls: int) -> Path:
    """Write a small copy of a set with its task file; return the file."""
    kept: dict[str, None] = {}
    for part, most in (("train", TRAIN_ROWS), ("test", TEST_ROWS)):
        lines = (folder / name / f"{part}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        if part == "train":
            labels = dict.fromkeys(row["target"] for row in rows)
            kept = dict.fromkeys(list(labels)[: LABELS.get(name, len(labels))])
        rows = [row for row in rows if row["target"] in kept]
        rows = rows[:: max(1, len(rows) // most)][:most]  # sets may be sorted by label
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (target / f"{part}.jsonl").write_text(text)
    task = {
        "name": name,
        "goal": GOALS[name],
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "answer": {"type": "label", "labels": list(kept)},
        "score": "exact_match",
        "gate": {"min_score": 1.0},
        "search": {"prompt_calls": calls},
    }
    (target / "task.yaml").write_text(yaml.safe_dump(task))
    return target / "task.yaml"


def usual_winner(bench: Bench) -> Candidate:
    """Race the usual waves."""
    leader: Candidate | None = None
    for wave in r1_prompt.STAGES:
        leader, _ = race(bench.evaluator, [*([leader] if leader else []), *wave(bench, leader)])
    assert leader is not None
    return leader


def scores(bench: Bench, candidate: Candidate, rows: str) -> list[float]:
    """Return a candidate's scores on one part of the rows; all of them must have one."""
    outcomes = answer(bench.evaluator, candidate, getattr(bench.data, rows))
    found = [outcome.score for outcome in outcomes if outcome.score is not None]
    assert len(found) == len(outcomes), "a row without a score: two systems would not be paired"
    return found


def mean(values: list[float]) -> str:
    """Return the mean in two decimals."""
    return f"{sum(values) / len(values):.2f}"


def measure(folder: Path, name: str, calls: int) -> None:
    """Print one set's lines."""
    with tempfile.TemporaryDirectory() as scratch:
        path = cut(folder, name, Path(scratch), calls)
        bench = open_bench(load_task(path), Path(scratch) / "runs", Quiet())
        usual = usual_winner(bench)
        asked = bench.evaluator.models.asked
        found = r1_prompt.search_stage(bench, usual)
        winner = race(bench.evaluator, [usual, *found])[0] if found else usual
        searched = since(asked, bench.evaluator.models.asked)
        proof = compare_unseen(bench.evaluator, usual, winner) if winner != usual else None
        old, new = scores(bench, usual, "gate"), scores(bench, winner, "gate")
        gap, low, high, p_value = paired(new, old, 0.95)
        kept = proof is not None and proof.claim == "better"
        usually = replace(bench.evaluator, task=bench.task.with_gate(min_score=USUAL_GATE))
        runs = "would run" if worth_it(usually, usual) else "would not run"
        print(
            f"{name}: {len(bench.data.train)} train, {len(bench.data.dev)} dev, "
            f"{len(old)} eval examples; at a gate of {USUAL_GATE} the search {runs}\n"
            f"  usual   dev {mean(scores(bench, usual, 'dev'))} gate {mean(old)}  "
            f"{asked.calls:5} calls {asked.seconds:4.0f} s  {usual.description}\n"
            f"  search  dev {mean(scores(bench, winner, 'dev'))} gate {mean(new)}  "
            f"{searched.calls:5} calls {searched.seconds:4.0f} s  {winner.description}\n"
            f"  eval examples: {gap:+.3f} ({low:+.3f} to {high:+.3f}), p {p_value:.3f}\n"
            f"  unseen training examples: "
            + (f"{proof.difference:+.3f} on {proof.n}, p {proof.p_value:.3f}, " if proof else "")
            + f"{'kept' if kept else 'not kept'}",
            flush=True,
        )
        bench.evaluator.models.cache.close()


def main() -> None:
    """Measure each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(GOALS)[:4])
    parser.add_argument("--calls", type=int, default=600)
    given = parser.parse_args()
    for name in given.sets:
        measure(given.folder, name, given.calls)


if __name__ == "__main__":
    main()
