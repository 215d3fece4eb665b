"""The pipelines that `diagnosis.py` breaks: their rows, documents and wording.

Each answers with a label that stands in the title of the right text, and reads beside the documents
an archive of tickets, which hold each question word for word and no answer, so that one text is not
enough. The rules of the diagnosis were written with the first two in sight. The third, filings, is
of another register and wording, and was added afterwards: nothing was tuned on it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from ladder.engines.bundled import bundled_folder
from ladder.evidence import Candidate, Retrieval

ROOT = Path(__file__).parent.parent
BASE = "bundled:smollm2-135m"
GATE, CONFIDENCE = 0.75, 0.95
ARTICLES = 12
PASSAGE_WORDS = 60
MOST_WORDS = 80
REPORTS, FILINGS_TRAIN = 30, 20
COMPANIES = (
    "Alder", "Ashby", "Barlow", "Birch", "Cedar", "Cobalt", "Denby", "Dorset", "Egret",
    "Elgin", "Falmouth", "Fenwick", "Garnet", "Granite", "Harrow", "Hollis", "Indigo",
    "Ivory", "Jasper", "Juniper", "Kestrel", "Keswick", "Linden", "Lomond", "Marlow",
    "Merton", "Nettle", "Norfolk", "Onyx", "Orchard",
)  # fmt: skip
"""Invented: the set names its reports by numbers."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Given:
    """What a pipeline answers from, and how it asks."""

    goal: str
    labels: Sequence[str]
    train: Rows
    test: Rows
    documents: Rows
    wording: tuple[str, str] = ("Question", "Answer")
    ticket: tuple[str, str] = ("Closed ticket", "{question} No note.")
    """Title and text of an archived question."""
    wrapped: str = "That must be {target}, as far as I can tell."
    """What an answer looks like where the format is broken."""


def lines(path: Path) -> Rows:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def handbook(data: Path) -> Given:
    """Return the ferry line's rows, documents and goal."""
    folder = ROOT / "evalsets/r2_ferry_handbook"
    task = yaml.safe_load((folder / "task.yaml").read_text())
    rows = {name: lines(folder / f"{name}.jsonl") for name in ("train", "test", "documents")}
    return Given(goal=task["goal"], labels=task["answer"]["labels"], **rows)


def encyclopedia(data: Path) -> Given:
    """Return questions whose answer is the article that holds it; the articles cut into passages.

    The right passage of a question is the one that holds its answer in the original set.
    """
    whole = lines(data / "wiki_rag/documents.jsonl")
    sizes: Counter[str] = Counter()
    for document in whole:
        sizes[document["title"]] += len(document["text"])
    chosen = sorted(sizes, key=lambda title: (sizes[title], title))[:ARTICLES]
    parts_of = _cut([document for document in whole if document["title"] in chosen])
    train, test = (
        list(_in_passages(lines(data / f"wiki_rag/{name}.jsonl"), parts_of))
        for name in ("train", "test")
    )
    documents = [part for parts in parts_of.values() for part in parts]
    goal = "Name the encyclopedia article that answers the question."
    return Given(goal, sorted(chosen), train, test, documents)


def filings(data: Path) -> Given:
    """Return questions on annual reports, whose answer is the company that reports.

    The reports are those with the most questions; a paragraph or table is read whole, under the
    invented name of its company. Long ones, which are costly to read, are left out.
    """
    texts = lines(data / "finance_qa/documents.jsonl")
    short = {text["id"]: text for text in texts if len(text["text"].split()) <= MOST_WORDS}
    rows = [
        row
        for name in ("train", "test")
        for row in lines(data / f"finance_qa/{name}.jsonl")
        if row["doc_ids"][0] in short
    ]
    counts = Counter(_report(row["doc_ids"][0]) for row in rows)
    chosen = sorted(sorted(counts, key=lambda report: (-counts[report], report))[:REPORTS])
    name_of = {report: f"{name} Holdings" for report, name in zip(chosen, COMPANIES, strict=True)}
    documents = [
        {"id": name, "title": name_of[report], "text": text["text"]}
        for name, text in short.items()
        if (report := _report(name)) in name_of
    ]
    kept = [
        {**row, "target": name_of[report]}
        for row in rows
        if (report := _report(row["doc_ids"][0])) in name_of
    ]
    Random(0).shuffle(kept)
    return Given(
        goal="Name the company whose report answers the query.",
        labels=sorted(name_of.values()),
        train=kept[:FILINGS_TRAIN],
        test=kept[FILINGS_TRAIN:],
        documents=documents,
        wording=("Query", "Company"),
        ticket=("Query log", "A client wrote: {question} Still open."),
        wrapped="Our best guess would be {target}; please check.",
    )


PIPELINES = {"handbook": handbook, "encyclopedia": encyclopedia, "filings": filings}


def _report(document_id: str) -> str:
    return document_id.split("-")[0]


def _cut(documents: Rows) -> dict[str, Rows]:
    """Return document id -> its passages."""
    import semchunk

    parts_of = {}
    for document in documents:
        texts = semchunk.chunk(document["text"], PASSAGE_WORDS, lambda text: len(text.split()))
        parts_of[document["id"]] = [
            {"id": f"{document['id']}-{at}", "title": document["title"], "text": text}
            for at, text in enumerate(texts)
        ]
    return parts_of


def _in_passages(rows: Rows, parts_of: dict[str, Rows]) -> Iterator[dict[str, Any]]:
    """Yield the rows whose answer stands in a passage, with the title as their target."""
    for row in rows:
        parts = parts_of.get(row["doc_ids"][0], [])
        right = [part["id"] for part in parts if row["target"] in part["text"]]
        if right:
            yield {**row, "target": parts[0]["title"], "doc_ids": right}


def write(folder: Path, given: Given) -> Path:
    """Write a task with its archive of tickets; return its file.

    The stronger model is the base itself under another name: in the healthy pipeline it holds the
    skill, so it can tell a weak model from a wrong target.
    """
    title, text = given.ticket
    tickets = [
        {"id": f"ticket-{r['id']}", "title": title, "text": text.format(question=r["input"])}
        for r in (*given.train, *given.test)
    ]
    documents = [*given.documents, *tickets]
    files = {"train": given.train, "test": given.test, "documents": documents}
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": folder.name,
        "goal": given.goal,
        "data": {name: f"{name}.jsonl" for name in files},
        "answer": {"type": "label", "labels": list(given.labels)},
        "score": "exact_match",
        "gate": {"min_score": GATE, "confidence": CONFIDENCE},
        "models": {"base": BASE, "teacher": f"hf:{bundled_folder(BASE.partition(':')[2])}"},
    }
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
    return folder / "task.yaml"


def healthy(given: Given) -> Candidate:
    """Return the pipeline that is broken: three texts, and the label log-likelihood."""
    return Candidate(
        rung="rag",
        description="healthy",
        model=BASE,
        wording=given.wording,
        with_goal=False,
        decoding="scored",
        retrieval=Retrieval(source="documents", k=3),
    )
