"""A handbook in one long document: searched, put in context and judged by passages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.commands.check import check_task
from ladder.engines.base import Abilities
from ladder.evaluation.retrieval_health import retrieval_health
from ladder.evidence import Candidate, Retrieval
from ladder.inference.prompts import request_for
from ladder.progress import Quiet
from ladder.rungs.protocol import Bench
from ladder.task import load_task

SOURCE = ROOT / "evalsets/r2_ferry_handbook"


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    """r2 with its documents bound into one, which every row names as the right one."""
    for name in ("train", "test"):
        rows = map(json.loads, (SOURCE / f"{name}.jsonl").read_text().splitlines())
        lines = [json.dumps({**row, "doc_ids": ["handbook"]}) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    pages = map(json.loads, (SOURCE / "documents.jsonl").read_text().splitlines())
    text = "\n\n".join(f"{page.get('title', '')}\n{page['text']}" for page in pages)
    book = {"id": "handbook", "title": "Handbook", "text": text}
    (tmp_path / "documents.jsonl").write_text(json.dumps(book))
    (tmp_path / "task.yaml").write_text((SOURCE / "task.yaml").read_text())
    return tmp_path / "task.yaml"


@pytest.fixture
def bench(task_file, tmp_path) -> Bench:
    return open_bench(load_task(task_file), tmp_path / "runs", Quiet())


class Words:
    abilities = Abilities(plain=True, context=10_000)
    identity = "words"

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    most_tokens = count_tokens


def test_check_says_how_it_is_read(task_file):
    (line,) = [line for line in check_task(task_file, None) if " train · " in line]
    assert "1 documents, read as" in line


def test_every_passage_knows_where_it_stands(bench, task_file):
    book = json.loads((task_file.parent / "documents.jsonl").read_text())["text"]
    assert len(bench.data.documents) > 5
    for passage in bench.data.documents:
        assert book[passage.start :].startswith(passage.text)
        assert passage.source == "handbook"
        assert passage.id.startswith("handbook#")


@pytest.mark.slow
def test_the_right_passage_holds_the_answer(bench):
    rows = [row for row in bench.data.gate if row.target in book_text(bench)]
    assert len(rows) > 30
    assert all(row.target in bench.evaluator.reader.right_passages(row)[0].text for row in rows)


def test_a_request_carries_passages_and_not_the_book(bench):
    row = bench.data.gate[0]
    for retrieval in (Retrieval(source="documents", k=1), Retrieval(source="gold", k=1)):
        candidate = Candidate(
            rung="rag", description="t", model="bundled:none", retrieval=retrieval
        )
        request = request_for(bench.evaluator, candidate, row, Words())
        assert 50 < len(str(request.messages or request.text).split()) < 500


def test_recall_counts_the_document_of_a_passage(bench):
    (found,) = retrieval_health(
        bench.evaluator, Retrieval(source="documents", k=1), bench.data.gate
    )
    assert found.recall[1].mean == 1


def book_text(bench: Bench) -> str:
    return " ".join(passage.text for passage in bench.data.documents)
