"""`ladder probe`: is the model the one that was certified?

Every look is a line in probes.jsonl beside the plan; what it is compared with stands frozen in
probe/reference.json. Looks share one error budget over the life of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ladder.audit.ledger import note_lines, refuse_unready
from ladder.climb.opening import COMPLETIONS, make_bench
from ladder.engines import is_served
from ladder.engines.base import Request
from ladder.engines.endpoint.listing import announced
from ladder.errors import Problem, StateError, TaskError
from ladder.evidence import Candidate, ProbeLook, ProbeReference, RevalidationPlan
from ladder.files import (
    append_line,
    clear_disk_errors,
    read_record,
    refused_as,
    write_whole,
)
from ladder.inference.prompts import request_for
from ladder.lifecycle.alpha_spending import error_of_look
from ladder.lifecycle.in_turn import in_turn
from ladder.lifecycle.own_rows import with_own_rows
from ladder.lifecycle.plan import day_of, load_plan, refuse_other_endpoint, task_of, with_secrets
from ladder.lifecycle.probe_endpoint import (
    OUTPUTS,
    Asking,
    compare,
    look_again,
    take_reference,
)
from ladder.lifecycle.probe_local import probe_local
from ladder.lifecycle.records import records_in
from ladder.models.cache import Cache
from ladder.models.models import Models, may_be_asked, must_stay
from ladder.models.staying import stay_here
from ladder.progress import Watch
from ladder.samples.loading import load_data
from ladder.task import Task
from ladder.trust.code import Granted
from ladder.wording import in_json

RECORD = "probes.jsonl"
KEPT = "probe"
REFERENCE = "reference.json"


@dataclass(frozen=True)
class Probed:
    """What a look found."""

    look: ProbeLook
    taken: ProbeReference | None
    """The reference that this look took, being the first."""
    certified: date


@dataclass(frozen=True)
class _Look:
    """What a look starts from."""

    path: Path
    """Of the plan."""
    task: Task
    plan: RevalidationPlan
    candidate: Candidate
    models: Models
    folder: Path
    before: Sequence[ProbeLook]
    reference: ProbeReference | None
    now: datetime
    watch: Watch

    @property
    def at(self) -> str:
        return self.now.isoformat(timespec="seconds")


def probe(path: Path, watch: Watch, granted: Granted = "trusted") -> Probed:
    """Look whether the model that a plan certified is still what answers.

    The first look takes the reference that later ones are compared with.

    Args:
        path: the plan.
        watch: sees progress.
        granted: what of the code that the task names may run (`ladder.trust.code`).

    Raises:
        TaskError: the plan or its task is wrong, or it certifies no model.
        EngineError: no such model is there, or its endpoint does not answer.
        NoVerdictError: too many requests failed to tell; nothing is recorded.
        StateError: the record or the reference cannot be read.
    """
    refuse_unready(path.parent)
    plan = load_plan(path)
    task = task_of(path, plan, granted)
    plan = with_secrets(plan, path, task)
    refuse_other_endpoint(path, plan, task)
    stay_here(task)
    candidate = plan.candidate
    if candidate is None:
        got, wanted = f"the control, {plan.control}", "a plan whose answer is a model's"
        fix = "There is no model to probe: `ladder revalidate` measures it again."
        raise TaskError([Problem(f"{path}: control", got, wanted, fix)])
    folder = path.parent / KEPT
    with in_turn(folder), clear_disk_errors(folder):
        before = probes_so_far(path)
        reference = reference_of(path, before)
        cache = Cache(folder / COMPLETIONS)
        try:
            models = Models(task, cache, watch)
            now = datetime.now(UTC)
            look = _Look(path, task, plan, candidate, models, folder, before, reference, now, watch)
            found, taken = _hosted(look) if is_served(candidate.model) else _local(look)
        finally:
            cache.close()
        if taken is not None:
            text = in_json(taken.model_dump_json(indent=1))
            write_whole(folder / REFERENCE, text + "\n")
        append_line(path.parent / RECORD, in_json(found.model_dump_json()))
        note_lines(path.parent, "probe", (RECORD,), (KEPT,), {"verdict": found.verdict})
    return Probed(found, taken, day_of(plan.created))


def probes_so_far(path: Path) -> list[ProbeLook]:
    """Return the looks that a plan's record holds, in the order of their lines.

    Raises:
        StateError: a line of it cannot be read.
    """
    fix = "Fix the line or take it out; what it had spent of the error budget is then free."
    return records_in(path.parent / RECORD, ProbeLook, "a look at a model", fix)


def reference_of(path: Path, before: Sequence[ProbeLook]) -> ProbeReference | None:
    """Return the frozen reference; None where none was taken yet.

    Raises:
        StateError: it cannot be read, or looks were compared with one that is gone.
    """
    file = path.parent / KEPT / REFERENCE
    if file.exists():
        wanted = "the reference of probes"
        return read_record(file, ProbeReference, wanted, refused_as(wanted, "Put it back."))
    if any(look.reference for look in before):
        fix = f"Put it back; or move {RECORD} away: the next probe takes a new reference then."
        raise StateError(f"{file}: the reference that looks were compared with is gone. {fix}")
    return None


def _local(look: _Look) -> tuple[ProbeLook, ProbeReference | None]:
    found, canaries, parts = probe_local(look.models, look.plan, look.candidate, look.reference)
    model, taken = look.candidate.model.label, None
    if look.reference is None and found["verdict"] == "same":
        probe = found["probe"]
        taken = ProbeReference(at=look.at, model=model, probe=probe, parts=parts, canaries=canaries)
    reference = look.reference or taken
    since = reference.at if reference else ""
    return ProbeLook(at=look.at, model=model, reference=since, **found), taken


def _hosted(look: _Look) -> tuple[ProbeLook, ProbeReference | None]:
    candidate, task = look.candidate, look.task
    models, label = look.models, candidate.model.label
    asking = Asking(models, candidate.model, models.uncached(candidate.model), look.watch)
    ends = announced(
        candidate.model.name, candidate.model.place or "", task.rules.request_timeout_s
    )
    about = {"at": look.at, "model": label, **ends._asdict()}
    if look.reference is None:
        taken = take_reference(asking, look.at, _labels(look, asking), partial(_requests, look))
        paid = {"calls": taken.calls, "tokens": taken.tokens, "usd": taken.usd}
        first = ProbeLook(**about, probe=taken.probe, verdict="same", reference=taken.at, **paid)
        return first, taken
    if look.reference.probe == "outputs":
        _refuse_to_send(look)
    samples = _asked_again(look, partial(look_again, asking, look.reference))
    spent = [(day_of(each.at), each.error) for each in look.before]
    error = error_of_look(day_of(look.plan.created), look.now.date(), spent)
    shifts = compare(look.reference, look.before, samples, error) if error else ()
    asked = asking.asked
    return ProbeLook(
        **about,
        probe=look.reference.probe,
        verdict="revalidate" if any(shift.alarms for shift in shifts) else "same",
        reference=look.reference.at,
        error=error,
        shifts=shifts,
        samples=samples,
        calls=asked.calls,
        tokens=asked.tokens,
        usd=asked.usd,
    ), None


def _asked_again(look: _Look, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (TypeError, ValueError) as error:
        file = look.folder / REFERENCE
        said = f"{file}: requests that are none ({str(error)[:100]}). Put the original file back."
        raise StateError(said) from None


def _labels(look: _Look, asking: Asking) -> Sequence[str]:
    """Return the task's labels for an endpoint that can be asked for nothing else."""
    if not asking.engine.abilities.decides:
        return ()
    return look.task.answer.labels or load_data(look.task, look.models.cache, look.watch).labels


def _refuse_to_send(look: _Look) -> None:
    """Keep eval examples on this machine, unless the task lets them go.

    Raises:
        TaskError: the endpoint is elsewhere, and rules.data_may_leave is not set.
    """
    if not may_be_asked(look.task, look.models.uncached(look.candidate.model)):
        raise TaskError([must_stay(f"{look.task.source}: models", look.candidate.model.label)])


def _requests(look: _Look) -> list[Request]:
    """Return the certified system's requests for the first eval examples."""
    _refuse_to_send(look)
    store = look.models.cache
    data = with_own_rows(load_data(look.task, store, look.watch), look.path, look.plan)
    artefacts = look.folder / "artefacts"
    bench = make_bench(look.task, data, store, look.folder, artefacts, look.watch)
    bench.evaluator.models.learn_abilities()
    engine = bench.evaluator.engine(look.candidate)
    rows = data.gate[:OUTPUTS]
    bench.evaluator.retriever.prepare(look.candidate.retrieval, rows)
    return [request_for(bench.evaluator, look.candidate, row, engine) for row in rows]
