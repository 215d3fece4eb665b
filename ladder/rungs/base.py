"""What a rung is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from ladder.economy.asked import together
from ladder.economy.prices import listed_prices
from ladder.engines import Completion, model_folder, open_engine
from ladder.engines.base import Abilities
from ladder.engines.bundled import first_use
from ladder.engines.cache import CachedEngine, Store
from ladder.errors import DataError, Problem, SpendLimitError, TaskError
from ladder.evidence import Asked, Attempt, Build, Candidate, Retrieval
from ladder.files import digest_of
from ladder.report.watch import Quiet, Watch
from ladder.retrieval.search import Method, search
from ladder.retrieval.store import open_store, search_store, stays_here
from ladder.samples.rows import Document, Graded, Sample
from ladder.samples.splits import Splits
from ladder.scorers import MODEL_SCORERS, ModelScorer, Scorer, make_scorer
from ladder.task import Prices, RungName, Task, model_parts
from ladder.training.launch import train
from ladder.training.prune import pruned_copy

RETRIEVAL_DEPTH = 16
ENGINES_KEPT = 2
"""Engines held in memory at once: a base and one built on it."""


@dataclass
class Climb:
    """One assessment under way: the task, its rows, and what has been learnt so far."""

    task: Task
    splits: Splits
    store: Store
    folder: Path
    """The run's own folder."""
    artefacts: Path
    """Trained adapters and students, each in a folder named by what made it."""
    watch: Watch = field(default_factory=Quiet)
    attempts: list[Attempt] = field(default_factory=list)
    gate_scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Rung, or `control` -> gate row -> score: what was measured on the same rows."""
    asked: Asked = field(default_factory=Asked)
    """What models were asked in this run; what was kept from earlier runs is not in it."""
    graded: tuple[Graded, ...] = ()
    """Answers that people have graded."""
    _engines: dict[tuple[str, str | None], CachedEngine] = field(default_factory=dict)
    _longest: dict[str, int | None] = field(default_factory=dict)
    _found: dict[tuple[str, str], dict[str, list[int]]] = field(default_factory=dict)

    def engine(self, model: str, adapter: str | None = None) -> CachedEngine:
        """Return the engine of a model reference, behind the cache.

        Raises:
            TaskError: the engine is not on this machine and the task keeps its data here.
        """
        key = (model, adapter)
        if key not in self._engines:
            if first_use(model):
                self.watch.say("converting the bundled model, once: about 20 s")
            opened = open_engine(model, adapter, self.task.folder)
            keep_here(self.task, model, opened)
            # A judge answers after every candidate: it must not push the next one's engine out.
            asking = [c.parameters for c in self.task.score if c.name in MODEL_SCORERS]
            judges = {str(given["model"]) for given in asking if given.get("model")}
            while len(self._engines) >= ENGINES_KEPT + len(judges):
                self._engines.pop(next(iter(self._engines)))
            self._engines[key] = CachedEngine(opened, self.store, partial(self.count, model))
        return self._engines[key]

    def engine_of(self, candidate: Candidate) -> CachedEngine:
        """Return the engine that a candidate answers with."""
        return self.engine(candidate.model, candidate.adapter)

    @cached_property
    def scorers(self) -> tuple[tuple[str, Scorer | ModelScorer], ...]:
        """The task's scorers by name; the first is the one that is gated."""
        where = f"{self.task.source}: score"
        return tuple((choice.name, make_scorer(choice, where)) for choice in self.task.score)

    @cached_property
    def train_by_id(self) -> dict[str, Sample]:
        """The training rows by id."""
        return {sample.id: sample for sample in self.splits.train}

    @cached_property
    def passages_of(self) -> dict[str, list[Document]]:
        """Document id -> its passages; a document that is read whole is its own one."""
        found: dict[str, list[Document]] = {}
        for document in self.splits.documents:
            found.setdefault(document.source, []).append(document)
        return found

    def longest_target(self, engine: CachedEngine) -> int | None:
        """Return the most tokens of a training answer, by the engine's count; None without one."""
        if engine.identity not in self._longest:
            targets = {sample.target for sample in self.splits.train[:500]}
            self._longest[engine.identity] = max(map(engine.count_tokens, targets), default=None)
        return self._longest[engine.identity]

    def right_passages(self, sample: Sample) -> list[Document]:
        """Return the passage of each known right document that most likely holds the answer.

        That is one with the target in it, else the one that shares most words with both texts.
        """
        known = [
            self.passages_of[doc_id] for doc_id in sample.doc_ids if doc_id in self.passages_of
        ]
        words = set(f"{sample.input} {sample.target}".casefold().split())

        def likely(passage: Document) -> tuple[bool, int]:
            text = passage.text.casefold()
            return sample.target.casefold() in text, len(words & set(text.split()))

        return [max(parts, key=likely) for parts in known]

    def count(self, model: str, completion: Completion) -> None:
        """Count an answer and what it cost; stop the run at the task's limit.

        Raises:
            SpendLimitError: the limit is reached. Every answer so far is kept.
        """
        self.asked = together(self.asked, self.one_call(model, completion))
        limit = self.task.rules.max_spend_usd
        if self.asked.usd > limit:
            raise SpendLimitError(
                f"spent {self.asked.usd:.2f} USD of rules.max_spend_usd {limit:g}: stopped. What "
                "was answered is kept; raise the limit and run again to go on from here."
            )

    def one_call(self, model: str, completion: Completion) -> Asked:
        """Return what an answer took, with its price where a model has one."""
        prices, usd = self.prices(model), 0.0
        if prices is not None:
            usd += completion.tokens_in * prices.input_usd_per_1m / 1e6
            usd += completion.tokens_out * prices.output_usd_per_1m / 1e6
        tokens = completion.tokens_in + completion.tokens_out
        return Asked(calls=1, tokens=tokens, seconds=completion.seconds, usd=usd)

    def prices(self, model: str) -> Prices | None:
        """Return what a model's tokens cost: as the task says, else as the public table says."""
        kind, name, place = model_parts(model)
        if kind != "openai":
            return None
        return self.task.prices or listed_prices(name, place or "")

    def base_folder(self) -> Path:
        """Return the folder of the base model's weights."""
        return model_folder(self.task.models.base, self.task.folder)

    def student_folder(self) -> Path:
        """Return the task's student, or a copy of the base with most of its layers taken out."""
        if self.task.models.student is not None:
            return model_folder(self.task.models.student, self.task.folder)
        return pruned_copy(self.base_folder(), self.artefacts)

    def train(self, recipe: Path, base: Path, rows: Sequence[Mapping[str, Any]]) -> Build:
        """Train on rows, or find what the same training has left."""
        return train(recipe, base, rows, self.artefacts, self.watch)

    def best(self) -> Attempt | None:
        """Return the measured attempt with the highest score so far."""
        measured = [attempt for attempt in self.attempts if attempt.measurement]
        return max(measured, key=_score, default=None)

    def attempt_at(self, rung: RungName) -> Attempt | None:
        """Return the attempt at a rung, if it was measured."""
        found = [a for a in self.attempts if a.rung == rung and a.measurement]
        return found[0] if found else None

    def nearest(self, retrieval: Retrieval, source: str, sample: Sample) -> list[int]:
        """Return positions of the nearest documents or training rows, best first."""
        key = (source, retrieval.method)
        known = self._found.setdefault(key, {})
        if sample.id not in known:
            self._search(retrieval, source, [sample])
        return known[sample.id][: retrieval.k]

    def prepare(self, retrieval: Retrieval | None, samples: tuple[Sample, ...]) -> None:
        """Search once for all samples that a candidate will be asked about."""
        if retrieval is None or retrieval.source == "gold":
            return
        sources = ("documents", "examples") if retrieval.source == "both" else (retrieval.source,)
        for source in sources:
            known = self._found.setdefault((source, retrieval.method), {})
            missing = [sample for sample in samples if sample.id not in known]
            if missing:
                self._search(retrieval, source, missing)

    def _search(self, retrieval: Retrieval, source: str, samples: list[Sample]) -> None:
        """Search and keep the result: it depends on the texts and the queries alone."""
        if source == "documents":
            texts = [f"{document.title} {document.text}" for document in self.splits.documents]
            ids = [document.id for document in self.splits.documents]
        else:
            texts = [sample.input for sample in self.splits.train]
            ids = [sample.id for sample in self.splits.train]
        queries = [sample.input for sample in samples]
        embedder = self.embedder() if retrieval.method != "bm25" else None
        about = [retrieval.method, str(embedder), digest_of(texts), digest_of(queries)]

        def compute() -> list[list[int]]:
            return search(texts, queries, RETRIEVAL_DEPTH + 1, retrieval.method, embedder)

        if source == "documents" and self.task.data.store:
            found = self.search_kept(ids, texts, queries, retrieval.method)
        else:
            found = self.store.remember("search", about, compute)
        known = self._found.setdefault((source, retrieval.method), {})
        for sample, positions in zip(samples, found, strict=True):
            own = sample.id if source == "examples" else None  # never the row itself
            others = [at for at in positions if ids[at] != own]
            known[sample.id] = others[:RETRIEVAL_DEPTH]

    def search_kept(
        self, ids: list[str], texts: list[str], queries: list[str], method: Method
    ) -> list[list[int]]:
        """Search in the task's store; it is brought up to date, so nothing is remembered here.

        Raises:
            TaskError: the store is elsewhere, and rules.data_may_leave is not set.
            DataError: a document has the id of another one's passage.
        """
        place = str(self.task.data.store)
        rows = dict(zip(ids, texts, strict=True))
        if len(rows) < len(ids):
            again = next(doc_id for doc_id in ids if ids.count(doc_id) > 1)
            got, fix = f"the id `{again}` for a document and for a passage", "Rename the document."
            raise DataError([Problem(f"{self.task.source}: data.documents", got, "one", fix)])
        if not may_be_kept(self.task):
            raise TaskError([must_stay(f"{self.task.source}: data.store", place)])
        with open_store(place, self.task.name, self.embedder(), self.task.folder) as kept:
            return search_store(kept, rows, queries, RETRIEVAL_DEPTH + 1, method)

    def embedder(self) -> Path | None:
        """Return the folder of the task's embedding model, if it names one."""
        name = self.task.models.embedding
        return model_folder(name, self.task.folder) if name else None

    def base_is_local(self) -> bool:
        """Tell whether the base model's weights are on this machine."""
        return model_parts(self.task.models.base)[0] in ("bundled", "hf")


