"""Verbs that keep an answer alive: revalidate, drift, schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AllowCode, AsJson, EventsAsJson, PlanFile, TaskOfPlan, granted, tell
from ladder.exit_codes import say
from ladder.wording import in_json


def revalidate(
    plan: PlanFile,
    if_due: Annotated[bool, typer.Option("--if-due", help="Do nothing before it is due.")] = False,
    rotate: Annotated[
        Path | None,
        typer.Option("--rotate", help="Fresh labelled rows, in place of a part of the eval set."),
    ] = None,
    task: TaskOfPlan = None,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Measure a certified answer again; exit 1 when something changed."""
    from datetime import UTC, datetime

    from ladder.commands.revalidate import lines
    from ladder.lifecycle.in_turn import UnderWayError
    from ladder.lifecycle.plan import find_plan, load_plan
    from ladder.lifecycle.revalidate import as_record, from_the_future, is_due
    from ladder.lifecycle.revalidate import revalidate as measure_again
    from ladder.report.events import answered, watching

    with watching(json, on_the_side=True) as watch:
        plan = find_plan(plan)
        loaded = load_plan(plan)
        now = datetime.now(UTC)
        for line in from_the_future(plan, loaded, now.date()):
            say(line)
        due = not if_due or is_due(plan, loaded, now.date())
        why = "" if due else f"Not due: checked within the last {loaded.every_days} days."
        try:
            if due:
                found = measure_again(
                    plan, watch, granted(allow_code), rotate_in=rotate, task_file=task
                )
                code = 1 if found.findings else 0
                answered(watch, code, plan.parent, lambda: {"due": True, **as_record(found, now)})
        except UnderWayError as error:
            if not if_due:
                raise
            why = f"Left to the check that is under way. {error}"
        if why:
            answered(watch, 0, plan.parent, lambda: {"due": due})
    if why:
        typer.echo(why, err=json)
        return
    for line in lines(found, loaded):
        typer.echo(line, err=json)
    raise typer.Exit(code)


def drift(
    plan: PlanFile,
    data: Annotated[Path, typer.Option("--data", help="Rows that came in since.")],
    reference: Annotated[
        Path | None, typer.Option(help="Rows to compare with; default: the eval examples.")
    ] = None,
    inputs_only: Annotated[
        bool,
        typer.Option("--inputs-only", help="Leave targets out: answer no row, compare no labels."),
    ] = False,
    task: TaskOfPlan = None,
    as_json: AsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Compare recent rows with the certified ones; exit 1 when inputs or score have moved."""
    from datetime import UTC, datetime

    from rich.console import Console

    from ladder.commands.drift import lines
    from ladder.lifecycle.drift import RECORD, look_for_drift, looks_so_far
    from ladder.lifecycle.plan import find_plan
    from ladder.lifecycle.records import from_the_future
    from ladder.report.live import Live

    plan = find_plan(plan)
    so_far, today = looks_so_far(plan), datetime.now(UTC).date()
    for line in from_the_future(plan.parent / RECORD, so_far, today):
        say(line)
    found = look_for_drift(
        plan,
        data,
        Live(Console(stderr=True)),
        reference=reference,
        answering=not inputs_only,
        granted=granted(allow_code),
        task_file=task,
    )
    if as_json:
        typer.echo(in_json(found.look.model_dump_json(indent=2)))
    else:
        for line in lines(found):
            tell(line)
    raise typer.Exit(1 if found.look.alarms else 0)


def schedule(
    plan: PlanFile,
    target: Annotated[
        str, typer.Option(help="cron, systemd, kubernetes, github, gitlab or airflow.")
    ] = "cron",
    time_zone: Annotated[
        str, typer.Option(help="Of the weekly tick, e.g. Europe/Berlin; default: this machine's.")
    ] = "",
    image: Annotated[
        str, typer.Option(help="The container image (kubernetes: required; gitlab).")
    ] = "",
    into: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the files into this folder.")
    ] = None,
    task: TaskOfPlan = None,
) -> None:
    """Print a job that runs the revalidation; nothing is installed."""
    from ladder.commands.schedule import make_job, write_files
    from ladder.lifecycle.plan import find_plan
    from ladder.lifecycle.schedules import TARGETS
    from ladder.lifecycle.schedules.job import as_text, is_zone, zone_here

    if target not in TARGETS:
        raise typer.BadParameter(
            f"{target}: targets are {', '.join(TARGETS)}", param_hint="--target"
        )
    if time_zone and not is_zone(time_zone):
        wanted = "a name of the IANA database, such as Europe/Berlin or UTC, is wanted"
        raise typer.BadParameter(f"{time_zone}: {wanted}", param_hint="--time-zone")
    zone = time_zone or zone_here()
    files = TARGETS[target](make_job(find_plan(plan), zone, image, task))
    if not time_zone:
        say(f"Time zone: {zone}. Another one: --time-zone")
    if into is None:
        typer.echo(as_text(files), nl=False)
        return
    for path in write_files(files, into):
        tell(f"wrote {path}")
