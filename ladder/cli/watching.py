"""The verb that watches over what others should do: status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AsJson, tell
from ladder.wording import in_json


def status(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUNS_OR_PLAN]...", help="Folders of runs, runs, or plans."),
    ] = None,
    max_age: Annotated[
        str, typer.Option(help="Alarm when nothing has checked a plan for so long: 100d, 14w, 36h.")
    ] = "100d",
    ends_within: Annotated[
        int, typer.Option(help="Alarm so many days before a model's end.", min=0, max=36_500)
    ] = 90,
    every: Annotated[
        bool, typer.Option("--all", help="Count plans that newer ones have replaced, too.")
    ] = False,
    prometheus: Annotated[
        Path | None, typer.Option(help="Write the figures into this file for node_exporter: *.prom")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how certified answers stand; exit 1 on silence, on what was found, before a model ends.

    To be run somewhere else than the checks: a machine that is off alarms nobody.
    """
    from datetime import UTC, datetime, timedelta

    from ladder.commands.status import age_of, lines, write_prometheus
    from ladder.lifecycle.status import Limits, status_of

    try:
        limits = Limits(age_of(max_age), timedelta(days=ends_within))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-age") from None
    if prometheus is not None and prometheus.suffix != ".prom":
        said = f"{prometheus}: node_exporter reads files whose names end in .prom"
        raise typer.BadParameter(said, param_hint="--prometheus")
    found = status_of(paths or [Path("runs")], datetime.now(UTC), limits, every=every)
    if prometheus is not None:
        write_prometheus(prometheus, found)
    if as_json:
        typer.echo(in_json(found.model_dump_json(indent=2)))
    else:
        for line in lines(found):
            tell(line)
    raise typer.Exit(1 if found.alarms else 0)
