"""What it takes to answer and score a task's examples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from ladder.evidence import Candidate
from ladder.models.cache import CachedEngine
from ladder.models.models import Models
from ladder.progress import Watch
from ladder.retrieval.reading import Reader
from ladder.retrieval.retriever import Retriever
from ladder.samples.answer_schema import Schema, schema_of
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.scorers import ModelScorer, Scorer, fitted, make_scorer
from ladder.task import Task

TARGETS_COUNTED = 500

Scorers = tuple[tuple[str, Scorer | ModelScorer], ...]
"""A task's scorers by name; the first is the one that is gated."""


@dataclass(frozen=True)
class Evaluator:
    """A task with its data, its models and its scorers: all that a candidate is evaluated with."""

    task: Task
    data: Data
    models: Models
    retriever: Retriever
    scorers: Scorers
    watch: Watch
    _longest: dict[str, int | None] = field(default_factory=dict)

    def engine(self, candidate: Candidate) -> CachedEngine:
        """Return the engine that a candidate answers with."""
        return self.models.engine(candidate.model, candidate.adapter)

    def with_data(self, data: Data) -> Evaluator:
        """Return an evaluator of the same task with other data; completions stay cached."""
        stored = self.retriever.stored
        retriever = Retriever(self.task, data, self.models.cache, self.watch, stored=stored)
        return replace(self, data=data, retriever=retriever, _longest={})

    @cached_property
    def reader(self) -> Reader:
        """What turns the retrieved documents into what a candidate reads."""
        return Reader(self.retriever)

    @cached_property
    def answer_schema(self) -> Schema | None:
        """The JSON Schema of the answers: the task's, else read off the training targets."""
        form = self.task.answer
        if form.type != "json":
            return None
        targets = (target for sample in self.data.train for target in sample.targets)
        return form.json_schema or schema_of(targets)

    @cached_property
    def train_by_id(self) -> dict[str, Sample]:
        """The training examples by id."""
        return {sample.id: sample for sample in self.data.train}

    def longest_target(self, engine: CachedEngine) -> int | None:
        """Return the most tokens that a known answer can have; None without one.

        Known are those of the training and of the dev examples.
        """
        if engine.identity not in self._longest:
            known = (*self.data.train[:TARGETS_COUNTED], *self.data.dev)
            targets = {target for sample in known for target in sample.targets}
            self._longest[engine.identity] = max(map(engine.most_tokens, targets), default=None)
        return self._longest[engine.identity]


def scorers_of(task: Task, data: Data) -> Scorers:
    """Return a task's scorers, made ready; code of its own runs as a person has consented."""
    where = f"{task.source}: score"
    made = ((each.name, make_scorer(each, where, task.consent)) for each in task.score)
    return tuple((name, fitted(scorer, data.targets)) for name, scorer in made)
