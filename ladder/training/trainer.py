"""What trains: the weights to start from, and what a training takes on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ladder.artefacts.issue import OWN_CODE
from ladder.engines import model_folder
from ladder.engines.base import here
from ladder.engines.bundled import first_use
from ladder.engines.fields import Form, Kind, make_form
from ladder.engines.local import LocalEngine
from ladder.engines.speed import probe
from ladder.errors import MissingExtraError
from ladder.evidence import Build, Memory, TrainingEstimate
from ladder.hardware import available_memory_mb, precision
from ladder.models.models import Models, base_is_local
from ladder.models.own_code import may_run
from ladder.progress import Watch
from ladder.samples.data import Data
from ladder.task import Task
from ladder.training.estimate import (
    SLOWDOWN,
    TOKENS_AT_ONCE,
    estimate_training,
    memory_mb,
    shape_of,
)
from ladder.training.launch import train
from ladder.training.prune import pruned_copy
from ladder.training.recipes import Recipe
from ladder.training.rows import texts_of
from ladder.training.vocabulary import refusal, trimmed_copy

INSTALLED_EMBEDDING = "bundled:all-minilm-l6-v2"

Rows = Sequence[Mapping[str, Any]]
"""What a training program reads, one mapping per row: see `training.rows`."""


class Trainer(Protocol):
    """Trains what a rung asks for. A dry run's only counts."""

    def base(self) -> Path:
        """Return the folder of the base model's weights."""
        ...

    def student(self) -> Path:
        """Return the folder of the student before it has learnt anything."""
        ...

    def narrowed(self, student: Path, rows: Rows) -> Path:
        """Return a student with the vocabulary that its rows and documents need."""
        ...

    def embedding(self) -> Path | None:
        """Return the folder of an embedding model; None where there is none."""
        ...

    def fields(self, inputs: Sequence[str], answers: Sequence[str], kind: Kind) -> Form:
        """Return the fields of answers; ValueError says why they are none."""
        ...

    def memory(self) -> Memory | None:
        """Return the memory that training the base takes; None where its weights are elsewhere."""
        ...

    def train(
        self,
        recipe: Recipe,
        start: Path | None,
        rows: Rows,
        overrides: Mapping[str, str] | None = None,
    ) -> Build:
        """Train on rows, and return what was built.

        Args:
            recipe: the program and its settings.
            start: the folder of the weights to start from; None: the recipe starts from nothing.
            rows: what is learnt.
            overrides: fields of the recipe to change.
        """
        ...


def embedding_of(task: Task) -> Path | None:
    """Return the task's embedding model, else the installed one; None where there is none."""
    named = task.models.embedding
    if named is not None:
        return model_folder(named, task.folder)
    if find_spec("sentence_transformers") is None:
        return None
    try:
        return model_folder(INSTALLED_EMBEDDING)
    except MissingExtraError:
        return None


class LocalTrainer:
    """Trains on this machine, each recipe as a process of its own."""

    def __init__(
        self, task: Task, data: Data, models: Models, artefacts: Path, watch: Watch
    ) -> None:
        """Train nothing yet.

        Args:
            task: names the models.
            data: labels and documents, whose words a narrowed student keeps.
            models: the base, to count tokens and to probe the machine's speed.
            artefacts: trained adapters and students, each in a folder named by what made it.
            watch: sees progress.
        """
        self.task, self.data, self.models = task, data, models
        self.artefacts, self.watch = artefacts, watch

    def base(self) -> Path:
        """Return the folder of the base model's weights."""
        return model_folder(self.task.models.base, self.task.folder)

    def student(self) -> Path:
        """Return the task's student, or a copy of the base with most of its layers taken out."""
        if self.task.models.student is not None:
            return model_folder(self.task.models.student, self.task.folder)
        return pruned_copy(self.base(), self.artefacts)

    def narrowed(self, student: Path, rows: Rows) -> Path:
        """Return a copy of our own student with the vocabulary of its rows and documents.

        A student that the task names, and a vocabulary that cannot be trimmed, stay as they are.
        """
        if self.task.models.student is not None or refusal(student):
            return student
        texts = [*self.data.labels, *(document.text for document in self.data.documents)]
        return trimmed_copy(student, rows, self.artefacts, texts)

    def embedding(self) -> Path | None:
        """Return the task's embedding model, else the installed one; None where there is none."""
        return embedding_of(self.task)

    def fields(self, inputs: Sequence[str], answers: Sequence[str], kind: Kind) -> Form:
        """Return the fields of answers; ValueError says why they are none."""
        return make_form(inputs, answers, kind)

    def memory(self) -> Memory | None:
        """Return what training the base takes here; None where its weights are elsewhere."""
        if not base_is_local(self.task) or first_use(self.task.models.base):
            return None
        shape = shape_of(self.base())
        needed = {
            name: memory_mb(shape, name, TOKENS_AT_ONCE, computed=precision()) for name in SLOWDOWN
        }
        return Memory(needed_mb=needed, available_mb=available_memory_mb())

    def train(
        self,
        recipe: Recipe,
        start: Path | None,
        rows: Rows,
        overrides: Mapping[str, str] | None = None,
    ) -> Build:
        """Train on rows, or find what the same training has left (`training.launch.train`)."""
        takes = None
        if rows and start is not None and recipe.rows != "labels":  # a classifier's takes seconds
            takes = partial(self._estimate, recipe, start, rows, overrides or {})
        if start in self._with_own_code:
            overrides = {**(overrides or {}), OWN_CODE: "true"}
        build = train(recipe, start, rows, self.artefacts, self.watch, overrides, takes)
        self.models.trained(build)
        return build

    @cached_property
    def _with_own_code(self) -> set[Path]:
        """Folders of the models whose own code may run here."""
        named = [model for model in self.task.rules.remote_code if may_run(self.task, model)]
        return {model_folder(model, self.task.folder, own_code=True) for model in named}

    def _estimate(
        self, recipe: Recipe, start: Path, rows: Rows, overrides: Mapping[str, str]
    ) -> TrainingEstimate:
        """Return what a training on rows will take on this machine, as busy as it is now."""
        if base_is_local(self.task) and start == self.base():
            engine = here(self.models.engine(self.task.models.base).engine)
        else:
            engine = LocalEngine(start, None, start in self._with_own_code)
        lengths = [sum(map(engine.count_tokens, texts_of(row))) for row in rows]
        return estimate_training(recipe, start, lengths, probe(engine).read, overrides)
