"""A task proposed for a user's rows, read as `ladder check` reads them; each choice has its reason.

No model is asked, and nothing is measured.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ladder.errors import DataError, Problem, TaskError
from ladder.evidence import DataReport
from ladder.gate.planning import detectable_score
from ladder.importers import NOTHING_STATED, Stated
from ladder.progress import Watch
from ladder.samples.column_roles import (
    Chosen,
    Doubt,
    choose_columns,
    column_of_ids,
    column_of_parts,
    document_columns,
    lacks_a_header,
)
from ladder.samples.columns import column_lines
from ladder.samples.data import Data
from ladder.samples.describe import describe_data, example_line, headline, odd_targets
from ladder.samples.formats import Findings, raw_rows, whole_text
from ladder.samples.layouts import OWN, shared_instruction, shared_system
from ladder.samples.loading import load_data
from ladder.samples.proposing import (
    ANSWER_TYPES,
    AnswerType,
    Form,
    Gate,
    are_objects,
    fields_of,
    form_of,
    gate_for,
    goal_for,
    is_number,
    labels_of,
    rule_of_labels,
    scores_for,
)
from ladder.samples.reading import read_rows
from ladder.samples.rows import Rows, Sample
from ladder.samples.splits import all_samples
from ladder.samples.values import plain, text_of
from ladder.task import ColumnName, GateLimits, Task, kind_of_data
from ladder.wording import harmless

SAMPLES_SHOWN = 5
VALUE_SHOWN = 60
AS_SAID = "as you say"
LEAST_GOAL = 3
"""Characters."""
UNSAID: dict[str, Any] = {
    "name": "rows",
    "goal": "(not said yet)",
    "score": "exact_match",
    "gate": {"min_score": 0.5},
}
"""Of a task with which rows are read before there is one."""
GENERIC = {"input", "target", "targets", "text", "label", "labels", "output", "answer", "answers"}
"""Names of columns that say nothing of what they hold."""

Numbered = list[tuple[str, Mapping[str, Any]]]
Sources = Mapping[str, Path]
"""Role -> its file."""


@dataclass(frozen=True)
class Wishes:
    """What the user says beforehand; what is empty is inferred, proposed or asked."""

    goal: str = ""
    min_score: float | None = None
    target: str = ""
    input: str = ""
    answer: str = ""
    documents: Path | None = None
    takes_proposals: bool = False


@dataclass(frozen=True)
class Talk:
    """How the user is told, and asked."""

    tell: Callable[[str], None]
    watch: Watch
    ask: Callable[[str, str], str] | None = None
    """A question and its proposal -> the answer; None: nobody is there, or is to be asked."""


@dataclass(frozen=True)
class Look:
    """Files of rows as they are, and the columns that are read."""

    sources: Sources
    numbered: Mapping[str, Numbered]
    chosen: Chosen
    columns: Mapping[ColumnName, str]
    """As `data.columns` has them."""

    @property
    def data(self) -> dict[str, Any]:
        """The `data` section of a task that reads the files where they are."""
        files = {role: str(path) for role, path in self.sources.items()}
        return {**files, "columns": dict(self.columns)}

    def read(self, form: AnswerType) -> Rows:
        """Return the rows, their targets read as those of a form of answer."""
        values = {**UNSAID, "data": self.data, "answer": {"type": form}}
        return read_rows(Task.model_validate(values))


@dataclass(frozen=True)
class Proposal:
    """A task for a user's rows, and why it is so."""

    task: Task
    """Reads the files where they are."""
    data: Data
    form: Form
    score_why: str
    gate: Gate
    look: Look

    @cached_property
    def report(self) -> DataReport:
        """What the rows can prove of the gate."""
        return describe_data(self.task, self.data)


