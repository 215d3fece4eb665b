"""The texts that a climb may read: documents and training rows, searched once for each question.

A search goes deep and is kept; how many texts are handed over, whether repeats are left out, which
model orders them anew: every setting is made from what that one search found.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from ladder.engines import model_folder
from ladder.engines.cache import Cache, Forgetful
from ladder.errors import DataError, Problem
from ladder.evidence import Retrieval
from ladder.files import digest_of
from ladder.hardware import hardware
from ladder.progress import Watch
from ladder.retrieval.compress import cut_for, rarity, sentences, share_of_words, shortened
from ladder.retrieval.packing import merged, ordered, within
from ladder.retrieval.pool import Pool, in_order, ways
from ladder.retrieval.rerank import PairScores, files_digest
from ladder.retrieval.search import Index, Ranking, Way, make_index, words
from ladder.retrieval.stores.store import StoredIndex, open_store, stays_here
from ladder.samples.data import Data
from ladder.samples.rows import Document, Sample
from ladder.task import Task

DEPTH = 100
SHOWN_DEPTH = 1 + DEPTH
"""A training row finds itself among the training rows."""
TIMED_QUERIES = 10
LEAST_TELLING, MOST_HOLDING = 4, 5
"""Characters of an answer, and passages in which it may stand, where a row names no document."""
KNOWN_ROWS = 300
"""Training rows from which the cut of `compress` is set."""

BLANK = "This line was left blank. "

Source = Literal["documents", "examples"]
MakeIndex = Callable[[Sequence[str], Way, Path | None], Index]


class Library:
    """What a task's candidates read."""

    def __init__(
        self,
        task: Task,
        data: Data,
        store: Cache,
        watch: Watch,
        make: MakeIndex = make_index,
        *,
        stored: bool = True,
    ) -> None:
        """Read nothing yet.

        Args:
            task: names the models, and the store if there is one.
            data: documents and training rows.
            store: keeps what was found.
            watch: sees progress.
            make: makes an index.
            stored: search in the task's store, where it names one.
        """
        self.task = task
        self.data = data
        self.store = store
        self.watch = watch
        self.make = make
        self.stored = bool(stored and task.data.store)
        self._indexes: dict[tuple[Source, Way], Index] = {}
        self._found: dict[tuple[Source, Way], dict[str, Ranking]] = {}
        self._pools: dict[tuple[Source, str], Pool] = {}

    @cached_property
    def passages_of(self) -> dict[str, list[Document]]:
        """Document id -> its passages; a document that is read whole is its own one."""
        found: dict[str, list[Document]] = {}
        for document in self.data.documents:
            found.setdefault(document.source, []).append(document)
        return found

    @cached_property
    def texts(self) -> dict[Source, list[str]]:
        """What is searched in."""
        documents = [f"{document.title} {document.text}" for document in self.data.documents]
        return {"documents": documents, "examples": [row.input for row in self.data.train]}

    @cached_property
    def read_texts(self) -> dict[Source, list[str]]:
        """What is handed over of them, without titles."""
        documents = [document.text for document in self.data.documents]
        return {"documents": documents, "examples": self.texts["examples"]}

    def right_passages(self, sample: Sample) -> list[Document]:
        """Return the passage of each known right document that most likely holds the answer.

        That is one with the target in it, else the one that shares most words with both texts.
        Where the row names no document, what most likely holds the answer.
        """
        if not sample.doc_ids:
            return self._holding(sample)
        known = [self.passages_of[name] for name in sample.doc_ids if name in self.passages_of]
        asked = set(f"{sample.input} {sample.target}".casefold().split())

        def likely(passage: Document) -> tuple[bool, int]:
            text = passage.text.casefold()
            return sample.target.casefold() in text, len(asked & set(text.split()))

        return [max(parts, key=likely) for parts in known]

    def _holding(self, sample: Sample) -> list[Document]:
        """Return what stands in for a right document where the row names none.

        That is the passage that a search for question and answer together finds first, of those in
        which the answer stands word for word; none where the answer is too short, or stands in too
        many, to tell.
        """
        telling = self.task.answer.type in ("text", "number") and (
            len(sample.target) >= LEAST_TELLING
        )
        if not telling or not self.data.documents:
            return []
        both = replace(sample, input=f"{sample.input} {sample.target}")
        said = re.compile(rf"(?<!\w){re.escape(sample.target)}(?!\w)", re.IGNORECASE)
        found = [
            self.data.documents[at]
            for at, _ in self._search("documents", "bm25", [both])[sample.id]
            if said.search(self.data.documents[at].text)
        ]
        return found[:1] if len(found) <= MOST_HOLDING else []

    def prepare(self, retrieval: Retrieval | None, samples: Sequence[Sample]) -> None:
        """Search once for all samples that a candidate will be asked about."""
        for source in sources(retrieval):
            assert retrieval is not None
            for way in ways(retrieval.method):
                known = self._found.setdefault((source, way), {})
                missing = [sample for sample in samples if sample.id not in known]
                if missing:
                    known |= self._search(source, way, missing)
            if retrieval.rerank:
                self._rerank(retrieval, source, samples)

    def nearest(self, retrieval: Retrieval, source: Source, sample: Sample) -> list[int]:
        """Return positions of the documents or training rows to hand over, best first."""
        self.prepare(retrieval.but(source=source), [sample])
        return self._pool(retrieval, source, sample).select(retrieval)

    def documents(
        self,
        retrieval: Retrieval,
        sample: Sample,
        size: Callable[[str], int],
        room: int | None = None,
    ) -> list[Document]:
        """Return the documents to put before a question, in the order in which they are read.

        Args:
            retrieval: how they are chosen.
            sample: the question.
            size: tokens of a text.
            room: characters that fit into the model's context; None: as many as there are.
        """
        if retrieval.source == "gold":
            right = self.right_passages(sample)
            best_first = [*right, *self._beside(retrieval, sample, retrieval.k - len(right))]
        else:
            places = self.nearest(retrieval, "documents", sample)
            best_first = [self.data.documents[at] for at in places]
        # Passages are counted before they are joined, so that one long join does not end the list;
        # and joined before sentences go, while they still know where they stand.
        if retrieval.most_tokens is not None:
            best_first = within(best_first, retrieval.most_tokens, size)
        if room is not None:
            best_first = within(best_first, room, len)
        best_first = merged(best_first)
        if retrieval.compress and self.cut is not None:
            parts = [part for document in best_first for part in sentences(document.text)]
            best_first = shortened(best_first, self._score_sentences(sample.input, parts), self.cut)
        return ordered(best_first, retrieval.order)

    def _beside(self, retrieval: Retrieval, sample: Sample, count: int) -> list[Document]:
        """Return what stands beside the gold documents.

        That is what the search finds most like them, or as many words that say nothing.
        """
        if retrieval.beside == "nothing" or count < 1:
            return []
        searched = Retrieval(source="documents", method=retrieval.method, k=1)
        found = [
            self.data.documents[at]
            for at in self.ranked(searched, "documents", sample)
            if self.data.documents[at].source not in sample.doc_ids
        ][:count]
        if retrieval.beside == "distractors":
            return found
        return [replace(document, title="", text=_filler(document)) for document in found]

    def found(self, retrieval: Retrieval, source: Source, sample: Sample) -> set[int]:
        """Return positions of the texts that a search found: not those it only lists.

        By words nothing is found that shares none with the question.
        """
        self.prepare(retrieval.but(source=source), [sample])
        rankings = self._pool(retrieval, source, sample).found
        return {
            at
            for way in ways(retrieval.method)
            for at, score in rankings[way]
            if way == "dense" or score > 0
        }

    def ranked(self, retrieval: Retrieval, source: Source, sample: Sample) -> list[int]:
        """Return positions of everything a search found, best first, before any selection."""
        return [at for at, _ in self.candidates(retrieval, source, sample)]

    def candidates(
        self, retrieval: Retrieval, source: Source, sample: Sample
    ) -> list[tuple[int, float]]:
        """Return everything a search found, best first, with the score of its first way."""
        self.prepare(retrieval.but(source=source), [sample])
        found = self._pool(retrieval, source, sample).found
        scores = dict(found[ways(retrieval.method)[0]])
        return [(at, scores.get(at, 0.0)) for at in in_order(found, retrieval)]

    def seconds(self, retrieval: Retrieval | None, samples: Sequence[Sample]) -> float:
        """Return the mean seconds that a question's search takes by itself, with all its steps."""
        if not sources(retrieval) or not samples:
            return 0.0
        timed = samples[:TIMED_QUERIES]
        assert retrieval is not None
        about = [retrieval.model_dump(), [row.id for row in timed], self.about, hardware()]

        def compute() -> float:
            self.search_anew(retrieval, timed[0])  # builds the index
            started = time.perf_counter()
            for sample in timed:
                self.search_anew(retrieval, sample)
            return (time.perf_counter() - started) / len(timed)

        return float(self.store.remember("search time", about, compute))

    def search_anew(self, retrieval: Retrieval | None, sample: Sample) -> None:
        """Do all that a question's search takes, whatever is kept of it: to be timed."""
        anew = copy(self)  # with the same indexes: an application builds them once, too
        anew.store = Forgetful()
        anew._found, anew._pools = {}, {}
        for source in sources(retrieval):
            assert retrieval is not None
            if source == "documents":
                anew.documents(retrieval, sample, len)
            else:
                anew.nearest(retrieval, source, sample)

    def _pool(self, retrieval: Retrieval, source: Source, sample: Sample) -> Pool:
        """Return what was found for a question; it grows by the ways that are asked for."""
        key = (source, sample.id)
        found = {way: self._found[source, way][sample.id] for way in ways(retrieval.method)}
        if key not in self._pools:
            self._pools[key] = Pool({}, self.read_texts[source].__getitem__)
        self._pools[key].found.update(found)
        return self._pools[key]

    def _search(self, source: Source, way: Way, samples: Sequence[Sample]) -> dict[str, Ranking]:
        """Search and keep the result: it depends on the texts and the queries alone."""
        queries = [sample.input for sample in samples]

        def compute() -> list[Ranking]:
            return self._index(source, way).search(queries, SHOWN_DEPTH)

        about = [source, way, self.about, digest_of(queries)]
        # A store is brought up to date whenever an assessment searches it: nothing is remembered.
        anew = self.stored and source == "documents"
        found = compute() if anew else self.store.remember("found", about, compute)
        rankings = {}
        for sample, ranking in zip(samples, found, strict=True):
            pairs = [(int(at), float(score)) for at, score in ranking]
            if source == "examples":  # never the row itself
                pairs = [pair for pair in pairs if self.data.train[pair[0]].id != sample.id]
            rankings[sample.id] = pairs[:DEPTH]
        return rankings

    @cached_property
    def about(self) -> list[object]:
        """What every search depends on."""
        made = getattr(self.make, "__name__", str(self.make))
        place = self.task.data.store if self.stored else None
        named = (self.task.models.embedding, self.task.models.reranker)
        folders = [self._folder(name) for name in named]
        models = [folder and files_digest(folder) for folder in folders]
        return [made, place, digest_of(self.texts), models]

    def _index(self, source: Source, way: Way) -> Index:
        if (source, way) not in self._indexes:
            embedder = self._folder(self.task.models.embedding)
            if self.stored and source == "documents":
                self._indexes[source, way] = self._stored_index(way, embedder)
            else:
                needed = embedder if way == "dense" else None
                self._indexes[source, way] = self.make(self.texts[source], way, needed)
        return self._indexes[source, way]

    def _stored_index(self, way: Way, embedder: Path | None) -> Index:
        ids = [document.id for document in self.data.documents]
        if len(set(ids)) < len(ids):
            again = next(doc_id for doc_id in ids if ids.count(doc_id) > 1)
            got, fix = f"the id `{again}` for a document and for a passage", "Rename the document."
            where = f"{self.task.source}: data.documents"
            raise DataError([Problem(where, got, "one", fix)])
        place, name = str(self.task.data.store), self.task.name
        open_it = partial(open_store, place, name, embedder, self.task.folder)
        return StoredIndex(open_it, dict(zip(ids, self.texts["documents"], strict=True)), way)

    def _folder(self, model: str | None) -> Path | None:
        return model_folder(model, self.task.folder) if model else None

    @cached_property
    def pair_scores(self) -> PairScores | None:
        """What the task's cross-encoder says, if it names one."""
        folder = self._folder(self.task.models.reranker)
        return PairScores(folder, self.store, self.watch) if folder else None

    def _rerank(self, retrieval: Retrieval, source: Source, samples: Sequence[Sample]) -> None:
        """Score the pairs that the settings ask for and nobody has scored."""
        if self.pair_scores is None:
            return
        texts = self.read_texts[source]
        pairs = [
            (sample, at)
            for sample in samples
            for at in self._pool(retrieval, source, sample).first(retrieval, retrieval.rerank)
            if at not in self._pool(retrieval, source, sample).reranked
        ]
        scores = self.pair_scores.of([(sample.input, texts[at]) for sample, at in pairs])
        for (sample, at), score in zip(pairs, scores, strict=True):
            self._pool(retrieval, source, sample).reranked[at] = score

    @property
    def cuts(self) -> bool:
        """Tell whether `compress` would leave anything out."""
        reranked = self.pair_scores is not None  # its scores may be below 0
        return self.cut is not None and (self.cut > 0 or reranked)

    @cached_property
    def cut(self) -> float | None:
        """The score below which a sentence is left out, set on training rows; None: unknown."""
        useful = []
        for sample in self.data.train[:KNOWN_ROWS]:
            for document in self.right_passages(sample):
                holding = [
                    sentence
                    for sentence in sentences(document.text)
                    if sample.target.casefold() in sentence.casefold()
                ]
                if holding:
                    useful.append(max(self._score_sentences(sample.input, holding).values()))
        return cut_for(useful)

    def _score_sentences(self, query: str, parts: Sequence[str]) -> dict[str, float]:
        """Score sentences for a query: by the reranker where there is one, else by words."""
        if self.pair_scores is not None:
            scores = self.pair_scores.of([(query, part) for part in parts])
            return dict(zip(parts, scores, strict=True))
        asked, *own = (set(found) for found in words([query, *parts]))
        return {
            part: share_of_words(asked, has, self._rarity)
            for part, has in zip(parts, own, strict=True)
        }

    @cached_property
    def _rarity(self) -> dict[str, float]:
        return rarity(words(self.texts["documents"]))


def _filler(document: Document) -> str:
    """Return as many characters as a document has, that say nothing."""
    size = len(document.title) + len(document.text)
    return (BLANK * (size // len(BLANK) + 1))[:size]


def sources(retrieval: Retrieval | None) -> tuple[Source, ...]:
    """Return what a candidate searches."""
    found: dict[str, tuple[Source, ...]] = {
        "documents": ("documents",),
        "examples": ("examples",),
        "both": ("documents", "examples"),
    }
    return found.get(retrieval.source, ()) if retrieval else ()


def may_be_kept(task: Task) -> bool:
    """Tell whether the documents may be sent to the task's store, if it has one."""
    place = task.data.store
    return place is None or task.rules.data_may_leave or stays_here(place)
