"""What a candidate reads of what was found: packed, cut, and the right documents. No model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benches import with_data
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.diagnosis.changes import oracle
from ladder.evidence import Candidate, Retrieval
from ladder.progress import Quiet
from ladder.retrieval.reading import BLANK, Reader
from ladder.retrieval.retriever import Retriever
from ladder.rungs.protocol import Bench
from ladder.samples.rows import Document, Sample
from ladder.task import AnswerForm, load_task

CANDIDATE = Candidate(
    rung="rag",
    description="four documents",
    model="bundled:smollm2-135m",
    retrieval=Retrieval(source="documents"),
)


@pytest.fixture
def bench(tmp_path) -> Bench:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_bench(task, tmp_path, Quiet())


def size(text: str) -> int:
    return len(text.split())


class Counted:
    """Counts searches; finds what the real index finds."""

    searches = 0

    def __init__(self, *given) -> None:
        from ladder.retrieval.search import make_index

        self.inner = make_index(*given)

    def search(self, queries, depth):
        Counted.searches += 1
        return self.inner.search(queries, depth)


def test_gold_with_something_beside_it(bench):
    row = next(row for row in bench.data.gate if row.doc_ids)

    def read(**how):
        return bench.evaluator.reader.documents(Retrieval(source="gold", k=3, **how), row, size)

    (right,) = read()
    assert right.source in row.doc_ids
    real = read(beside="distractors")
    assert real[-1] == right
    assert len(real) == 3
    assert all(document.source not in row.doc_ids for document in real[:-1])
    filler = read(beside="filler", order="best first")
    assert filler[0] == right
    assert all((BLANK * 99).startswith(document.text) for document in filler[1:])
    lengths = [len(d.title) + len(d.text) for d in filler[1:]]
    assert sorted(lengths) == sorted(len(d.title) + len(d.text) for d in real[:-1])
    assert read(beside="filler", order="best in the middle")[1] == right


@pytest.mark.slow
def test_where_rows_name_no_document_the_answers_own_words_do(public_data, tmp_path):
    task = load_task(ROOT / "evalsets/public/wiki_rag.yaml", public_data)
    bench = open_bench(task, tmp_path, Quiet())
    known = [row for row in bench.data.gate if row.doc_ids][:60]
    guessed = {
        row: bench.evaluator.reader.right_passages(replace(row, doc_ids=())) for row in known
    }
    made = {row: each for row, each in guessed.items() if each}
    assert len(made) >= 0.8 * len(known)
    right = [any(p.source in row.doc_ids for p in each) for row, each in made.items()]
    assert sum(right) >= 0.95 * len(made)
    nowhere = replace(known[0], doc_ids=(), target="an answer that stands nowhere")
    assert bench.evaluator.reader.right_passages(nowhere) == []
    assert bench.evaluator.reader.right_passages(replace(nowhere, target="the")) == []
    nameless = tuple(replace(row, doc_ids=()) for row in known)
    unnamed = with_data(bench, gate=nameless, dev=())
    assert oracle(unnamed.evaluator, CANDIDATE) is not None
    unknown = with_data(unnamed, gate=(nowhere,))
    assert oracle(unknown.evaluator, CANDIDATE) is None


def test_labels_stand_in_any_text_and_tell_nothing(bench):
    rows = [replace(row, doc_ids=()) for row in bench.data.gate[:20]]
    assert bench.evaluator.reader.right_passages(rows[0]) == []


def test_the_budget_leaves_the_best(bench):
    row = bench.data.gate[0]
    all_three = bench.evaluator.reader.documents(Retrieval(source="documents", k=3), row, size)
    most = size(f"{all_three[-1].title} {all_three[-1].text}")
    how = Retrieval(source="documents", k=3, most_tokens=most)
    assert bench.evaluator.reader.documents(how, row, size) == all_three[-1:]


def test_compression_keeps_the_answer_for_most_rows(bench):
    """The cut is set on training examples; of other rows it keeps what it promises."""
    reader = bench.evaluator.reader
    assert reader.cut is not None
    kept = total = 0
    for row in bench.data.gate:
        how = Retrieval(source="gold", k=1)
        before = reader.documents(how, row, size)
        after = reader.documents(how.model_copy(update={"compress": True}), row, size)
        if any(row.target in document.text for document in before):
            total += 1
            kept += any(row.target in document.text for document in after)
    assert total > 100
    assert kept / total > 0.9


def test_searching_takes_time_that_is_measured(bench):
    rows = bench.data.gate[:5]
    seconds = bench.evaluator.reader.seconds(Retrieval(source="documents", k=3), rows)
    assert 0 < seconds < 5
    assert bench.evaluator.reader.seconds(None, rows) == 0
    assert bench.evaluator.reader.seconds(Retrieval(source="gold"), rows) == 0


def test_a_budget_is_kept_before_passages_are_joined(bench):
    """Sixteen passages of one long document join to one text: what fits of it is put in context."""
    long = " ".join(f"Word{at} about the ferry and the harbour." for at in range(3000))
    whole = replace(bench.data.documents[0], id="long", title="", text=long)
    parts = tuple(
        replace(whole, id=f"long#{at}", text=long[at : at + 900], start=at, cut_from="long")
        for at in range(0, 14_400, 850)
    )
    reader = with_data(bench, documents=parts).evaluator.reader
    row = replace(bench.data.gate[0], input="the ferry and the harbour")
    handed = reader.documents(Retrieval(source="documents", k=16), row, size, room=4000)
    assert 2000 < sum(len(document.text) for document in handed) <= 4000


def test_sentences_go_after_passages_are_joined(bench):
    """A shortened passage no longer knows where it stands: joined then, it would lose the rest."""
    first = "The ferry leaves at nine. Nothing here. " + "The middle says it all. "
    second = "The middle says it all. Zebras graze. The harbour desk answers."
    text = first + second[len("The middle says it all. ") :]
    whole = replace(bench.data.documents[0], id="d", title="", text=text)
    parts = (
        replace(whole, id="d#1", text=first, start=0, cut_from="d"),
        replace(whole, id="d#2", text=second, start=len(first) - 24, cut_from="d"),
    )
    reader = with_data(bench, documents=parts).evaluator.reader
    reader.cut = 0.01  # whatever shares a word with the question stays
    row = replace(bench.data.gate[0], input="ferry middle harbour")
    how = Retrieval(source="documents", k=2, compress=True)
    (left,) = reader.documents(how, row, size)
    assert left.text.split(".")[:-1] == [
        "The ferry leaves at nine",
        " The middle says it all",
        " The harbour desk answers",
    ]


def test_what_is_timed_is_done_again_and_leaves_no_trace(bench):
    """Nothing kept is used, and nothing is kept: the same question costs the same again."""
    Counted.searches = 0
    retriever = Retriever(bench.task, bench.data, bench.evaluator.models.cache, Quiet(), Counted)
    row, how = bench.data.gate[0], Retrieval(source="documents", k=3)
    found = retriever.nearest(how, "documents", row)
    assert Counted.searches == 1
    for times in (2, 3):
        Reader(retriever).search_anew(how, row)
        assert Counted.searches == times
    assert retriever.nearest(how, "documents", row) == found
    assert Counted.searches == 3


@pytest.mark.parametrize(
    ("line", "asked", "named"),
    [
        ("{}公司的仓库位于北京，联系电话为{}。", "{}的电话是多少？", "秋岁收"),
        ("คลังสินค้าของ{}อยู่ที่กรุงเทพ โทร {}", "{}โทรอะไร", "มะลิ"),
        ("창고 {}의 전화는 {}입니다.", "{}의 전화는?", "가람"),
    ],
)
def test_without_doc_ids_the_answer_is_found_in_every_script(bench, line, asked, named):
    documents = tuple(
        Document(id=f"d{at}", title="", text=line.format(f"{named}{at}", 73770000 + at))
        for at in range(9)
    )
    row = Sample(id="r", input=asked.format(f"{named}7"), target="73770007")
    task = bench.task.model_copy(update={"answer": AnswerForm(type="text")})
    data = replace(bench.data, documents=documents)
    reader = Reader(Retriever(task, data, bench.evaluator.models.cache, Quiet()))
    assert [document.id for document in reader.right_passages(row)] == ["d7"]
    shortest = replace(row, target="北京" if named == "秋岁收" else "ไม่")
    assert reader.right_passages(shortest) == [], "it stands in too many, or is too short"