def propose(
    name: str, sources: Sources, wishes: Wishes, talk: Talk, stated: Stated = NOTHING_STATED
) -> Proposal:
    """Return a task for files of rows.

    Args:
        name: the task's.
        sources: role -> its file.
        wishes: what the user said.
        talk: asks where several columns may be the one.
        stated: what the rows' source says of the task; the user's word goes before it.

    Raises:
        TaskError: a question that nobody is there to answer, or a wish that cannot be.
        DataError: what is wrong with the files.
    """
    _refuse_wishes(wishes)
    look = look_at(sources, wishes, talk)
    form, rows = _form(look, wishes.answer)
    samples = all_samples(rows)
    score, score_why = _scores(form, samples, stated)
    labels = _labels_to_list(form, (*rows.examples, *rows.train, *rows.dev))
    goal = wishes.goal or stated.goal or _goal(look, form, samples)
    values = {"name": name, "goal": goal, "data": look.data, "score": score}
    values |= {"answer": {"type": form.type, "labels": labels}, "gate": {"min_score": 0.5}}
    task = Task.model_validate(values)
    data = load_data(task, None, talk.watch)
    units, systems = len({sample.unit for sample in data.gate}), data.systems(task)
    gate = gate_for(units, systems, form.commonest)
    if wishes.min_score is not None:
        gate = _gate_as_said(wishes.min_score, units, systems)
    elif stated.min_score is not None:
        gate = _gate_as_said(stated.min_score, units, systems, stated.gate_why)
    return Proposal(_with_gate(task, gate), data, form, score_why, gate, look)


def with_answers(found: Proposal, goal: str, min_score: float) -> Proposal:
    """Return a proposal with the user's goal and least score."""
    task = found.task.model_copy(update={"goal": goal})
    if min_score == found.gate.min_score:
        return replace(found, task=task)
    units = len({sample.unit for sample in found.data.gate})
    gate = _gate_as_said(min_score, units, found.data.systems(task))
    return replace(found, task=_with_gate(task, gate), gate=gate)


def _gate_as_said(min_score: float, units: int, systems: int, said: str = AS_SAID) -> Gate:
    provable = detectable_score(units, GateLimits(min_score=min_score), systems) is not None
    why = said if provable else f"{said}; {units} eval examples cannot prove it"
    return Gate(min_score, why, provable)


def _scores(
    form: Form, samples: Sequence[Sample], stated: Stated
) -> tuple[list[dict[str, Any]], str]:
    """Return the scorers, as a task file has them, and why: the source's, where they fit the form.

    A label is right or wrong, and a number or an object has a scorer of its own.
    """
    names, why = scores_for(form.type, [sample.target for sample in samples])
    own = [{each.name: each.parameters} for each in stated.score]
    usual: list[dict[str, Any]] = [{name: {}} for name in names]
    if not own:
        return usual, why
    named = ", ".join(each.name for each in stated.score)
    if form.type == "text" or named == names[0]:
        return own, f"the source says {stated.score_why}"
    said = f"{why}; the source says {stated.score_why}"
    return usual, said


def _with_gate(task: Task, gate: Gate) -> Task:
    values: dict[str, Any] = {"min_score": gate.min_score}
    values |= {} if gate.provable else {"when_undecided": "lean"}
    return task.model_copy(update={"gate": GateLimits.model_validate(values)})


def _refuse_wishes(wishes: Wishes) -> None:
    problems = []
    if wishes.answer not in ("", *ANSWER_TYPES):
        wanted = f"one of {', '.join(ANSWER_TYPES)}"
        problems.append(Problem("--answer", f"`{wishes.answer}`", wanted))
    if fault := fault_of_goal(wishes.goal) if wishes.goal else "":
        problems.append(Problem("--goal", f"`{wishes.goal}`", fault))
    if wishes.min_score is not None and not 0 < wishes.min_score <= 1:
        problems.append(Problem("--min-score", f"{wishes.min_score:g}", "above 0, at most 1"))
    if problems:
        raise TaskError(problems)


def fault_of_goal(goal: str) -> str:
    """Return what a goal must be that it is not; empty where nothing is wrong with it."""
    return "" if len(goal.strip()) >= LEAST_GOAL else "a sentence that says what the task is"


# What is said of a proposal.


