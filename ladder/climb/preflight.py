"""What is wrong with a task, all of it at once, before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

from ladder.climb.own_code import refuse_untrusted
from ladder.economy.machines import rent_above_gate
from ladder.engines import ENGINES, is_served, open_engine
from ladder.engines.local.json_schema import refusal
from ladder.engines.sharded import whole_address
from ladder.errors import EngineError, MissingExtraError, Problem, TaskError, TrainingError
from ladder.evaluation.latency import requests_to_pass, rows_to_time
from ladder.gate.budget import budget_of
from ladder.models.models import may_be_asked, must_stay
from ladder.retrieval.retriever import may_be_kept
from ladder.rungs import LADDER
from ladder.rungs.r3_lora import named_recipe
from ladder.samples.answer_schema import fault_of_schema
from ladder.samples.data import Data
from ladder.samples.synthetic import refuse_unproven
from ladder.scorers import MODEL_SCORERS, make_scorer, runs_code
from ladder.task import ModelRef, Task
from ladder.tracking.reporting import check_trackers
from ladder.trust.egress import is_here


def preflight(task: Task) -> list[Problem]:
    """Return all that is wrong with a task, as far as can be known without asking a model.

    `ladder check`, `assess`, `train`, `synth` and `revalidate` all run this first: a wrong recipe
    is not found an hour into the climb. No code that the task names is run.
    """
    return _problems(task, CHECKS)


def gate_warnings(task: Task, data: Data) -> Iterator[str]:
    """Warn of limits that no rung can be shown to hold: by its rent, or by too few rows."""
    rent = "" if is_served(task.models.base) else rent_above_gate(task)
    if rent:
        yield (
            f"warning: {rent}. Say how many requests there are (use.requests_per_month), set "
            "hardware: {shared: true} if the machine does other work too, or raise the limit."
        )
    if task.gate.max_p95_ms is not None:
        error = budget_of(task.gate, data.systems(task)).levels[0]
        rows, needed = len(rows_to_time(data, ())), requests_to_pass(error)
        if rows < needed:
            yield (
                f"warning: gate.max_p95_ms stays undecided: {rows:,} rows can be timed, each once, "
                f"and a pass takes at least {needed:,}. Add rows, or take the limit out."
            )


def refuse_at_once(task: Task) -> None:
    """Refuse a task with mistakes, or with code that no person has consented to.

    Raises:
        TaskError: with every problem.
    """
    problems = _problems(task, (refuse_untrusted, *CHECKS))
    if problems:
        raise TaskError(problems)


def _problems(task: Task, checks: Sequence[Callable[[Task], object]]) -> list[Problem]:
    found: list[Problem] = []
    for check in checks:
        try:
            check(task)
        except TaskError as error:
            found += error.problems
    return list(dict.fromkeys(found))


def check_scorers(task: Task) -> None:
    """Refuse scorers that cannot be made; those that would run code of the task's own are not."""
    where = f"{task.source}: score"
    _ = [make_scorer(each, where) for each in task.score if not runs_code(each)]


def refuse_schema(task: Task) -> None:
    """Refuse an `answer.schema` that is no JSON Schema or that answers cannot be held to.

    What an endpoint can be asked for is the endpoint's to say.

    Raises:
        TaskError: with the reason.
    """
    schema = task.answer.json_schema
    if schema is None:
        return
    where, got = f"{task.source}: answer.schema", fault_of_schema(schema)
    if got:
        raise TaskError([Problem(where, f"no JSON Schema ({got})", "one of draft 2020-12")])
    if task.answer.type != "json" or is_served(task.models.base):
        return
    try:
        got = refusal(json.dumps(schema)) or ""
    except MissingExtraError:  # said when a model of this machine is first asked
        return
    if got:
        fix = "Write it without that, or leave it out: it is then read off the training examples."
        wanted = "a schema that llguidance can follow token by token"
        raise TaskError([Problem(where, f"one that cannot be followed ({got})", wanted, fix)])


