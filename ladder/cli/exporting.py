"""The verb that hands on: an artefact as a model, a task as a job for a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ladder.cli.options import BaseModel, DataFolder, tell

if TYPE_CHECKING:
    from ladder.commands.hand_over import Wish


def export(  # noqa: PLR0913 - each is an option of the command line
    what: Annotated[
        Path, typer.Argument(help="The folder of an adapter or a student; or a task file.")
    ],
    to: Annotated[
        str, typer.Option(help="merged or gguf; of a task: rayjob or skypilot.")
    ] = "merged",
    into: Annotated[
        Path | None,
        typer.Option(help="What to write; default: beside it. Of a task, a folder; else printed."),
    ] = None,
    base: BaseModel = None,
    image: Annotated[str, typer.Option(help="The image with ladder, NAME@sha256:… (task).")] = "",
    claim: Annotated[str, typer.Option(help="The volume of task and runs (task).")] = "",
    queue: Annotated[str, typer.Option(help="A queue of Kueue (rayjob).")] = "",
    namespace: Annotated[str, typer.Option(help="Of Kubernetes (rayjob).")] = "",
    gpu: Annotated[str, typer.Option(help="The GPU's name, where there are any (skypilot).")] = "",
    deadline: Annotated[float | None, typer.Option(help="Hours until it is ended (task).")] = None,
    data: DataFolder = None,
) -> None:
    """Write an artefact as a whole model or a GGUF file, or a task as a job for a cluster."""
    from ladder.artefacts.export import TARGETS as FORMS
    from ladder.artefacts.inspection import hand_on
    from ladder.commands.hand_over import Wish
    from ladder.lifecycle.handover import TARGETS

    if to in TARGETS:
        wish = Wish(
            image, claim, queue, namespace, gpu, Wish.hours if deadline is None else deadline
        )
        _hand_over(what, to, into, data, wish)
        return
    if to not in FORMS:
        known = f"forms are {', '.join(FORMS)}; of a task {', '.join(TARGETS)}"
        raise typer.BadParameter(f"{to}: {known}", param_hint="--to")
    of_a_task = {
        "--image": image, "--claim": claim, "--queue": queue, "--namespace": namespace,
        "--gpu": gpu, "--deadline": deadline, "--data": data,
    }  # fmt: skip
    for hint, given in of_a_task.items():
        if given:
            raise typer.BadParameter("it is for a task: --to rayjob", param_hint=hint)
    for line in hand_on(what, to, into, base):
        tell(line)


def _hand_over(file: Path, to: str, into: Path | None, data: Path | None, wish: Wish) -> None:
    """Print the files that hand a task over, or write them into a folder."""
    from ladder.commands.hand_over import make_work
    from ladder.commands.schedule import write_files
    from ladder.lifecycle.handover import TARGETS
    from ladder.lifecycle.schedules.job import as_text
    from ladder.task import load_task

    files = TARGETS[to](make_work(load_task(file, data), wish, to))
    if into is None:
        typer.echo(as_text(files), nl=False)
        return
    for path in write_files(files, into):
        tell(f"wrote {path}")