def proposal_lines(found: Proposal, names: Mapping[str, str]) -> Iterator[str]:
    """Yield what was understood of the rows, what is proposed and why, and what it can prove.

    Args:
        found: the proposal.
        names: role -> the name of its file beside the task.
    """
    task, data = found.task, found.data
    yield from column_lines([replace(each, file=names[each.role]) for each in data.files])
    yield from found.look.chosen.reasons
    yield f"answer: {task.answer.type} · {found.form.why}"
    if found.form.type != "json" and found.form.why != AS_SAID:
        yield f"rule: {rule_of_labels()}"
    yield f"score: {', '.join(choice.name for choice in task.score)} · {found.score_why}"
    for role, said in parts_of_files(found).items():
        yield f"data: {role}: {names[role]} · {said}"
    yield f"gate: {task.gate.min_score:g} · {found.gate.why}"
    yield f"goal: {task.goal}"
    yield from _notes(found)
    yield from map(example_line, _unlike((*data.train, *data.dev, *data.gate)))
    yield from odd_targets(task, data)
    yield headline(task, found.report)


def _notes(found: Proposal) -> Iterator[str]:
    """Say what the user knows and the rows do not."""
    if found.form.labels and all(map(is_number, found.form.labels)):
        yield "note: the labels are numbers: say in the goal what each of them means"


def parts_of_files(found: Proposal) -> dict[str, str]:
    """Return role -> what the rows of its file are for, in words."""
    report = found.report
    given = "dev" in found.look.sources
    learnt = f"{report.train} train"
    if report.train and not given:
        learnt += f" · {report.dev} dev"
    held = f"{report.gate} eval · {report.sealed} test · {report.reserve} in reserve"
    said = {"train": learnt, "dev": f"{report.dev} dev", "test": held}
    said["documents"] = f"{report.documents} documents"
    parts = found.task.data.columns.get("split")
    by = f"split as `{parts}` says" if parts else "split by ladder"
    said["examples"] = f"{by}: {learnt} · {held}"
    return {role: said[role] for role in found.look.sources}


def _unlike(samples: Sequence[Sample]) -> list[Sample]:
    """Return the first samples, those with an answer of their own before others."""
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.target, sample)
    ids = {sample.id for sample in first.values()}
    others = (sample for sample in samples if sample.id not in ids)
    return [*first.values(), *others][:SAMPLES_SHOWN]


# What is inferred.


def look_at(sources: Sources, wishes: Wishes, talk: Talk) -> Look:
    """Read files as they are, and choose their columns; where rows leave them open, ask."""
    numbered = {role: _raw(role, path) for role, path in sources.items()}
    _refuse_shared_ids(numbered, sources)
    role = next(iter(numbered))
    chosen = _chosen(numbered[role], sources[role], wishes, talk)
    columns: dict[ColumnName, str] = dict(chosen.columns)
    parts = column_of_parts([row for _, row in numbered[role]]) if role == "examples" else ""
    if parts:
        columns["split"] = parts
    documents = numbered.get("documents")
    if documents is not None:
        found = document_columns(documents)
        if isinstance(found, Problem):
            raise DataError([replace(found, where=str(sources["documents"]))])
        ids = {text_of(row.get("id")) for _, row in documents} - {""}
        named = column_of_ids([row for _, row in numbered[role]], ids)
        columns |= found
        if named:
            columns["doc_ids"] = named
    return Look(sources, numbered, chosen, columns)


def _refuse_shared_ids(numbered: Mapping[str, Numbered], sources: Sources) -> None:
    """Refuse files that both count their rows in `id`: said once, not for each row."""
    if not {"train", "test"} <= numbered.keys():
        return
    train, test = (
        dict.fromkeys(text_of(row.get("id")) for _, row in numbered[role])
        for role in ("train", "test")
    )
    shared = [one for one in test if one and one in train]
    if shared:
        got = f"{len(shared)} ids that stand in {sources['train'].name} too, such as `{shared[0]}`"
        fix = "Take the column out, or give every row an id of its own."
        where = f"{sources['test']}: id"
        raise DataError([Problem(where, got, "an id of its own for every row", fix)])


def _raw(role: str, path: Path) -> Numbered:
    """Return the rows of a file, with its columns as it names them."""
    findings = Findings()
    task = Task.model_validate({**UNSAID, "data": {role: str(path)}})
    read = [(where, plain(row)) for where, row in raw_rows(task, role, str(path), findings)]
    numbered = list(whole_text(read, findings.problems))
    if findings.problems:
        raise DataError(findings.problems)
    if not numbered:
        raise DataError([Problem(str(path), "no rows", "a row for every example", "Fill it.")])
    if kind_of_data(path.name) == "csv" and lacks_a_header([row for _, row in numbered]):
        got = f"a row ({harmless(', '.join(numbered[0][1]), VALUE_SHOWN)})"
        fix = "Write such a line above the rows: input,target"
        raise DataError([Problem(f"{path}:1", got, "the names of the columns", fix)])
    return numbered


