"""What a store costs, and whether it finds the same: in memory, LanceDB, Qdrant's local mode.

    python benchmarks/stores.py FOLDER [--chunks 20000] [--stores lancedb qdrant]

FOLDER holds wiki_rag/ and finance_qa/. Their documents are cut into overlapping windows of varied
length until there are enough different chunks; their test rows ask. Each figure comes from a
process of its own. BM25 only: embedding takes as long wherever the vectors go. Qdrant's local mode
compares every row in Python and says itself that it is not made for more than 20,000: ask for it
by name, with some thousand chunks.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from ladder.retrieval.search import LexicalIndex
from ladder.retrieval.stores.store import Row, open_store, rank_in_store

CHANGED = 500
DEPTH = 17
SETS = ("wiki_rag", "finance_qa")
QUERIES = {"memory": 200, "lancedb": 200, "qdrant": 5}


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def chunks(folder: Path, wanted: int) -> dict[str, str]:
    """Cut windows of 60 to 220 words from the documents, at random places, none twice."""
    documents = [row for name in SETS for row in lines(folder / name / "documents.jsonl")]
    texts = [f"{row.get('title', '')} {row['text']}".split() for row in documents]
    rng, seen = Random(0), dict[str, None]()
    while len(seen) < wanted:
        text = texts[rng.randrange(len(texts))]
        start = rng.randrange(max(1, len(text) - 60))
        seen[" ".join(text[start : start + rng.randint(60, 220)])] = None
    return {f"chunk-{at}": text for at, text in enumerate(seen)}


def questions(folder: Path) -> list[str]:
    """Return what is asked, in an order of its own."""
    found = [row["input"] for name in SETS for row in lines(folder / name / "test.jsonl")]
    Random(0).shuffle(found)
    return found


def measure(store: str, folder: Path, wanted: int, place: Path) -> dict[str, Any]:
    """Return build and change times, the size on disk, and what was found before and after."""
    texts = chunks(folder, wanted)
    queries = questions(folder)[: QUERIES[store]]
    changed = dict(zip(list(texts)[:CHANGED], reversed(texts.values()), strict=False))
    if store == "memory":
        started = time.perf_counter()
        index = LexicalIndex(list(texts.values()))
        built = time.perf_counter() - started
        before = positions(index.search(queries, DEPTH))
        after = positions(LexicalIndex(list((texts | changed).values())).search(queries, DEPTH))
        return {"build": built, "upsert": built, "found": [before, after], "bytes": 0}
    rows = [Row(*pair) for pair in texts.items()]
    with open_store(f"{store}:{place}", "bench") as kept:
        started = time.perf_counter()
        kept.hold(rows)
        built = time.perf_counter() - started
        before = positions(rank_in_store(kept, texts, queries, DEPTH, "bm25"))
        started = time.perf_counter()
        kept.upsert([Row(*pair) for pair in changed.items()])
        took = time.perf_counter() - started
        after = positions(rank_in_store(kept, texts | changed, queries, DEPTH, "bm25"))
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return {"build": built, "upsert": took, "found": [before, after], "bytes": size}


def reopen(store: str, folder: Path, wanted: int, place: Path) -> dict[str, Any]:
    """Return what a process takes that only searches: seconds, and memory at its highest."""
    queries = questions(folder)[: QUERIES[store]]
    if store == "memory":
        texts = list(chunks(folder, wanted).values())
        started = time.perf_counter()
        index = LexicalIndex(texts)
        opened = time.perf_counter() - started
        started = time.perf_counter()
        index.search(queries, DEPTH)
        each = (time.perf_counter() - started) / len(queries)
    else:
        started = time.perf_counter()
        with open_store(f"{store}:{place}", "bench") as kept:
            opened = time.perf_counter() - started
            kept.search(queries[:1], DEPTH)
            started = time.perf_counter()
            for query in queries:
                kept.search([query], DEPTH)
            each = (time.perf_counter() - started) / len(queries)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"open": opened, "query": each, "peak": peak}


def positions(rankings: list[list[tuple[int, float]]]) -> list[list[int]]:
    """Return rankings without their scores."""
    return [[at for at, _ in ranking] for ranking in rankings]


def apart(step: str, store: str, folder: Path, wanted: int, place: Path) -> dict[str, Any]:
    """Run a step in a process of its own."""
    words = [sys.executable, __file__, str(folder), "--chunks", str(wanted), "--stores", store]
    run = subprocess.run(
        [*words, "--step", step, "--place", str(place)], stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(run.stdout.splitlines()[-1]))


def main() -> None:
    """Print one line for each store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--stores", nargs="+", default=["lancedb"], choices=list(QUERIES))
    parser.add_argument("--step", choices=["measure", "reopen"], help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step = {"measure": measure, "reopen": reopen}[given.step]
        print(json.dumps(step(given.stores[0], given.folder, given.chunks, given.place)))
        return
    print(f"{given.chunks:,} chunks; a change is {CHANGED} of them; memory is of a search alone")
    titles = ("store", "build s", "change s", "open s", "ms/query", "disk MB", "memory MB", "same")
    print("".join(f"{title:>10}" for title in titles))
    memory: dict[str, Any] = {}
    for store in dict.fromkeys(["memory", *given.stores]):
        with tempfile.TemporaryDirectory() as scratch:
            got = apart("measure", store, given.folder, given.chunks, Path(scratch))
            got |= apart("reopen", store, given.folder, given.chunks, Path(scratch))
        memory = memory or got
        print(line(store, got, same(got["found"], memory["found"])), flush=True)


def same(found: list[list[Any]], wanted: list[list[Any]]) -> str:
    """Return how many of the queries, before and after the change, have the same ids in order."""
    pairs = [
        one == two
        for part, other in zip(found, wanted, strict=True)
        for one, two in zip(part, other, strict=False)  # the slow are asked fewer
    ]
    return f"{sum(pairs)}/{len(pairs)}"


def line(store: str, got: dict[str, Any], equal: str) -> str:
    """Return a row of the table."""
    cells = [store, f"{got['build']:.2f}", f"{got['upsert']:.2f}", f"{got['open']:.2f}"]
    cells += [f"{got['query'] * 1000:.2f}", f"{got['bytes'] / 1e6:.1f}"]
    cells += [f"{got['peak'] / 1e6:.0f}", equal]
    return "".join(f"{cell:>10}" for cell in cells)


if __name__ == "__main__":
    main()
