"""What search brings, what each change to it is worth, and what trying settings costs.

    python benchmarks/retrieval.py FOLDER [--parts recall sweep fixes] [--rows 60]

FOLDER holds wiki_rag/, finance_qa/, banking77/, contract_clauses/ and voice_slots_json/.

recall  BM25 on all test rows that name their document; the goal is at least the floor that plain
        BM25 was measured to reach when the sets were prepared. With an embedding model from its
        package, hybrid search beside it.
sweep   the same settings over 20,000 passages, searched anew for each and made from one search;
        the goal is a tenth of the time. And what an index of 100,000 passages takes.
fixes   a plain rag system on each set, and every change that `ladder` may try on it: score
        before and after on the same rows, difference with its paired interval, tokens.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from ladder.climb.opening import open_bench
from ladder.diagnosis.changes import changes
from ladder.economy.cost import machine_usd_per_1k
from ladder.engines.bundled import bundled_folder
from ladder.evaluation.comparing import compare_outcomes
from ladder.evaluation.cost import token_use
from ladder.evidence import Candidate, Retrieval
from ladder.inference.answer import answer
from ladder.inference.forms import wordings
from ladder.inference.outcome import Outcome
from ladder.progress import Quiet
from ladder.retrieval.health import recall
from ladder.retrieval.pool import Pool, in_order, ways
from ladder.retrieval.search import LexicalIndex, make_index
from ladder.rungs.protocol import Bench
from ladder.task import load_task

ROOT = Path(__file__).parent.parent
FLOORS = {"wiki_rag": (0.936, 0.98, 0.984), "finance_qa": (0.696, 0.843, 0.866)}
DEPTHS = (1, 3, 5)
MOST_EMBEDDED = 1_000
"""Texts that are embedded here: the model reads some 30 a second on two cores."""
EMBEDDING = "bundled:all-minilm-l6-v2"
SWEPT, LARGE = 20_000, 100_000
QUERIES = 100
SETTINGS = tuple(product((1, 2, 3, 4, 6, 8, 12, 16), (False, True), (0.0, 0.2, 0.4)))
MENDED = ("wiki_rag", "finance_qa", "banking77", "contract_clauses", "voice_slots_json")


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def print_recall(folder: Path) -> None:
    """Print recall at 1, 3 and 5 beside the floors."""
    print(f"{'set':12}{'search':8}{'rows':>6}{'documents':>11}{'seconds':>9}  recall at 1, 3, 5")
    embedder = bundled_folder(EMBEDDING.partition(":")[2])
    for (name, floors), method in product(FLOORS.items(), ("bm25", "hybrid")):
        rows = [row for row in lines(folder / name / "test.jsonl") if row.get("doc_ids")]
        documents = lines(folder / name / "documents.jsonl")
        texts = [f"{document.get('title', '')} {document['text']}" for document in documents]
        queries = [row["input"] for row in rows]
        how = Retrieval(source="documents", method=method)
        started = time.perf_counter()
        found = {way: make_index(texts, way, embedder).search(queries, 100) for way in ways(method)}
        orders = [
            in_order({way: found[way][at] for way in found}, how) for at in range(len(queries))
        ]
        seconds = time.perf_counter() - started
        ranked = [[documents[at]["id"] for at in order] for order in orders]
        wanted = [row["doc_ids"] for row in rows]
        cells = []
        for depth, floor in zip(DEPTHS, floors, strict=True):
            share = sum(recall(ranked, wanted, depth)) / len(rows)
            cells.append(f"{share:.3f} ({floor:.3f}{'' if share >= floor else ', below'})")
        counts = f"{len(rows):6,}{len(documents):11,}{seconds:9.2f}"
        print(f"{name:12}{method:8}{counts}  {'  '.join(cells)}")
    print("in brackets: the floor of BM25")


def passages(folder: Path, count: int) -> list[str]:
    """Return windows of real documents, each of its own length and place."""
    words = [
        word
        for name in FLOORS
        for document in lines(folder / name / "documents.jsonl")
        for word in document["text"].split()
    ]
    step = max(1, len(words) // count)
    starts = (at * step % len(words) for at in range(count))
    return [" ".join(words[at : at + 60 + at % 90]) for at in starts]


def print_sweep(folder: Path) -> None:
    """Print both sides of a sweep over settings, and what a large index takes."""
    texts = passages(folder, SWEPT)
    queries = [row["input"] for row in lines(folder / "wiki_rag/test.jsonl")[:QUERIES]]
    index = LexicalIndex(texts)
    settings = [
        Retrieval(source="documents", k=k, unique=unique, diversity=diversity)
        for k, unique, diversity in SETTINGS
    ]

    def pools() -> list[Pool]:
        return [Pool({"bm25": found}, texts.__getitem__) for found in index.search(queries, 100)]

    def anew() -> list[list[list[int]]]:
        return [[pool.select(how) for pool in pools()] for how in settings]

    def once() -> list[list[list[int]]]:
        found = pools()
        return [[pool.select(how) for pool in found] for how in settings]

    slow, by_search = _timed(anew)
    fast, by_selection = _timed(once)
    searching = _timed(lambda: index.search(queries, 100))[0]
    assert by_search == by_selection, "the same texts in the same order"
    print(f"{len(settings)} settings, {len(queries)} queries, {SWEPT:,} passages")
    print(f"  searched anew for each   {slow:7.2f} s")
    print(f"  made from one search     {fast:7.2f} s, of which {searching:.2f} s searching")
    print(f"  ratio                    {slow / fast:7.1f} x (goal 10 x)")
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from retrieval import passages
texts = passages(Path({str(folder)!r}), {LARGE})
usage = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
before = usage()
from ladder.retrieval.search import LexicalIndex
index = LexicalIndex(texts)
text = sum(map(len, texts)) / 1e6
print(f"{{text:.0f}} MB of text, {{usage() - before:.0f}} MB for its index")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    print(f"  {LARGE:,} passages: {done.stdout.strip()}{done.stderr.strip()[-300:]}")


def _timed(run: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    found = run()
    return time.perf_counter() - started, found


def print_mends(folder: Path, rows: int, store: Path | None) -> None:
    """Print every change on every set."""
    print(
        f"{'set':18}{'change':14}{'score':>6}  {'difference (95 %)':24}{'p':>8}{'tokens':>8}"
        f"{'$ per 1k':>10}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name in MENDED:
            task = load_task(ROOT / f"evalsets/public/{name}.yaml", folder)
            task = task.with_models(embedding=EMBEDDING)
            bench = open_bench(task, store or Path(scratch), Quiet())
            judged = bench.data.gate[:rows]
            usual = plain_system(bench)
            before = answer(bench.evaluator, usual, judged)
            first = f"{_mean(before):6.2f}{'':34}{_tokens(before):8.0f}"
            print(f"{name:18}{'as it is':14}{first}{_usd(bench, usual, before):10.4f}")
            for change, way in variants(bench, usual):
                after = answer(bench.evaluator, way, judged)
                gain = compare_outcomes("as it is", after, before, 0.95)
                span = f"{gain.difference:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"
                cells = f"{_mean(after):6.2f}  {span:24}{gain.p_value:8.3f}{_tokens(after):8.0f}"
                print(f"{'':18}{change:14}{cells}{_usd(bench, way, after):10.4f}", flush=True)
            bench.evaluator.models.cache.close()


def plain_system(bench: Bench) -> Candidate:
    """Return what a team starts with: three documents, or eight examples, best last."""
    documents = bool(bench.data.documents)
    return Candidate(
        rung="rag",
        description="plain",
        model=bench.task.models.base,
        wording=wordings(bench.evaluator)[-1] if documents else wordings(bench.evaluator)[0],
        decoding="scored" if bench.data.labels else "free",
        retrieval=Retrieval(source="documents", k=3)
        if documents
        else Retrieval(source="examples", k=8, narrow=bool(bench.data.labels)),
    )


def variants(bench: Bench, usual: Candidate) -> Iterator[tuple[str, Candidate]]:
    """Yield every change, and the other ways to search."""
    yield from changes(bench.evaluator, usual).items()
    assert usual.retrieval is not None
    ways_to_search: list[tuple[str, dict[str, object]]] = [("unlike (MMR)", {"diversity": 0.3})]
    if len(bench.data.documents or bench.data.train) <= MOST_EMBEDDED:
        ways_to_search += [("dense", {"method": "dense"}), ("hybrid", {"method": "hybrid"})]
    for name, update in ways_to_search:
        yield name, usual.but(retrieval=usual.retrieval.but(**update))


def _usd(bench: Bench, way: Candidate, outcomes: Sequence[Outcome]) -> float:
    """Return USD per 1,000 requests of this machine: the model's seconds, and the search's."""
    seconds = [o.completion.seconds for o in outcomes if o.score is not None]
    searching = bench.evaluator.reader.seconds(way.retrieval, [o.sample for o in outcomes])
    hourly = bench.task.hardware.usd_per_hour
    return machine_usd_per_1k(sum(seconds) / max(1, len(seconds)) + searching, hourly, 1.0)


def _mean(outcomes: Sequence[Outcome]) -> float:
    return sum(o.score for o in outcomes if o.score is not None) / max(1, len(outcomes))


def _tokens(outcomes: Sequence[Outcome]) -> float:
    return token_use([outcome for outcome in outcomes if outcome.score is not None]).input_mean


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", default=["recall", "sweep", "fixes"])
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--store", type=Path, help="keep the model's answers in this folder")
    options = parser.parse_args()
    if "recall" in options.parts:
        print_recall(options.folder)
    if "sweep" in options.parts:
        print_sweep(options.folder)
    if "fixes" in options.parts:
        print_mends(options.folder, options.rows, options.store)


if __name__ == "__main__":
    main()