class _Able(Protocol):
    @property
    def abilities(self) -> Abilities: ...


def may_be_asked(task: Task, engine: _Able) -> bool:
    """Tell whether the rows may be sent to an engine."""
    return engine.abilities.local or task.rules.data_may_leave


def may_be_kept(task: Task) -> bool:
    """Tell whether the documents may be sent to the task's store, if it has one."""
    place = task.data.store
    return place is None or task.rules.data_may_leave or stays_here(place)


def keep_here(task: Task, model: str, engine: _Able) -> None:
    """Keep the rows on this machine unless the task lets them go.

    Raises:
        TaskError: the engine is elsewhere, and rules.data_may_leave is not set.
    """
    if not may_be_asked(task, engine):
        raise TaskError([must_stay(f"{task.source}: models", model)])


def must_stay(where: str, model: str) -> Problem:
    """Return what is wrong with a model or a store that is elsewhere."""
    fix = "Set `rules: {data_may_leave: true}` if the rows may be sent there."
    return Problem(where, f"the remote endpoint {model}", "one on this machine", fix)


def _score(attempt: Attempt) -> float:
    return attempt.measurement.score.mean if attempt.measurement else -1.0


Wave = Callable[[Climb, Candidate | None], list[Candidate]]
"""Candidates to race next, given the winner of the waves before (none at first)."""


class Rung(Protocol):
    """A way to customise: a module with these names, and a line in `rungs.LADDER`."""

    @property
    def NAME(self) -> RungName:  # noqa: N802 - a module's constant
        """The rung's name in task.yaml and in reports."""
        ...

    @property
    def WAVES(self) -> tuple[Wave, ...]:  # noqa: N802 - a module's constant
        """Groups of candidates, raced one after the other."""
        ...

    def unavailable(self, climb: Climb) -> str | None:
        """Return why this rung cannot be tried at all on this task, or None."""
        ...
