"""`ladder train` of several recipes or seeds: each a process of its own, beside each other on Ray.

All are put to the dev set afterwards. The best of many has a score that flatters it: the eval
examples are left to `ladder assess`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ladder.artefacts.card import read_training
from ladder.artefacts.issue import kind_of
from ladder.climb.opening import open_bench
from ladder.commands.train import Prepared, prepare
from ladder.engines import is_served, model_folder
from ladder.engines.sharded import Place
from ladder.errors import LadderError, TrainingError
from ladder.evidence import Build, Candidate
from ladder.hardware import threads
from ladder.progress import Quiet, Watch
from ladder.rungs import r3_lora
from ladder.rungs.protocol import Bench
from ladder.rungs.r3_lora import answering
from ladder.selection.on_dev import dev_scores
from ladder.task import ModelRef, Task
from ladder.training.elsewhere import Counts, Elsewhere
from ladder.training.launch import train
from ladder.training.rows import plain_candidate
from ladder.wording import duration

POLL_S = 0.5


@dataclass(frozen=True)
class Training:
    """One of a sweep."""

    made: Prepared
    seed: int | None
    """None: that of the recipe."""

    @property
    def name(self) -> str:
        """Recipe and seed, in words."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return f"{self.made.recipe.name}{seed}"

    @property
    def fields(self) -> dict[str, str]:
        """Of the recipe, changed."""
        seed = {} if self.seed is None else {"seed": str(self.seed)}
        return {**self.made.fields, **seed}


@dataclass(frozen=True)
class Trained:
    """How one of a sweep has ended."""

    training: Training
    build: Build | None = None
    error: str = ""
    dev_score: float | None = None

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "recipe": self.training.made.recipe.name,
            "seed": self.training.seed,
            "artefact": self.build.folder if self.build else None,
            "seconds": self.build.seconds if self.build else None,
            "dev_score": self.dev_score,
            "error": self.error,
        }


@dataclass(frozen=True)
class Swept:
    """A whole sweep."""

    trained: tuple[Trained, ...]
    dev_rows: int
    machines: Mapping[str, int]
    """Name of a machine of the cluster -> programs that were started there; empty: all here."""
    workers_lost: int = 0

    @property
    def failed(self) -> int:
        """How many left nothing."""
        return sum(one.build is None for one in self.trained)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "trainings": [one.as_record() for one in self.trained],
            "dev_rows": self.dev_rows,
            "machines": dict(self.machines),
            "workers_lost": self.workers_lost,
        }


def sweep(
    recipes: Sequence[str],
    seeds: Sequence[int],
    task: Task,
    runs: Path,
    watch: Watch,
    overrides: Mapping[str, str],
) -> Swept:
    """Train several recipes, or one from several seeds; on the task's cluster where it has one.

    One that fails leaves the others alone. What a killed sweep has finished is found again.

    Args:
        recipes: names or files.
        seeds: of each; none: the recipes' own.
        task: whose training examples are learnt; a teacher is asked once, before.
        runs: the folder of all runs; on a cluster, on a volume that all machines mount.
        watch: sees how many are done.
        overrides: fields of every recipe, changed.

    Raises:
        TrainingError: a recipe cannot learn from this task's rows.
        EngineError: no cluster answers, or its machines cannot be taken.
    """
    bench = open_bench(task, runs, watch)
    bench.evaluator.models.learn_abilities()
    made = [prepare(bench, recipe, overrides) for recipe in recipes]
    trainings = [Training(each, seed) for each in made for seed in (seeds or (None,))]
    with _opened(bench) as elsewhere:
        if elsewhere is None:
            trained = [_here(bench, one) for one in trainings]
            counts = Counts()
        else:
            trained = _beside_each_other(bench, elsewhere, trainings, runs / "artefacts")
            counts = elsewhere.counts
    scored = tuple(_scored(bench, trained))
    bench.evaluator.models.close()
    return Swept(scored, len(bench.data.dev), counts.machines, counts.workers_lost)


@contextmanager
def _opened(bench: Bench) -> Iterator[Elsewhere | None]:
    """Open the way to the task's cluster, and close it; None: the task has none."""
    task = bench.task
    wanted = task.execution
    if wanted.engine == "local":
        yield None
        return
    place = Place(
        wanted.address,
        wanted.cpus or threads(),
        wanted.gpus,
        may_leave=task.rules.data_may_leave,
    )
    elsewhere = Elsewhere(place, bench.evaluator.watch.say, partial(_fetch, _models(task)))
    elsewhere.open()
    try:
        yield elsewhere
    finally:
        elsewhere.close()


