"""What is kept of the examples that judge: each with its answer, and what was retrieved for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ladder.evidence import Candidate
from ladder.files import write_json_lines
from ladder.inference.outcome import Outcome
from ladder.retrieval.retriever import Source, sources
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Sample

SAMPLES, RETRIEVED = "samples.jsonl", "retrieved.jsonl"
"""In a folder of its own; the second only where something was retrieved, each text once."""
TEST = "test"
"""The folder of the held-out test examples; those of the eval set lie under their rung's name."""


def keep_outcomes(
    bench: Bench, name: str, winner: Candidate | None, outcomes: Sequence[Outcome]
) -> None:
    """Write down the examples that a candidate was measured on.

    Args:
        bench: has the run's folder.
        name: of the rung, `control`, or `TEST`.
        winner: that answered; None: a way without a language model.
        outcomes: its answers.
    """
    folder = bench.folder / name
    texts: dict[str, dict[str, str]] = {}
    found = _retrieved(bench, winner, [outcome.sample for outcome in outcomes], texts)
    write_json_lines(
        folder / SAMPLES, (_kept(outcome, found.get(outcome.sample.id, [])) for outcome in outcomes)
    )
    if texts:
        write_json_lines(folder / RETRIEVED, texts.values())


def _kept(outcome: Outcome, retrieved: Sequence[str]) -> dict[str, Any]:
    sample = outcome.sample
    return {
        "id": sample.id,
        "input": sample.input,
        "answer": outcome.text,
        "target": sample.target,
        **({"targets": sample.targets} if sample.also_right else {}),
        "score": outcome.score,
        "error": outcome.error,
        **({"slice": sample.stratum} if sample.stratum else {}),
        **({"group": sample.group} if sample.group else {}),
        **({"retrieved": retrieved} if retrieved else {}),
    }


def _retrieved(
    bench: Bench, winner: Candidate | None, rows: Sequence[Sample], texts: dict[str, dict[str, str]]
) -> dict[str, list[str]]:
    """Return what was retrieved for each row, best first, by name; the texts go to `texts`."""
    retrieval, retriever = winner.retrieval if winner else None, bench.evaluator.retriever
    found: dict[str, list[str]] = {}
    if retrieval is None or retrieval.source == "gold":
        return found
    retriever.prepare(retrieval, rows)
    for source in sources(retrieval):
        for row in rows:
            for at in retriever.nearest(retrieval, source, row):
                name, text = _text(bench, source, at)
                texts.setdefault(name, text)
                found.setdefault(row.id, []).append(name)
    return found


def _text(bench: Bench, source: Source, at: int) -> tuple[str, dict[str, str]]:
    """Return the name of a document or a training example, unique among both, and what it says."""
    if source == "documents":
        document = bench.data.documents[at]
        name = f"{source}/{document.id}"
        return name, {"id": name, "title": document.title, "text": document.text}
    row = bench.data.train[at]
    name = f"{source}/{row.id}"
    return name, {"id": name, "title": "", "text": f"{row.input}\n{row.target}"}