def _chosen(numbered: Numbered, path: Path, wishes: Wishes, talk: Talk) -> Chosen:
    asked, answer = wishes.input, wishes.target
    while True:
        found = choose_columns(numbered, asked, answer)
        if isinstance(found, Chosen):
            return found
        if isinstance(found, Problem):
            raise DataError([replace(found, where=found.where or str(path))])
        if talk.ask is None:
            raise TaskError([_open(found, path)])
        told = _pick(found, [row for _, row in numbered], talk)
        asked, answer = (told, answer) if found.option == "--input" else (asked, told)


def _open(doubt: Doubt, path: Path) -> Problem:
    names = ", ".join(doubt.candidates)
    got = f"{len(doubt.candidates)} columns that may be {doubt.wanted} ({names})"
    said = " or ".join(f"{doubt.option} {shlex.quote(name)}" for name in doubt.candidates[:6])
    return Problem(str(path), got, "one", f"Say which: {said}. {doubt.hint}".rstrip())


def _pick(doubt: Doubt, rows: Sequence[Mapping[str, Any]], talk: Talk) -> str:
    """Let the person choose one of several columns, by its number or name."""
    for number, name in enumerate(doubt.candidates, start=1):
        value = next((text for row in rows if (text := text_of(row.get(name)))), "")
        talk.tell(f"  {number}  {name}: e.g. {harmless(value, VALUE_SHOWN)}")
    if doubt.hint:
        talk.tell(doubt.hint)
    while talk.ask is not None:
        told = talk.ask(f"Which column is {doubt.wanted}? Its number or name", "").strip()
        if told in doubt.candidates:
            return told
        if told.isdecimal() and 1 <= int(told) <= len(doubt.candidates):
            return doubt.candidates[int(told) - 1]
    return ""


def _form(look: Look, answer: str) -> tuple[Form, Rows]:
    """Return the form of the answers, the user's word or by the targets; and the rows so read."""
    if answer in ("", "json"):
        rows = look.read("json")
        targets = [target for sample in all_samples(rows) for target in sample.targets]
        if answer or are_objects(targets):
            why = AS_SAID if answer else "nearly all targets are JSON objects"
            return Form("json", why), rows
    said = next((known for known in ANSWER_TYPES if known == answer), None)
    rows = look.read(said or "text")
    if said is None:
        return form_of(all_samples(rows)), rows
    if said == "label":
        return labels_of(all_samples(rows), AS_SAID), rows
    return Form(said, AS_SAID), rows


def _labels_to_list(form: Form, learnt: Sequence[Sample]) -> list[str]:
    """Return the labels where the task must list them: the training examples lack one."""
    known = {target for sample in learnt for target in sample.targets}
    return sorted(form.labels) if known and set(form.labels) - known else []


def _goal(look: Look, form: Form, samples: Sequence[Sample]) -> str:
    """Propose a goal: the system turn or instruction of all rows, or what the columns say."""
    rows = [row for role, rows in look.numbered.items() if role != "documents" for _, row in rows]
    layout = look.chosen.layout
    of_rows = [(layout, row) for row in rows] if len(rows) > 1 else []
    said = shared_system(of_rows) or shared_instruction(of_rows)
    if not fault_of_goal(said):
        return harmless(said)
    fields = fields_of([sample.target for sample in samples]) if form.type == "json" else ()
    named = layout.needs[0] if layout is not OWN and not layout.is_chat else ""
    asked = _in_words(look.columns.get("input", named))
    target = _in_words(look.columns.get("target", look.columns.get("targets", "")))
    return goal_for(form, asked, target, fields, "documents" in look.sources)


def _in_words(column: str) -> str:
    """Return the name of a column as words of a sentence; empty where it says nothing."""
    words = " ".join(harmless(column, VALUE_SHOWN).replace("_", " ").replace(".", " ").split())
    return "" if column.casefold() in GENERIC else words
