"""What a rung is, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ladder.artefacts.issue import OWN_CODE
from ladder.economy.cost import together
from ladder.economy.prices import listed_prices
from ladder.engines import Completion, model_folder, open_engine
from ladder.engines.bundled import first_use
from ladder.engines.cache import CachedEngine, Store
from ladder.engines.endpoint import EndpointEngine
from ladder.engines.local import LocalEngine
from ladder.engines.models import keep_here, model_name, must_stay
from ladder.engines.own_code import may_run
from ladder.engines.speed import Speed, probe, two_cores
from ladder.engines.spending import Meter, Spending
from ladder.errors import MissingExtraError, TaskError
from ladder.evidence import Asked, Attempt, Build, Candidate, Foreseen, Memory
from ladder.hardware import hardware, memory_there_mb, precision
from ladder.progress import Quiet, Watch
from ladder.retrieval.library import Library, may_be_kept
from ladder.samples.answer_schema import Schema, schema_of
from ladder.samples.rows import Graded, Sample
from ladder.samples.splits import Splits
from ladder.scorers import MODEL_SCORERS, ModelScorer, Scorer, make_scorer
from ladder.task import Prices, RungName, Task, model_parts
from ladder.training.estimate import SLOWDOWN, TOKENS_AT_ONCE, foresee, memory_mb, shape_of
from ladder.training.launch import train
from ladder.training.prune import pruned_copy
from ladder.training.recipes import Recipe
from ladder.training.trainer import texts_of
from ladder.training.vocabulary import refusal, trimmed_copy

INSTALLED_EMBEDDING = "bundled:all-minilm-l6-v2"
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

    def engine(self, model: str, adapter: str | None = None) -> CachedEngine:
        """Return the engine of a model reference, behind the cache.

        Raises:
            TaskError: the engine is not on this machine and the task keeps its data here.
        """
        key = (model, adapter)
        if key not in self._engines:
            if first_use(model):
                self.watch.say("converting the bundled model, once: about 20 s")
            allowed = may_run(self.task, model)
            opened = open_engine(model, adapter, self.task.folder, allowed)
            keep_here(self.task, model, opened)
            if isinstance(opened, EndpointEngine):
                opened.timeout_s = self.task.rules.request_timeout_s
                self._meter(model, opened)
            self._make_room()
            self._engines[key] = CachedEngine(opened, self.store, partial(self.count, model))
        return self._engines[key]

    def _make_room(self) -> None:
        """Let go of the models that were opened first; an endpoint holds no memory, and stays."""
        # A judge answers after every candidate: it must not push the next one's engine out.
        asking = [c.parameters for c in self.task.score if c.name in MODEL_SCORERS]
        named = {str(given["model"]) for given in asking if given.get("model")}
        judges = [model for model in named if model_parts(model)[0] != "openai"]
        held = [
            key
            for key, opened in self._engines.items()
            if not isinstance(opened.engine, EndpointEngine)
        ]
        for key in held[: max(0, len(held) + 1 - ENGINES_KEPT - len(judges))]:
            self._engines.pop(key)

    def engine_of(self, candidate: Candidate) -> CachedEngine:
        """Return the engine that a candidate answers with."""
        return self.engine(candidate.model, candidate.adapter)

    @cached_property
    def scorers(self) -> tuple[tuple[str, Scorer | ModelScorer], ...]:
        """The task's scorers by name; the first is the one that is gated."""
        where = f"{self.task.source}: score"
        consent = self.task.consent
        return tuple((each.name, make_scorer(each, where, consent)) for each in self.task.score)

    @cached_property
    def answer_schema(self) -> Schema | None:
        """The JSON Schema of the answers: the task's, else read off the training targets."""
        form = self.task.answer
        if form.type != "json":
            return None
        return form.json_schema or schema_of(sample.target for sample in self.splits.train)

    @cached_property
    def train_by_id(self) -> dict[str, Sample]:
        """The training rows by id."""
        return {sample.id: sample for sample in self.splits.train}

    @cached_property
    def library(self) -> Library:
        """What the candidates read.

        Raises:
            TaskError: the task's store is elsewhere, and rules.data_may_leave is not set.
        """
        if not may_be_kept(self.task):
            place = str(self.task.data.store)
            raise TaskError([must_stay(f"{self.task.source}: data.store", place)])
        return Library(self.task, self.splits, self.store, self.watch)

    def longest_target(self, engine: CachedEngine) -> int | None:
        """Return the most tokens of a training answer, by the engine's count; None without one."""
        if engine.identity not in self._longest:
            targets = {sample.target for sample in self.splits.train[:500]}
            self._longest[engine.identity] = max(map(engine.count_tokens, targets), default=None)
        return self._longest[engine.identity]

    def count(self, model: str, completion: Completion) -> None:
        """Count an answer and what it cost, also one without text that was billed.

        Raises:
            SpendLimitError: the limit is passed. Every answer so far is kept.
        """
        call = self.one_call(model, completion)
        self.asked = together(self.asked, call)
        self.spending.add(call.usd)

    @cached_property
    def spending(self) -> Spending:
        """What the task has paid, and may pay."""
        return Spending(self.store, self.task.name, self.task.rules.max_spend_usd)

    def _meter(self, model: str, engine: EndpointEngine) -> None:
        """Have an endpoint's requests checked against the limit before they are sent."""
        prices = self.prices(model)
        if prices is not None:
            meter = Meter(self.spending, prices, engine.count_tokens)
            engine.ahead, engine.ended = meter.ahead, meter.ended
        elif not engine.abilities.local:
            self.watch.say(
                f"no price is known for {model_name(model)}: rules.max_spend_usd cannot be held; "
                "give `prices:` in the task file"
            )

    def one_call(self, model: str, completion: Completion) -> Asked:
        """Return what an answer took, with its price where a model has one."""
        prices, usd = self.prices(model), 0.0
        lost_in, lost_out = completion.lost_tokens
        tokens_in, tokens_out = completion.tokens_in + lost_in, completion.tokens_out + lost_out
        if prices is not None:
            usd += tokens_in * prices.input_usd_per_1m / 1e6
            usd += tokens_out * prices.output_usd_per_1m / 1e6
        tokens = tokens_in + tokens_out
        errors = {completion.kind or "error": 1} if completion.error is not None else {}
        return Asked(calls=1, tokens=tokens, seconds=completion.seconds, usd=usd, errors=errors)

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

    def narrowed(self, student: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Return a copy of our own student with the vocabulary of its rows and documents.

        A student that the task names, and a vocabulary that cannot be trimmed, stay as they are.
        """
        if self.task.models.student is not None or refusal(student):
            return student
        texts = [*self.splits.labels, *(document.text for document in self.splits.documents)]
        return trimmed_copy(student, rows, self.artefacts, texts)

    def embedding_folder(self) -> Path | None:
        """Return the task's embedding model, else the installed one; None where there is none."""
        named = self.task.models.embedding
        if named is not None:
            return model_folder(named, self.task.folder)
        if find_spec("sentence_transformers") is None:
            return None
        try:
            return model_folder(INSTALLED_EMBEDDING)
        except MissingExtraError:
            return None

    def train(
        self,
        recipe: Recipe,
        base: Path | None,
        rows: Sequence[Mapping[str, Any]],
        overrides: Mapping[str, str] | None = None,
    ) -> Build:
        """Train on rows, or find what the same training has left (`training.launch.train`)."""
        takes = None
        if rows and base is not None and recipe.rows != "labels":  # a head's takes seconds
            takes = partial(self.foresee, recipe, base, rows, overrides or {})
        if base in self._with_own_code:
            overrides = {**(overrides or {}), OWN_CODE: "true"}
        return train(recipe, base, rows, self.artefacts, self.watch, overrides, takes)

    @cached_property
    def _with_own_code(self) -> set[Path]:
        """Folders of the models whose own code may run here."""
        named = [model for model in self.task.rules.remote_code if may_run(self.task, model)]
        return {model_folder(model, self.task.folder, own_code=True) for model in named}

    def foresee(
        self,
        recipe: Recipe,
        base: Path,
        rows: Sequence[Mapping[str, Any]],
        overrides: Mapping[str, str],
    ) -> Foreseen:
        """Return what a training on rows will take on this machine, as busy as it is now."""
        if self.base_is_local() and base == self.base_folder():
            engine = self.engine(self.task.models.base).engine
        else:
            engine = LocalEngine(base, None, base in self._with_own_code)
        lengths = [sum(map(engine.count_tokens, texts_of(row))) for row in rows]
        return foresee(recipe, base, lengths, probe(engine).read, overrides)

    def training_memory(self) -> Memory | None:
        """Return what training the base takes here; none where its weights are elsewhere."""
        if not self.base_is_local() or first_use(self.task.models.base):
            return None
        shape = shape_of(self.base_folder())
        needed = {
            name: memory_mb(shape, name, TOKENS_AT_ONCE, computed=precision()) for name in SLOWDOWN
        }
        return Memory(needed_mb=needed, there_mb=memory_there_mb())

    def base_speed(self) -> Speed:
        """Return how fast the base answers here: probed once, kept with the completions."""
        base = self.task.models.base
        untried = base in self.task.rules.remote_code and not may_run(self.task, base)
        if not self.base_is_local() or first_use(base) or find_spec("torch") is None or untried:
            return two_cores()
        engine = self.engine(base)
        try:
            about = [engine.identity, hardware()]
            return Speed(
                **self.store.remember("speed", about, lambda: asdict(probe(engine.engine)))
            )
        except MissingExtraError:
            return two_cores()

    def best(self) -> Attempt | None:
        """Return the measured attempt with the highest score so far."""
        measured = [attempt for attempt in self.attempts if attempt.measurement]
        return max(measured, key=_score, default=None)

    def attempt_at(self, rung: RungName) -> Attempt | None:
        """Return the attempt at a rung, if it was measured."""
        found = [a for a in self.attempts if a.rung == rung and a.measurement]
        return found[0] if found else None

    def base_is_local(self) -> bool:
        """Tell whether the base model's weights are on this machine."""
        return model_parts(self.task.models.base)[0] in ("bundled", "hf")


def _score(attempt: Attempt) -> float:
    return attempt.measurement.score.mean if attempt.measurement else -1.0
