"""The revalidation plan: what was certified, what it depends on, and when to look again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import yaml
from pydantic import ValidationError

from ladder.engines import is_served
from ladder.errors import Problem, TaskError
from ladder.evidence import (
    ASSESSMENT,
    Attempt,
    Baseline,
    Candidate,
    ControlLine,
    Estimate,
    RevalidationPlan,
    System,
)
from ladder.files import file_digest, read_text
from ladder.hardware import hardware, versions
from ladder.inference.judge import judge_pins
from ladder.json_values import odd_values
from ladder.lifecycle.own_rows import keep_rows, reads_rows
from ladder.redaction import HIDDEN, redact_in, stands_for
from ladder.rungs.protocol import Bench
from ladder.scorers import MODEL_SCORERS
from ladder.task import Task, load_task, read_yaml
from ladder.trust.code import Granted
from ladder.wording import acts, harmless

OF_ANSWER = ("model: ", "data: ")
"""Pins of what an answer is made of; the others are of what it is judged by, and runs on."""
EVERY_DAYS = 91
PLAN_LIMIT_BYTES = 4_000_000
CHECKS_AHEAD = 4
TRIGGERS = (
    "the base model, its tokenizer or its chat template changes (a pinned digest differs)",
    "a library that answers depend on is upgraded",
    "the documents or the examples are replaced",
    "the provider announces the end of the model",
    "users report a change in the answers",
)
TRIGGERS_OF_CONTROL = (
    "the training examples are replaced, or new ones are labelled",
    "a library that answers depend on is upgraded",
    "users report a change in the answers, or ask for something new",
)
HEADER = """\
# Revalidation plan written by ladder. Check now:  ladder revalidate revalidation.yaml
# Print a job for your scheduler:  ladder schedule revalidation.yaml --target cron
"""


def make_plan(bench: Bench, chosen: Attempt, confirmed: Estimate | None) -> str:
    """Return the text of revalidation.yaml for the chosen attempt; keep the rows that it reads."""
    measured, candidate = chosen.measurement, chosen.candidate
    if measured is None or candidate is None:
        raise ValueError("only a measured attempt can be planned for")
    baseline = Baseline(
        gate_rows=measured.score,
        sealed_rows=confirmed,
        cost_usd_per_1k=measured.cost_usd_per_1k,
        latency_ms=measured.latency_ms and measured.latency_ms.but(service_s=()),
        hardware=hardware(),
    )
    return _text(_plan(bench, baseline, candidate).but(proven=chosen.status == "passed"))


def make_control_plan(bench: Bench, line: ControlLine, confirmed: Estimate) -> str:
    """Return the text of revalidation.yaml for an answer without a language model; keep its rows.

    Args:
        bench: the task, its data and scorers.
        line: the way that the gate judged.
        confirmed: its score on the held-out test set.
    """
    baseline = Baseline(
        gate_rows=line.score,
        sealed_rows=confirmed,
        cost_usd_per_1k=line.cost_usd_per_1k,
        latency_ms=None,
        hardware=hardware(),
    )
    return _text(_plan(bench, baseline, None).but(control=line.name))


def _plan(bench: Bench, baseline: Baseline, candidate: Candidate | None) -> RevalidationPlan:
    created, task = datetime.now(UTC), bench.task
    return RevalidationPlan(
        task=_relative(task.source, bench.folder),
        data_root=_relative(task.data_root, bench.folder) if task.data_root else None,
        created=created.isoformat(timespec="seconds"),
        candidate=candidate,
        baseline=baseline,
        gate=task.gate.model_dump(),
        pinned=pins(bench, candidate),
        train=keep_rows(bench, candidate),
        every_days=EVERY_DAYS,
        due=tuple(
            (created + timedelta(days=EVERY_DAYS * number)).date().isoformat()
            for number in range(1, CHECKS_AHEAD + 1)
        ),
        triggers=TRIGGERS if candidate else TRIGGERS_OF_CONTROL,
        command="ladder revalidate revalidation.yaml",
    )


def _text(plan: RevalidationPlan) -> str:
    values = redact_in(plan.model_dump(mode="json"))
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    if acts(text):  # on the terminal of whoever reads it
        text = yaml.safe_dump(values, sort_keys=False, width=100)
    return HEADER + text


def pins(bench: Bench, candidate: Candidate | None) -> dict[str, str]:
    """Return the digests of everything the answers depend on; of no candidate: without a model."""
    pinned = {}
    if candidate is not None:
        fingerprint = bench.evaluator.engine(candidate).fingerprint()
        pinned = {f"model: {name}": digest for name, digest in fingerprint.items()}
    pinned |= _data_pins(bench.task)
    pinned.update(judge_pins(bench.evaluator))
    pinned["task"] = bench.task.digest
    pinned.update((f"version: {name}", value) for name, value in versions().items())
    return pinned


def _data_pins(task: Task) -> dict[str, str]:
    paths = {role: task.find_data(value) for role, value in task.data.files().items()}
    return {f"data: {role}": file_digest(path) for role, path in paths.items() if path.is_file()}


PLAN = "revalidation.yaml"


def find_plan(path: Path) -> Path:
    """Return the plan's file, also where its run is named, or a folder of runs: of the newest."""
    if not path.is_dir():
        return path
    runs = [found.parent for found in path.glob(f"*/{ASSESSMENT}")]
    if (path / PLAN).exists() or (path / ASSESSMENT).exists() or not runs:
        return path / PLAN
    return max(runs, key=lambda run: run.name) / PLAN


