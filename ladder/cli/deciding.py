"""Verbs up to the decision: init, import, check, trust, assess."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ladder.cli.options import (
    AllowCode,
    AnswerType,
    DataFolder,
    EventsAsJson,
    Goal,
    InputColumn,
    MinScore,
    RayCluster,
    RunsFolder,
    TakeProposals,
    TargetColumn,
    TaskFile,
    granted,
    on_ray,
    tell,
)
from ladder.wording import harmless

if TYPE_CHECKING:
    from ladder.commands.proposal import Talk
    from ladder.evidence import Assessment, Recommendation
    from ladder.report.events import Events
    from ladder.report.live import Live
    from ladder.task import Task
    from ladder.trust.code import Granted
    from ladder.trust.isolation import Inside

NO_VERDICT = 2
Until = Annotated[
    str | None,
    typer.Option(help="Climb no higher than this rung: prompt, rag, lora or distill."),
]
Anyway = Annotated[
    bool,
    typer.Option("--climb", help="Measure the rungs though no language model is needed."),
]


def init(  # noqa: PLR0913 - each is an option of the command line
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA|FOLDER",
            help="A file of rows (or train, validation and test, or a folder of them, or the id of "
            "a data set) and a new folder; without rows, a small task to start from.",
        ),
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option(help="What may be read: a file of rows, or a folder of .txt and .md files."),
    ] = None,
    target: TargetColumn = "",
    column: InputColumn = "",
    answer: AnswerType = "",
    goal: Goal = "",
    min_score: MinScore = None,
    yes: TakeProposals = False,
    download: Annotated[
        bool, typer.Option("--download", help="Load a data set from the Hugging Face hub.")
    ] = False,
) -> None:
    """Write a task for a file of rows, read off the rows; or a small one to start from."""
    from ladder.commands.init import init_from_rows, is_data, write_starter
    from ladder.commands.proposal import Wishes

    there = places or [Path("my-task")]
    wishes = Wishes(goal, min_score, target, column, answer, documents, yes)
    if any(map(is_data, there)):
        init_from_rows(there, wishes, _talk(), download=download)
        return
    if download or wishes != Wishes(takes_proposals=yes) or len(there) > 1:
        raise typer.BadParameter("name a file of rows first: ladder init rows.csv")
    write_starter(there[0])
    path = there[0] / "task.yaml"
    tell(f"Wrote {path} and its rows. Next: ladder check {path}")


def import_(  # noqa: PLR0913 - each is an option of the command line
    source: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="What another tool has written.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of the new task; default: by its name.")
    ] = None,
    form: Annotated[
        str, typer.Option("--from", help="The format; default: told by the content.")
    ] = "",
    target: TargetColumn = "",
    column: InputColumn = "",
    answer: AnswerType = "",
    goal: Goal = "",
    min_score: MinScore = None,
    yes: TakeProposals = False,
) -> None:
    """Write a task for what another tool holds: OpenAI Evals, promptfoo, Inspect, lm-eval and more.

    Also DeepEval's and Ragas' test sets. Nothing of the source is run or fetched; what cannot be
    carried over is listed.
    """
    from ladder.commands.imports import import_task
    from ladder.commands.proposal import Wishes

    wishes = Wishes(goal, min_score, target, column, answer, None, yes)
    import_task(source, folder, form, wishes, _talk())


def _talk() -> Talk:
    """Return how a proposal is talked over: questions are asked at a terminal alone."""
    from rich.console import Console

    from ladder.commands.proposal import Talk
    from ladder.report.live import Live

    return Talk(tell, Live(Console(stderr=True)), _asked if sys.stdin.isatty() else None)


def _asked(question: str, proposal: str) -> str:
    """Ask the person at the terminal."""
    return str(typer.prompt(harmless(question), default=harmless(proposal) or None))


def check(
    task: TaskFile,
    data: DataFolder = None,
    connect: Annotated[
        bool | None,
        typer.Option(
            "--connect/--offline",
            help="Greet every endpoint, or none; default: those here and those you have a key for.",
        ),
    ] = None,
    abilities: Annotated[
        bool,
        typer.Option(
            "--abilities",
            help="Also ask greeted endpoints what they support: some 17 requests each.",
        ),
    ] = False,
    until: Until = None,
    anyway: Anyway = False,
) -> None:
    """Read a task and its rows; report every mistake, and what rows and endpoints can tell."""
    from ladder.commands.check import check_task
    from ladder.commands.endpoints import Greet
    from ladder.task import load_task

    greet: Greet = "known" if connect is None else "all" if connect else "none"
    climbs = until is not None or anyway
    if until is not None:
        _refuse_strange_rung(until, load_task(task, data).rungs)
    for line in check_task(task, data, greet, climbs=climbs, abilities=abilities):
        tell(line)


def trust(
    task: TaskFile,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Show the code that a task names, and write down that it may run."""
    from ladder.commands.trust import code_lines, trust_all
    from ladder.task import load_task

    loaded = load_task(task)
    lines, codes = code_lines(loaded)
    for line in lines:
        tell(line)
    if codes and not yes and not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked: read it, then add --yes")
    if codes and (yes or typer.confirm("Have you read it, and may it run?")):
        tell(f"written to {trust_all(loaded, codes)}")


