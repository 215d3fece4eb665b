"""Search a task's documents and training examples, once for each question.

A search goes deep and is cached; how many texts are put in the context, whether repeats are left
out, which model orders them anew: every setting is made from what that one search found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from ladder.engines import model_folder
from ladder.errors import DataError, Problem
from ladder.evidence import Retrieval
from ladder.files import digest_of
from ladder.language.stems import NO_LANGUAGE, VERSION, language_of
from ladder.models.cache import Cache, Forgetful
from ladder.progress import Watch
from ladder.retrieval.pool import Pool, in_order, ways
from ladder.retrieval.rerank import PairScores, files_digest
from ladder.retrieval.search import Index, Ranking, Way, make_index
from ladder.retrieval.stores.store import StoredIndex, open_store, ranked_by, stays_here
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.task import Task

DEPTH = 100
SHOWN_DEPTH = 1 + DEPTH
"""A training example finds itself among the training examples."""

Source = Literal["documents", "examples"]
MakeIndex = Callable[[Sequence[str], Way, Path | None, str | None], Index]


class Retriever:
    """Finds the documents and the training examples that are nearest to a question."""

    def __init__(
        self,
        task: Task,
        data: Data,
        cache: Cache,
        watch: Watch,
        make: MakeIndex = make_index,
        *,
        stored: bool = True,
    ) -> None:
        """Search nothing yet.

        Args:
            task: names the models, and the store if there is one.
            data: documents and training examples.
            cache: keeps what was found.
            watch: sees progress.
            make: makes an index.
            stored: search in the task's store, where it names one.
        """
        self.task = task
        self.data = data
        self.cache = cache
        self.watch = watch
        self.make = make
        self.stored = bool(stored and task.data.store)
        self._indexes: dict[tuple[Source, Way], Index] = {}
        self._found: dict[tuple[Source, Way], dict[str, Ranking]] = {}
        self._pools: dict[tuple[Source, str], Pool] = {}

    @cached_property
    def texts(self) -> dict[Source, list[str]]:
        """What is searched in."""
        return searched_texts(self.data)

    @cached_property
    def read_texts(self) -> dict[Source, list[str]]:
        """What of them is put in context: without titles."""
        documents = [document.text for document in self.data.documents]
        return {"documents": documents, "examples": self.texts["examples"]}

    def prepare(self, retrieval: Retrieval | None, samples: Sequence[Sample]) -> None:
        """Search once for all samples that a candidate will be asked about."""
        for source in sources(retrieval):
            assert retrieval is not None
            for way in ways(retrieval.method):
                known = self._found.setdefault((source, way), {})
                missing = [sample for sample in samples if sample.id not in known]
                if missing:
                    known |= self.search(source, way, missing)
            if retrieval.rerank:
                self._rerank(retrieval, source, samples)

    def nearest(self, retrieval: Retrieval, source: Source, sample: Sample) -> list[int]:
        """Return positions of the documents or training examples to hand over, best first."""
        self.prepare(retrieval.but(source=source), [sample])
        return self._pool(retrieval, source, sample).select(retrieval)

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

    def _pool(self, retrieval: Retrieval, source: Source, sample: Sample) -> Pool:
        """Return what was found for a question; it grows by the ways that are asked for."""
        key = (source, sample.id)
        found = {way: self._found[source, way][sample.id] for way in ways(retrieval.method)}
        if key not in self._pools:
            self._pools[key] = Pool({}, self.read_texts[source].__getitem__)
        self._pools[key].found.update(found)
        return self._pools[key]

    def search(self, source: Source, way: Way, samples: Sequence[Sample]) -> dict[str, Ranking]:
        """Search and keep the result: it depends on the texts and the queries alone."""
        queries = [sample.input for sample in samples]

        def compute() -> list[Ranking]:
            return self._index(source, way).search(queries, SHOWN_DEPTH)

        about = [source, way, self.about, digest_of(queries)]
        # A store is brought up to date whenever an assessment searches it: nothing is remembered.
        anew = self.stored and source == "documents"
        found = compute() if anew else self.cache.remember("found", about, compute)
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
        ranked = place and [place, ranked_by(place)]
        named = (self.task.models.embedding, self.task.models.reranker)
        folders = [self._folder(name) for name in named]
        models = [folder and files_digest(folder) for folder in folders]
        stems = [VERSION, *self.languages.values()]
        return [made, ranked, digest_of(self.texts), models, stems]

    @cached_property
    def languages(self) -> dict[Source, str]:
        """Whose stems a search by words goes by."""
        return searched_languages(self.task, self.texts)

    def _index(self, source: Source, way: Way) -> Index:
        if (source, way) not in self._indexes:
            embedder = self._folder(self.task.models.embedding)
            if self.stored and source == "documents":
                self._indexes[source, way] = self._stored_index(way, embedder)
            else:
                needed = embedder if way == "dense" else None
                language = self.languages[source]
                self._indexes[source, way] = self.make(self.texts[source], way, needed, language)
        return self._indexes[source, way]

    def _stored_index(self, way: Way, embedder: Path | None) -> Index:
        ids = [document.id for document in self.data.documents]
        if len(set(ids)) < len(ids):
            again = next(doc_id for doc_id in ids if ids.count(doc_id) > 1)
            got, fix = f"the id `{again}` for a document and for a passage", "Rename the document."
            where = f"{self.task.source}: data.documents"
            raise DataError([Problem(where, got, "one", fix)])
        place, name = str(self.task.data.store), self.task.name
        language = self.languages["documents"]
        open_it = partial(open_store, place, name, embedder, self.task.folder, language)
        return StoredIndex(open_it, dict(zip(ids, self.texts["documents"], strict=True)), way)

    def _folder(self, model: str | None) -> Path | None:
        return model_folder(model, self.task.folder) if model else None

    @cached_property
    def pair_scores(self) -> PairScores | None:
        """What the task's cross-encoder says, if it names one."""
        folder = self._folder(self.task.models.reranker)
        return PairScores(folder, self.cache, self.watch) if folder else None

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

    def forget(self, samples: Sequence[Sample]) -> None:
        """Let go of what was found for samples: others of the same ids are searched for anew."""
        for sample in samples:
            for (source, _), known in self._found.items():
                known.pop(sample.id, None)
                self._pools.pop((source, sample.id), None)

    def anew(self) -> Retriever:
        """Return the same retriever with nothing found yet, to be timed.

        Its indexes are the same: an application builds them once, too.
        """
        fresh = copy(self)
        fresh.cache = Forgetful()
        fresh._found, fresh._pools = {}, {}
        return fresh


def searched_texts(data: Data) -> dict[Source, list[str]]:
    """Return the texts of each source that a search reads: documents with their titles."""
    documents = [f"{document.title} {document.text}" for document in data.documents]
    return {"documents": documents, "examples": [row.input for row in data.train]}


def searched_languages(task: Task, texts: dict[Source, list[str]]) -> dict[Source, str]:
    """Return whose stems a search by words goes by: ISO 639-1 codes, or none where it is unclear.

    What the task names, else what a source's texts show, else what all texts show.
    """
    every = [text for source in texts.values() for text in source]
    return {
        source: task.data.language or language_of(own) or language_of(every) or NO_LANGUAGE
        for source, own in texts.items()
    }


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
