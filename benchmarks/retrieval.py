"""Does the search bring the right document? Recall of BM25 on two public sets.

    python benchmarks/retrieval.py FOLDER

FOLDER holds wiki_rag/ and finance_qa/. All test rows that name their document are asked. The goal
is at least the floor: what plain BM25 was measured to reach when the sets were prepared.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from ladder.retrieval.health import recall
from ladder.retrieval.search import LexicalIndex

FLOORS = {"wiki_rag": (0.936, 0.98, 0.984), "finance_qa": (0.696, 0.843, 0.866)}
DEPTHS = (1, 3, 5)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    """Print recall at 1, 3 and 5 beside the floors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(f"{'set':12}{'rows':>6}{'documents':>11}{'seconds':>9}  recall at 1, 3, 5 (floor)")
    for name, floors in FLOORS.items():
        rows = [row for row in lines(folder / name / "test.jsonl") if row.get("doc_ids")]
        documents = lines(folder / name / "documents.jsonl")
        texts = [f"{document.get('title', '')} {document['text']}" for document in documents]
        started = time.perf_counter()
        found = LexicalIndex(texts).search([row["input"] for row in rows], max(DEPTHS))
        seconds = time.perf_counter() - started
        ranked = [[documents[at]["id"] for at, _ in ranking] for ranking in found]
        wanted = [row["doc_ids"] for row in rows]
        cells = []
        for depth, floor in zip(DEPTHS, floors, strict=True):
            share = sum(recall(ranked, wanted, depth)) / len(rows)
            cells.append(f"{share:.3f} ({floor:.3f}{'' if share >= floor else ', below'})")
        print(f"{name:12}{len(rows):6,}{len(documents):11,}{seconds:9.2f}  {'  '.join(cells)}")


if __name__ == "__main__":
    main()