def assess(  # noqa: PLR0913 - each is an option of the command line
    task: TaskFile,
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    every: Annotated[bool, typer.Option("--all", help="Measure every rung.")] = False,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and stop.")
    ] = False,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
    anyway: Anyway = False,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="Report it to mlflow, wandb or trackio too, or to none."),
    ] = None,
    isolated: Annotated[
        bool,
        typer.Option("--isolated", help="Climb without a network, and certify that nothing left."),
    ] = False,
    ray: RayCluster = None,
) -> None:
    """Climb until a rung passes; leave a recommendation and a revalidation plan."""
    from ladder.files import whole_path
    from ladder.report.events import answered, watching
    from ladder.trust.isolation import enter

    inside = enter() if isolated else None
    if dry_run and json:
        raise typer.BadParameter("the forecast is a table: leave --json out", param_hint="--json")
    if dry_run:
        loaded = _to_climb(task, data, until, "nothing", anyway, report_to)
        _forecast(loaded, whole_path(runs), until)
        return
    with watching(json) as watch:
        from ladder.report.terminal import show

        loaded = _to_climb(task, data, until, granted(allow_code), anyway, report_to)
        loaded = on_ray(loaded, ray)
        watch.say(f"{loaded.name} · {loaded.models.base}")
        found, folder = _climbed(loaded, whole_path(runs), watch, inside, until=until, every=every)
        code = _exit_code(found.recommendation)
        answered(watch, code, folder, lambda: found.model_dump(mode="json"))
    show(found, folder, watch.console)
    raise typer.Exit(code)


def _climbed(
    task: Task,
    runs: Path,
    watch: Live | Events,
    inside: Inside | None,
    *,
    until: str | None,
    every: bool,
) -> tuple[Assessment, Path]:
    """Climb, and certify what of a run without a network tried to leave."""
    from ladder.commands.assess import assess as climb
    from ladder.commands.isolated import certifying

    ahead = watch.looks_ahead
    with certifying(inside, task, watch) as certify:
        return climb(task, runs, watch, until=until, every=every, forecast=ahead, certify=certify)


def _to_climb(
    path: Path,
    data: Path | None,
    until: str | None,
    granted: Granted,
    anyway: bool,
    report_to: list[str] | None,
) -> Task:
    """Read a task, changed as the command line says."""
    from ladder.task import load_task

    task = load_task(path, data, granted)
    _refuse_strange_rung(until, task.rungs)
    if anyway or until is not None:
        task = task.climbing()
    if report_to:
        task = task.reporting_to([name for one in report_to for name in one.split(",")])
    return task


def _forecast(task: Task, runs: Path, until: str | None) -> None:
    """Print what a climb would take."""
    from rich.console import Console

    from ladder.commands.forecast import forecast
    from ladder.report.live import Live

    typer.echo(forecast(task, runs, Live(Console(stderr=True)), until=until))


def _refuse_strange_rung(until: str | None, rungs: Sequence[str]) -> None:
    """Refuse a rung that the task does not have."""
    if until is not None and until not in rungs:
        here = ", ".join(rungs)
        raise typer.BadParameter(f"{until}: this task's rungs are {here}", param_hint="--until")


def _exit_code(answer: Recommendation) -> int:
    """Return 0 for what passed, 1 for nothing or a lean to pass, 2 without a verdict."""
    if answer.withheld:
        return NO_VERDICT
    found = answer.control or answer.rung is not None
    return 0 if found and not answer.leans_to_pass else 1