def load_plan(path: Path) -> RevalidationPlan:
    """Read revalidation.yaml.

    Raises:
        TaskError: the file is missing or is no plan.
    """
    wanted = "a plan written by ladder assess"
    if not path.exists() or path.is_dir():
        fix = "Only a run that ended, and whose rung passed or leads, leaves a plan."
        raise TaskError([Problem(str(path), "no such file", wanted, fix)])
    text = read_text(path, wanted, TaskError, PLAN_LIMIT_BYTES)
    try:
        values = read_yaml(text)[1]
        if isinstance(values, dict) and "goal" in values:
            fix = f"Name the {PLAN} in the folder of a run of this task."
            raise TaskError([Problem(str(path), "a task file", wanted, fix)])
        plan = RevalidationPlan.model_validate(values)
        if (plan.candidate is None) != bool(plan.control):
            got = "both a candidate and a control" if plan.control else "neither"
            where = f"{path}: candidate"
            raise TaskError([Problem(where, got, "what was certified: one of them")])
    except ValidationError as error:
        raise TaskError(
            [
                Problem(f"{path}: {'.'.join(map(str, e['loc']))}", str(e["msg"]), wanted)
                for e in error.errors()[:5]
            ]
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise TaskError([Problem(where, str(error).split("\n")[0], "valid YAML")]) from None
    odd = [*odd_values(values), *_no_day(plan.created)]
    if odd:
        raise TaskError([Problem(f"{path}: {'.'.join(at)}", got, wanted) for at, got in odd[:5]])
    return plan


def system_of(path: Path, plan: RevalidationPlan, task: str) -> System:
    """Return what records say of a certified answer.

    Args:
        path: of its plan, whose bytes identify it.
        plan: what it says.
        task: name of its task.
    """
    folder = path.resolve().parent.name
    return System(task=task, plan=file_digest(path), folder=folder, created=plan.created)


def reads_others(plan: RevalidationPlan, task: Task) -> str:
    """Name the training examples that an answer would read now, where they are others than then.

    A plan that has kept its own goes on with those (`lifecycle.own_rows`); one of an earlier
    version would read others now, and be another answer than was certified.
    """
    reads = plan.train is None and reads_rows(plan.candidate)
    now = _data_pins(task) if reads else {}
    fitted = [name for name in ("data: train", "data: examples") if name in now]
    return ", ".join(name for name in fitted if plan.pinned.get(name) != now[name])


def same_answer(one: RevalidationPlan, other: RevalidationPlan) -> bool:
    """Tell whether two plans certify one answer: its model, its prompt and its data, by digest."""
    first, second = (
        [
            plan.control,
            plan.candidate and plan.candidate.digest,
            {name: pin for name, pin in plan.pinned.items() if name.startswith(OF_ANSWER)},
        ]
        for plan in (one, other)
    )
    return first == second


def task_of(
    path: Path, plan: RevalidationPlan, granted: Granted = "trusted", file: Path | None = None
) -> Task:
    """Read the task that a plan belongs to.

    Args:
        path: of the plan.
        plan: what it says.
        granted: what of the code that the task names may run (`ladder.trust.code`).
        file: of the task, where it is not the one that the plan names: a run was moved or copied.

    Raises:
        TaskError: it is wrong, or not there any more.
    """
    root = path.parent / plan.data_root if plan.data_root else None
    if file is not None:
        return load_task(file, root if root and root.is_dir() else None, granted)
    task = path.parent / plan.task
    if not task.exists():
        got = (
            f"`{plan.task}`, and there is no {os.path.normpath(path.parent.absolute() / plan.task)}"
        )
        fix = (
            "The run was moved or copied: put it back, or name the task file to revalidate, "
            "drift or schedule: --task FILE"
        )
        raise TaskError([Problem(f"{path}: task", got, "the way from the plan to its task", fix)])
    return load_task(task, root, granted)


def _no_day(created: str) -> Iterator[tuple[tuple[str, ...], str]]:
    try:
        day_of(created)
    except ValueError as error:
        yield ("created",), str(error)[:100]


def day_of(moment: str) -> date:
    """Return the UTC day of a time in ISO 8601.

    Raises:
        ValueError: it is none.
    """
    try:
        found = datetime.fromisoformat(moment)
        return (found.astimezone(UTC) if found.tzinfo else found).date()
    except OverflowError:
        raise ValueError(f"no date between the years 1 and 9999: {moment!r}") from None


def with_secrets(plan: RevalidationPlan, path: Path, task: Task) -> RevalidationPlan:
    """Return a plan whose model can be asked: the task still has what the plan does not show.

    Raises:
        TaskError: the task names no such model any more.
    """
    if plan.candidate is None or HIDDEN not in plan.candidate.model:
        return plan
    shown = plan.candidate.model
    judges = (str(choice.parameters.get("model")) for choice in task.score)
    named = (task.models.base, task.models.teacher, task.models.student, *judges)
    real = next((model for model in named if model and stands_for(shown, model)), None)
    if real is None:
        fix = "Name it there, or assess the task anew."
        wanted = f"a model that {task.source} names"
        raise TaskError([Problem(f"{path}: candidate.model", shown, wanted, fix)])
    return plan.but(candidate=plan.candidate.but(model=real))


def refuse_other_endpoint(path: Path, plan: RevalidationPlan, task: Task) -> None:
    """Refuse an endpoint that stands in the plan alone: the task says where its rows may go.

    Raises:
        TaskError: the task does not name it.
    """
    model = plan.candidate.model if plan.candidate else ""
    if model and is_served(model) and model not in task.models.model_dump().values():
        got, wanted = f"`{harmless(model, 120)}`", f"an endpoint that {task.source} names"
        raise TaskError([Problem(f"{path}: candidate.model", got, wanted)])


def learn_abilities(bench: Bench, plan: RevalidationPlan) -> None:
    """Have served models asked what they can do, where the answer or its scorers ask a model."""
    if plan.candidate or any(choice.name in MODEL_SCORERS for choice in bench.task.score):
        bench.evaluator.models.learn_abilities()


def _relative(path: Path, folder: Path) -> str:
    """Return a path that still holds when the checkout is moved as a whole."""
    return os.path.relpath(path.resolve(), folder.resolve())
