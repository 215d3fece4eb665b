"""Rung 3: adapters trained on the task's rows (LoRA; QLoRA where the task asks for it)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ladder.economy.cost import machine_usd
from ladder.engines import is_served
from ladder.errors import Problem, TaskError
from ladder.evidence import Build, Candidate, Gap, Retrieval
from ladder.inference.forms import named
from ladder.models.models import base_is_local
from ladder.rungs.protocol import Bench, Stage, Trains
from ladder.samples.data import Data
from ladder.samples.rows import Sample
from ladder.selection.on_dev import better_on_dev, dev_scores
from ladder.task import RungName, Task
from ladder.training.estimate import fits
from ladder.training.launch import training_missing
from ladder.training.recipes import Recipe, task_recipe
from ladder.training.rows import plain_candidate, training_rows

NAME: RungName = "lora"
TRAINS: Trains = "base"
FIXES: frozenset[Gap] = frozenset({"skill"})
LEAST_ROWS = 40


def needs(task: Task, data: Data) -> str | None:
    """Training needs rows."""
    if len(data.train) < LEAST_ROWS:
        return f"{len(data.train)} training examples are too few to train on ({LEAST_ROWS})"
    return None


def unavailable(bench: Bench) -> str | None:
    """Training needs weights on this machine, and the training libraries."""
    if not base_is_local(bench.task):
        if is_served(bench.task.models.base):
            return "the base model is an endpoint: its weights are not here to be trained"
        return "the base model cannot be trained: adapters need weights of kind bundled: or hf:"
    missing = training_missing()
    return f"the training libraries are not installed; {missing}" if missing else None


def pointless(bench: Bench) -> str | None:
    """It is worth trying whatever was measured before."""
    return None


def first_stage(bench: Bench, incumbent: Candidate | None) -> list[Candidate]:
    """Train without context and, where documents help on the dev set, with it; race both ways."""
    plain = plain_candidate(bench.evaluator, NAME)
    samples = bench.data.train[: bench.task.training.max_rows]
    adapted = with_adapter(bench, plain, samples)
    rag = bench.history.at("rag")
    if rag is None or rag.candidate is None or rag.candidate.retrieval is None:
        return _described(bench, [adapted])
    retrieval = rag.candidate.retrieval.but(narrow=False)
    reading = plain.but(retrieval=retrieval)
    if retrieval.source == "examples" or not _helps(bench, rag.candidate):
        # The examples are the training examples: the adapter has learnt them and may look at them.
        shown = {"model": adapted.model, "adapter": adapted.adapter, "build": adapted.build}
        found = [adapted, reading.but(**shown)]
        if retrieval.source == "examples" and _documents_hold_more(bench, rag.candidate):
            documents = retrieval.but(source="documents")
            knowing = plain.but(retrieval=documents)
            found.append(with_adapter(bench, knowing, samples))
        return _described(bench, found)
    return _described(bench, [adapted, with_adapter(bench, reading, samples)])


STAGES = (first_stage,)
CHALLENGERS: tuple[Stage, ...] = ()


def with_adapter(bench: Bench, candidate: Candidate, samples: Sequence[Sample]) -> Candidate:
    """Train an adapter on samples as the candidate would ask about them."""
    recipe = _recipe(bench)
    rows = training_rows(bench.evaluator, candidate, [(s, s.target) for s in samples])
    build = bench.trainer.train(recipe, bench.trainer.base(), rows)
    usd = machine_usd(build.seconds, bench.task.hardware.usd_per_hour)
    build = build.but(usd=usd)
    return candidate.but(**answering(build), build=build)


def answering(build: Build) -> dict[str, str | None]:
    """Return what a candidate answers with: an adapter on its base, or a model of its own."""
    whole = (Path(str(build.folder)) / "config.json").is_file()
    return {"model": f"hf:{build.folder}"} if whole else {"adapter": build.folder}


def _recipe(bench: Bench) -> Recipe:
    """Return the task's recipe; unnamed, lora, or qlora where memory is short."""
    fitting = "lora" if fits(bench.trainer.memory(), "lora") else "qlora"
    return named_recipe(bench.task, fitting)


def named_recipe(task: Task, usual: str = "lora") -> Recipe:
    """Return the recipe that the task names, or the usual one.

    Raises:
        TaskError: it learns from other rows than this rung has.
        TrainingError: there is no such recipe.
    """
    recipe = task_recipe(task.training.recipe or usual, task.folder)
    if recipe.rows != "answers":
        where = f"{task.source}: training.recipe"
        got = f"`{recipe.name}`, which does not learn from inputs and targets"
        fix = f"Run it by hand: ladder train {recipe.name} --task {task.source}"
        wanted = "lora, qlora, dora, full, or your own over sft.py"
        raise TaskError([Problem(where, got, wanted, fix)])
    return recipe


def _helps(bench: Bench, rag: Candidate) -> bool:
    """Tell whether reading beats the bare prompt on the dev set."""
    prompt = bench.history.at("prompt")
    if prompt is None or prompt.candidate is None:
        return True
    with bench.evaluator.models.asking("race"):
        alone, reading = dev_scores(bench.evaluator, [prompt.candidate, rag])
    return reading > alone


def _documents_hold_more(bench: Bench, rag: Candidate) -> bool:
    """Tell whether the right documents are proven better, on the dev set, than examples to read.

    Of the dev examples whose right document is known; without any they are not.
    """
    evaluator = bench.evaluator
    rows = [row for row in bench.data.dev if evaluator.reader.right_passages(row)]
    if not rows:
        return False
    right = rag.but(retrieval=Retrieval(source="gold", k=1))
    with evaluator.models.asking("race"):
        return better_on_dev(evaluator, right, rag, rows)


def _described(bench: Bench, candidates: list[Candidate]) -> list[Candidate]:
    recipe = _recipe(bench).name
    there = len(bench.data.train)
    trained = min(there, bench.task.training.max_rows)
    of = f" ({trained:,} of {there:,} rows)" if trained < there else ""
    return [c.but(description=f"{recipe} adapter{of}, {c.description}") for c in named(candidates)]
