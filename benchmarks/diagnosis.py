"""Is the cause that is named first the one that was injected? A confusion matrix.

    python benchmarks/diagnosis.py FOLDER [--rows 80] [--cases 12] [--seeds 2]

FOLDER holds wiki_rag/ (XQuAD, English). Two pipelines over a real small model: the shipped ferry
handbook, and the encyclopedia (which of 12 articles answers a question). Beside the documents
stands an archive of tickets, which hold each question word for word and no answer, so that one
text is not enough. Every fault of `fault_injection` is injected into both, under several
seeds; each case draws 40 of the rows, judges them at a gate that the healthy pipeline holds, and
diagnoses. Healthy pipelines are cases too: no cause may be named there. A fault that this model
shrugs off (it holds the gate all the same) leaves nothing to diagnose, and is said and not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import yaml
from fault_injection import FAULTS, Fault, Pipeline
from rich.progress import Progress

from ladder.climb.opening import open_bench
from ladder.diagnosis.ablations import run_ablations
from ladder.diagnosis.rules import Ablations, diagnose
from ladder.engines.bundled import bundled_folder
from ladder.evidence import Candidate, Retrieval
from ladder.gate.bounds import estimate
from ladder.gate.verdict import combine, judge_score
from ladder.inference.answer import answer
from ladder.progress import Quiet
from ladder.retrieval.retriever import Retriever
from ladder.retrieval.search import make_index
from ladder.rungs.protocol import Bench
from ladder.task import load_task
from ladder.training.prune import pruned_copy

ROOT = Path(__file__).parent.parent
BASE = "bundled:smollm2-135m"
GATE, CONFIDENCE = 0.75, 0.95
CASE_ROWS = 40
ARTICLES = 12
PASSAGE_WORDS = 60
NONE = "none"


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def handbook() -> dict[str, Any]:
    """Return the ferry line's rows, documents and goal."""
    folder = ROOT / "evalsets/r2_ferry_handbook"
    task = yaml.safe_load((folder / "task.yaml").read_text())
    rows = {name: lines(folder / f"{name}.jsonl") for name in ("train", "test", "documents")}
    return {**rows, "goal": task["goal"], "labels": task["answer"]["labels"]}


def encyclopedia(data: Path) -> dict[str, Any]:
    """Return questions whose answer is the article that holds it; the articles cut into passages.

    The right passage of a question is the one that holds its answer in the original set.
    """
    import semchunk

    whole = lines(data / "wiki_rag/documents.jsonl")
    sizes: Counter[str] = Counter()
    for document in whole:
        sizes[document["title"]] += len(document["text"])
    chosen = sorted(sizes, key=lambda title: (sizes[title], title))[:ARTICLES]
    parts_of: dict[str, list[dict[str, Any]]] = {}
    for document in whole:
        if document["title"] in chosen:
            texts = semchunk.chunk(document["text"], PASSAGE_WORDS, lambda text: len(text.split()))
            parts_of[document["id"]] = [
                {"id": f"{document['id']}-{at}", "title": document["title"], "text": text}
                for at, text in enumerate(texts)
            ]
    found: dict[str, Any] = {"documents": [part for parts in parts_of.values() for part in parts]}
    for name in ("train", "test"):
        found[name] = []
        for row in lines(data / f"wiki_rag/{name}.jsonl"):
            parts = parts_of.get(row["doc_ids"][0], [])
            right = [part["id"] for part in parts if row["target"] in part["text"]]
            if right:
                title = parts[0]["title"]
                found[name].append({**row, "target": title, "doc_ids": right})
    goal = "Name the encyclopedia article that answers the question."
    return {**found, "goal": goal, "labels": sorted(chosen)}


