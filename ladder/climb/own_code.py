"""Which code a task names, and whether it may run: asked before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ladder.errors import Problem, TaskError
from ladder.models.own_code import digests_count, model_code
from ladder.scorers import code_behind, runs_code
from ladder.task import Task
from ladder.trust.code import Code


@dataclass(frozen=True)
class Named:
    """Code that a task names."""

    where: str
    name: str
    """As the task writes it."""
    code: Code | None
    """None: it is fetched by name, or a trusted package holds it."""
    fetched: bool = False
    """Whether it is fetched, so that no digest stands for it."""


def named_code(task: Task, *, fetch: bool = False) -> list[Named]:
    """Return the code that a task names, without running any of it.

    Args:
        task: the user's job.
        fetch: have the code of a model on the hub fetched, to see its digest.

    Raises:
        TaskError: it is not there, or may not be named.
    """
    found = []
    for choice in task.score:
        if runs_code(choice):
            where = f"{task.source}: score"
            code = code_behind(choice, task.consent, where)
            fetched = code is None and choice.name.startswith("evaluate:")
            found.append(Named(where, choice.name, code, fetched))
    for reference in task.rules.remote_code:
        where = f"{task.source}: rules.remote_code"
        code = model_code(task, reference, where, fetch=fetch)
        found.append(Named(where, reference, code, fetched=code is None))
    return found


def refuse_untrusted(task: Task) -> None:
    """Refuse a task that names code without a person's consent to it.

    Where nothing may run (a dry run), nothing is refused: nothing is run.

    Raises:
        TaskError: with each such name, and the commands that give consent.
    """
    if task.consent.granted == "nothing":
        return
    problems = list(_refused(task))
    if problems:
        raise TaskError(problems)


def _refused(task: Task) -> Iterator[Problem]:
    for named in named_code(task, fetch=digests_count(task)):
        harmless = not named.fetched and (named.code is None or not named.code.files)
        if not harmless and not task.consent.holds_for(named.code):
            yield task.consent.missing(named.where, named.name, named.code)
