"""The verb that says what serving an answer takes: size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AsJson, tell
from ladder.wording import in_json


def size(  # noqa: PLR0913 - each is an option of the command line
    run: Annotated[Path, typer.Argument(help="A run's folder, or a folder of runs (the newest).")],
    requests_per_month: Annotated[
        int | None, typer.Option(min=1, max=10**12, help="The volume; default: the task's.")
    ] = None,
    peak: Annotated[
        float | None,
        typer.Option(min=1e-9, max=1e6, help="Requests a second in the busiest hour."),
    ] = None,
    p95: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Milliseconds for 95 % of them; default: the gate's."),
    ] = None,
    usd_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of one machine; default: the task's.")
    ] = None,
    against: Annotated[
        str, typer.Option(help="openai:MODEL@URL: its listed price beside owning.")
    ] = "",
    target: Annotated[str, typer.Option(help="compose or kubernetes: print its files.")] = "",
    engine: Annotated[str, typer.Option(help="vllm or llama.cpp.")] = "",
    region: Annotated[str, typer.Option(help="Where it must run, as the cloud names it.")] = "",
    image: Annotated[str, typer.Option(help="The engine's container image.")] = "",
    into: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the files into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many machines, how much memory and money serving a run's answer takes."""
    from ladder.commands.schedule import write_files
    from ladder.commands.size import SizeOptions, lines, serving_files, size_run
    from ladder.lifecycle.schedules.job import as_text
    from ladder.lifecycle.serving import PLATFORMS

    _refuse_unknown(target, engine)
    if not (target or into):
        _refuse_alone({"--engine": engine, "--region": region, "--image": image})
    found = size_run(run, SizeOptions(requests_per_month, peak, p95, usd_per_hour, against))
    files: dict[str, str] = {}
    for platform in [target] if target else PLATFORMS if into else ():
        files |= serving_files(found, platform, engine, region, image)
    if as_json:
        typer.echo(in_json(_json(found.as_record() | {"files": files})))
    elif into is None and files:
        typer.echo(as_text(files), nl=False)
    else:
        for line in lines(found):
            tell(line)
    for path in write_files(files, into) if into else ():
        typer.echo(f"wrote {path}", err=as_json)
    raise typer.Exit(1 if found.sizing.machines is None else 0)


def _refuse_unknown(target: str, engine: str) -> None:
    from ladder.lifecycle.serving import PLATFORMS
    from ladder.lifecycle.serving.service import ENGINES

    for given, known, hint in ((target, PLATFORMS, "--target"), (engine, ENGINES, "--engine")):
        if given and given not in known:
            raise typer.BadParameter(f"{given}: there are {', '.join(known)}", param_hint=hint)


def _refuse_alone(of_files: dict[str, str]) -> None:
    for hint, given in of_files.items():
        if given:
            raise typer.BadParameter("it is for files: --target or --into", param_hint=hint)


def _json(record: object) -> str:
    import json

    return json.dumps(record, indent=2, ensure_ascii=False)