def _models(task: Task) -> tuple[ModelRef, ...]:
    named = task.models
    found = (named.base, named.teacher, named.student, named.embedding)
    return tuple(model for model in found if model is not None and not is_served(model))


def _fetch(models: Sequence[ModelRef]) -> None:
    """Have a machine make the folders of models that a package has brought."""
    for model in models:
        if model.kind == "bundled":
            model_folder(model)


def _here(bench: Bench, one: Training) -> Trained:
    """Run a training on this machine."""
    try:
        made = one.made
        return Trained(one, bench.trainer.train(made.recipe, made.start, made.rows, one.fields))
    except TrainingError as error:
        return Trained(one, error=str(error))


def _beside_each_other(
    bench: Bench, elsewhere: Elsewhere, trainings: Sequence[Training], artefacts: Path
) -> list[Trained]:
    """Run trainings on the cluster, as many at once as it has room for: Ray places them."""

    def run(one: Training) -> Trained:
        made = one.made
        try:
            build = train(
                made.recipe, made.start, made.rows, artefacts, Quiet(), one.fields,
                start=elsewhere.start,
            )  # fmt: skip
        except LadderError as error:
            return Trained(one, error=str(error))
        return Trained(one, build)

    total = len(trainings)
    with ThreadPoolExecutor(total) as pool:  # each waits for a process, and for nothing else
        futures = [pool.submit(run, one) for one in trainings]
        try:
            with bench.evaluator.watch.step(f"training {total} times", total) as advance:
                pending = set(futures)
                while pending:
                    _, pending = wait(pending, timeout=POLL_S)
                    advance(total - len(pending))
        finally:
            elsewhere.stop()  # interrupted: checkpoints stay, processes do not
    trained = [future.result() for future in futures]
    for one in trained:
        if one.build is not None:
            bench.evaluator.models.trained(one.build)
    return trained


def _scored(bench: Bench, trained: Sequence[Trained]) -> Iterator[Trained]:
    """Put what was trained to the dev set."""
    there = [one for one in trained if one.build is not None]
    scores: Sequence[float | None] = [None] * len(there)
    if bench.data.dev and there:
        candidates = [_candidate(bench, one) for one in there]
        with bench.evaluator.models.asking("race"):
            scores = dev_scores(bench.evaluator, candidates)
    known = dict(zip(map(id, there), scores, strict=True))
    for one in trained:
        yield Trained(one.training, one.build, one.error, known.get(id(one)))


def _candidate(bench: Bench, one: Trained) -> Candidate:
    """Return the system that answers with what was trained."""
    assert one.build is not None
    plain = plain_candidate(bench.evaluator, r3_lora.NAME).but(description=one.training.name)
    kind = kind_of(Path(str(one.build.folder)))
    if kind in ("adapter", "model"):
        return plain.but(**answering(one.build), build=one.build)
    return Candidate(
        rung="distill",
        description=one.training.name,
        model=f"{kind}:{one.build.folder}",
        decoding="free",
        build=one.build,
    )


def lines(found: Swept) -> Iterator[str]:
    """Yield what is printed."""
    for one in found.trained:
        yield f"{one.training.name}: {_ended(one)}"
    ranked = [one for one in found.trained if one.dev_score is not None]
    if len(ranked) > 1:
        best = max(ranked, key=lambda one: one.dev_score or 0.0)
        yield (
            f"best of {len(ranked)} on {found.dev_rows} dev examples: {best.training.name}, "
            f"{best.dev_score:.3f}. It was chosen by this score, which flatters it: assess it"
        )
    if found.machines:
        lost = f", {found.workers_lost} workers lost" if found.workers_lost else ""
        where = ", ".join(f"{host} {many}" for host, many in sorted(found.machines.items()))
        yield f"started on the cluster: {where}{lost}"


def _ended(one: Trained) -> str:
    if one.build is None:
        return f"failed: {one.error}"
    curve = read_training(Path(str(one.build.folder))).get("loss_curve") or []
    loss = [f"loss {curve[0][1]:.3f} -> {curve[-1][1]:.3f}"] if len(curve) > 1 else []
    score = [] if one.dev_score is None else [f"dev {one.dev_score:.3f}"]
    return ", ".join([*score, *loss, duration(one.build.seconds), str(one.build.folder)])


def refuse_failed(found: Swept) -> None:
    """Raise where a training left nothing: the others are kept.

    Raises:
        TrainingError: with how many, and why the first did.
    """
    if found.failed:
        first = next(one for one in found.trained if one.build is None)
        of = f"{found.failed} of {len(found.trained)} trainings failed"
        raise TrainingError(f"{of}; {first.training.name}: {first.error}")