def check_execution(task: Task) -> None:
    """Refuse a Ray cluster that is not named, that rows may not go to, or without Ray to reach it.

    Raises:
        TaskError: with the reason.
    """
    if task.execution.engine == "local":
        return
    where, got = f"{task.source}: execution", f"engine: ray at {task.execution.address}"
    problems = []
    if find_spec("ray") is None:
        fix = 'pip install "escalation-ladder[ray]"'
        problems.append(Problem(where, got, "Ray installed here, as on the cluster", fix))
    if task.rules.remote_code:
        fix = "Assess here: `engine: local`."
        wanted = "no rules.remote_code beside it: consent is for the code on this machine"
        problems.append(Problem(where, got, wanted, fix))
    try:
        host = whole_address(task.execution.address).rpartition(":")[0]
    except EngineError as error:
        problems.append(Problem(f"{where}.address", str(error), "HOST:PORT"))
    else:
        if not (is_here(host) or task.rules.data_may_leave):
            fix = "Set `rules: {data_may_leave: true}` if the rows may be sent there."
            problems.append(Problem(f"{where}.address", host, "this machine (loopback)", fix))
    if problems:
        raise TaskError(problems)


def check_store(task: Task) -> None:
    """Refuse a store that is elsewhere where the task keeps its documents here."""
    if not may_be_kept(task):
        raise TaskError([must_stay(f"{task.source}: data.store", str(task.data.store))])


def check_remote_code(task: Task) -> None:
    """Refuse `rules.remote_code` entries that name none of the task's models."""
    where, named = f"{task.source}: rules.remote_code", task.models.model_dump().values()
    wanted = "an hf: model, word for word as it is named under models"
    problems = [
        Problem(where, f"`{reference}`", wanted)
        for reference in task.rules.remote_code
        if reference not in named or not reference.startswith("hf:")
    ]
    if problems:
        raise TaskError(problems)


def check_models(task: Task) -> None:
    """Refuse model references that no engine can open, or that the rules forbid."""
    named = {f"models.{role}": name for role, name in task.models.model_dump().items()}
    asking = [choice for choice in task.score if choice.name in MODEL_SCORERS]
    named |= {f"score.{choice.name}.model": choice.parameters.get("model") for choice in asking}
    problems = [
        problem
        for place, reference in named.items()
        if reference is not None
        for problem in _model_problems(task, f"{task.source}: {place}", reference)
    ]
    if problems:
        raise TaskError(problems)


def _model_problems(task: Task, where: str, reference: str) -> Iterator[Problem]:
    try:
        ref = ModelRef(reference)
    except ValueError as error:
        yield Problem(where, f"`{reference}`", str(error))
        return
    if ref.kind not in ENGINES:
        yield Problem(where, f"the kind `{ref.kind}`", f"one of {', '.join(ENGINES)}")
    elif fault := ENGINES[ref.kind].fault(ref.name, ref.place, task.folder):
        found, wanted = fault
        yield Problem(where, f"`{reference}`{found}", wanted)
    elif is_served(reference) and not may_be_asked(task, open_engine(reference)):
        yield must_stay(where, reference)
    elif ENGINES[ref.kind].decides and (not where.endswith("models.base") or _has_text(task)):
        wanted = "a model that writes text; typed decisions are for `models.base` of label tasks"
        yield Problem(where, f"`{reference}`, which only chooses among options", wanted)


def _has_text(task: Task) -> bool:
    return task.answer.type != "label"


def check_rungs(task: Task) -> None:
    """Refuse the names of rungs that there are not."""
    names = [rung.NAME for rung in LADDER]
    problems = [
        Problem(f"{task.source}: rungs", f"`{name}`", f"some of {', '.join(names)}")
        for name in task.rungs
        if name not in names
    ]
    if problems:
        raise TaskError(problems)


def check_recipe(task: Task) -> None:
    """Refuse a recipe that there is not, or that a climb cannot train with."""
    try:
        named_recipe(task)
    except TrainingError as error:
        where = f"{task.source}: training.recipe"
        got = f"`{task.training.recipe}` ({error})"
        raise TaskError([Problem(where, got, "a recipe that can be read")]) from error


CHECKS: tuple[Callable[[Task], object], ...] = (
    check_store,
    check_rungs,
    check_models,
    check_remote_code,
    check_execution,
    check_scorers,
    check_recipe,
    refuse_schema,
    refuse_unproven,
    check_trackers,
)
"""Each raises a TaskError with what it finds wrong."""