def write(folder: Path, given: dict[str, Any]) -> Path:
    """Write a task with its archive of tickets; return its file.

    The stronger model is the base itself under another name: in the healthy pipeline it holds the
    skill, so it can tell a weak model from a wrong target.
    """
    tickets = [
        {"id": f"ticket-{r['id']}", "title": "Closed ticket", "text": f"{r['input']} No note."}
        for r in (*given["train"], *given["test"])
    ]
    files = {**given, "documents": [*given["documents"], *tickets]}
    for name in ("train", "test", "documents"):
        rows = "".join(json.dumps(row) + "\n" for row in files[name])
        (folder / f"{name}.jsonl").write_text(rows)
    task = {
        "name": folder.name,
        "goal": given["goal"],
        "data": {name: f"{name}.jsonl" for name in ("train", "test", "documents")},
        "answer": {"type": "label", "labels": given["labels"]},
        "score": "exact_match",
        "gate": {"min_score": GATE, "confidence": CONFIDENCE},
        "models": {"base": BASE, "teacher": f"hf:{bundled_folder(BASE.partition(':')[2])}"},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
    return folder / "task.yaml"


def healthy() -> Candidate:
    """Return the pipeline that is broken: three texts, and the label log-likelihood."""
    return Candidate(
        rung="rag",
        description="healthy",
        model=BASE,
        wording=("Question", "Answer"),
        with_goal=False,
        decoding="scored",
        retrieval=Retrieval(source="documents", k=3),
    )


def broken(bench: Bench, fault: Fault | None, seed: int, rows: int, weaker: str) -> Ablations:
    """Return what the ablations measure once a fault is injected."""
    data = replace(bench.data, gate=bench.data.gate[:rows])
    pipeline = Pipeline(data, healthy(), make_index, weaker)
    if fault:
        pipeline = fault.inject(pipeline, Random(seed))
    data, cache = pipeline.splits, bench.evaluator.models.cache
    library = Retriever(bench.task, data, cache, Quiet(), pipeline.make_index)
    evaluator = replace(bench.evaluator, data=data, retriever=library)
    outcomes = answer(evaluator, pipeline.candidate, data.gate)
    return run_ablations(evaluator, pipeline.candidate, outcomes, every=True)


def case(ablations: Ablations, rows: Sequence[str]) -> str:
    """Judge and diagnose some rows; return the cause that is named first."""
    few = set(rows)

    def of(scores: Any) -> dict[str, float]:
        return {row: score for row, score in scores.items() if row in few}

    production = of(ablations.production)
    changed = {ablation: of(scores) for ablation, scores in ablations.changed.items()}
    verdict = combine([judge_score(list(production.values()), GATE, 1 - CONFIDENCE)])
    if verdict.status == "pass":
        return NONE
    part = Ablations(production, changed, of(ablations.places), ablations.k)
    found = diagnose("rag", verdict, part, GATE, CONFIDENCE)
    return found.causes[0].name if found.causes else NONE


def cases(ablations: Ablations, count: int, seed: int) -> Iterator[str]:
    """Yield what is named in draws of the rows."""
    names = sorted(ablations.production)
    for number in range(count):
        yield case(ablations, Random(f"{seed} {number}").sample(names, min(CASE_ROWS, len(names))))


def main() -> None:
    """Print the confusion matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--cases", type=int, default=14)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", nargs="+", default=["handbook", "encyclopedia"])
    parser.add_argument("--store", type=Path, help="keep the model's answers in this folder")
    options = parser.parse_args()
    started = time.perf_counter()
    matrix: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        runs = options.store or Path(scratch)
        tasks = {"handbook": handbook(), "encyclopedia": encyclopedia(options.data)}
        tasks = {name: tasks[name] for name in options.sets}
        bar = progress.add_task("injecting", total=len(tasks) * (len(FAULTS) + 1) * options.seeds)
        for name, given in tasks.items():
            folder = Path(scratch) / name
            folder.mkdir()
            bench = open_bench(load_task(write(folder, given)), runs, Quiet())
            weaker = f"hf:{pruned_copy(bench.trainer.base(), runs)}"
            for fault in (None, *FAULTS):
                key = (name, fault.name if fault else "healthy")
                for seed in range(options.seeds):
                    ablations = broken(bench, fault, seed, options.rows, weaker)
                    scores[key] += ablations.production.values()
                    matrix[key].update(cases(ablations, options.cases, seed))
                    progress.advance(bar)
                mean = estimate(scores[key], CONFIDENCE).mean
                held = fault is not None and mean >= GATE
                found = "holds the gate all the same" if held else f"named {dict(matrix[key])}"
                if held:
                    del matrix[key]
                print(f"{name:13}{key[1]:20}score {mean:.2f}  {found}", flush=True)
            bench.evaluator.models.cache.close()
    report(matrix, time.perf_counter() - started)


def report(matrix: dict[tuple[str, str], Counter[str]], seconds: float) -> None:
    """Print how often the right cause came first."""
    right_name = {fault.name: fault.cause for fault in FAULTS}
    hits = total = named = quiet = 0
    for (_, fault), found in matrix.items():
        if fault == "healthy":
            quiet += found.total()
            named += found.total() - found[NONE]
        else:
            total += found.total()
            hits += found[right_name[fault]]
    print(f"\nthe injected cause comes first in {hits} of {total} cases (goal 90 %)")
    print(f"a cause is named in {named} of {quiet} healthy cases (goal at most 5 %)")
    print("cases of one fault and pipeline are draws of the same rows: they hang together")
    print(f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
