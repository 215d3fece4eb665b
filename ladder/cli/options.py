"""Arguments and options that several verbs share, and how a line is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ladder.wording import MOST_SAID, indented

if TYPE_CHECKING:
    from ladder.task import Task
    from ladder.trust.code import Granted

TaskFile = Annotated[Path, typer.Argument(help="The task file, e.g. task.yaml.")]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="A further folder to find data files in.", exists=True, file_okay=False
    ),
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where runs are kept.")]
AllRuns = Annotated[
    Path | None, typer.Argument(metavar="[RUNS]", help="The folder of all runs; default: runs.")
]
AllRunsNamed = Annotated[Path | None, typer.Option("--runs", help="The same, by name.")]
PlanFile = Annotated[
    Path, typer.Argument(help="A revalidation.yaml, or the folder of the run that wrote it.")
]
TaskOfPlan = Annotated[
    Path | None,
    typer.Option("--task", help="The plan's task file, if it lies elsewhere now."),
]
Artefact = Annotated[Path, typer.Argument(help="The folder of an adapter or a student.")]
BaseModel = Annotated[
    str | None, typer.Option("--base", help="The base under an adapter, if it lies elsewhere now.")
]
AllowCode = Annotated[
    bool,
    typer.Option("--allow-code", help="Let code that the task names run: read it before."),
]
TargetColumn = Annotated[str, typer.Option(help="The column with the right answer.")]
InputColumn = Annotated[str, typer.Option("--input", help="The column that is answered.")]
AnswerType = Annotated[str, typer.Option(help="label, text, number or json.")]
Goal = Annotated[str, typer.Option(help="What the task is, in a sentence.")]
MinScore = Annotated[float | None, typer.Option(help="The least score to pass, 0 to 1.")]
TakeProposals = Annotated[bool, typer.Option("--yes", help="Take what is proposed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
EventsAsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON and nothing else: an object a line, as things happen."),
]
RayCluster = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Compute on this Ray cluster: HOST:PORT, or auto (RAY_ADDRESS).",
    ),
]


def granted(allow_code: bool) -> Granted:
    """Return what of the code that a task names may run."""
    return "all" if allow_code else "trusted"


def tell(line: str) -> None:
    """Print one line, whatever is quoted in it."""
    typer.echo(indented(line, MOST_SAID))


def all_runs(folder: Path | None, named: Path | None) -> Path:
    """Return the folder of all runs, by its place or by its name.

    Raises:
        typer.BadParameter: two are named.
    """
    if folder is not None and named is not None and folder != named:
        raise typer.BadParameter(f"{named}, and {folder} before: name one", param_hint="--runs")
    return folder or named or Path("runs")


def on_ray(task: Task, address: str | None) -> Task:
    """Return a task with its models on a Ray cluster, where one is named.

    Raises:
        typer.BadParameter: it is none.
    """
    if address is None:
        return task
    try:
        return task.on_ray(address)
    except ValueError:
        wanted = f"{address}: wanted HOST:PORT, or auto"
        raise typer.BadParameter(wanted, param_hint="--ray") from None
