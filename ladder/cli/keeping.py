"""Verbs that keep an answer alive: revalidate, drift, schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ladder.cli.options import AllowCode, AsJson, EventsAsJson, PlanFile, granted, tell
from ladder.exit_codes import say
from ladder.wording import MOST_SAID, in_json, indented


def revalidate(
    plan: PlanFile,
    if_due: Annotated[bool, typer.Option("--if-due", help="Do nothing before it is due.")] = False,
    rotate: Annotated[
        Path | None,
        typer.Option("--rotate", help="Fresh labelled rows, in place of a part of the eval set."),
    ] = None,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Measure a certified answer again; exit 1 when something changed."""
    from datetime import UTC, datetime

    from ladder.commands.revalidate import about_errors
    from ladder.lifecycle.plan import find_plan, load_plan
    from ladder.lifecycle.revalidate import as_record, from_the_future, is_due
    from ladder.lifecycle.revalidate import revalidate as measure_again
    from ladder.report.events import answered, watching
    from ladder.wording import span

    with watching(json, on_the_side=True) as watch:
        plan = find_plan(plan)
        loaded = load_plan(plan)
        now = datetime.now(UTC)
        for line in from_the_future(plan, loaded, now.date()):
            say(line)
        due = not if_due or is_due(plan, loaded, now.date())
        if due:
            found = measure_again(plan, watch, granted(allow_code), rotate)
            code = 1 if found.findings else 0
            answered(watch, code, plan.parent, lambda: {"due": True, **as_record(found, now)})
        else:
            answered(watch, 0, plan.parent, lambda: {"due": False})
    if not due:
        typer.echo(f"Not due: checked within the last {loaded.every_days} days.", err=json)
        return
    before = loaded.baseline.gate_rows
    score = span(found.measurement.score) if found.measurement else "not measured"
    typer.echo(f"score {score}, certified {span(before)}", err=json)
    for finding in found.findings:
        typer.echo(indented(f"- {finding}", MOST_SAID), err=json)
    for line in about_errors(found):
        typer.echo(line, err=json)
    typer.echo("Act on this." if found.findings else "The answer still holds.", err=json)
    raise typer.Exit(code)


def drift(
    plan: PlanFile,
    data: Annotated[Path, typer.Option("--data", help="Rows that came in since.")],
    reference: Annotated[
        Path | None, typer.Option(help="Rows to compare with; default: the eval examples.")
    ] = None,
    inputs_only: Annotated[
        bool, typer.Option("--inputs-only", help="Answer no labelled row.")
    ] = False,
    as_json: AsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Compare recent rows with the certified ones; exit 1 when inputs or score have moved."""
    from rich.console import Console

    from ladder.commands.drift import lines
    from ladder.lifecycle.drift import look_for_drift
    from ladder.lifecycle.plan import find_plan
    from ladder.report.live import Live

    found = look_for_drift(
        find_plan(plan),
        data,
        Live(Console(stderr=True)),
        reference=reference,
        answering=not inputs_only,
        granted=granted(allow_code),
    )
    if as_json:
        typer.echo(in_json(found.look.model_dump_json(indent=2)))
    else:
        for line in lines(found):
            tell(line)
    raise typer.Exit(1 if found.look.alarms else 0)


def schedule(
    plan: PlanFile,
    target: Annotated[str, typer.Option(help="cron or github.")] = "cron",
) -> None:
    """Print a job that runs the revalidation; nothing is installed."""
    from ladder.lifecycle.needs import needs_of
    from ladder.lifecycle.plan import find_plan, load_plan, task_of
    from ladder.lifecycle.schedule import TARGETS

    if target not in TARGETS:
        raise typer.BadParameter(
            f"{target}: targets are {', '.join(TARGETS)}", param_hint="--target"
        )
    plan = find_plan(plan)
    loaded = load_plan(plan)
    needs = needs_of(loaded, task_of(plan, loaded))
    typer.echo(TARGETS[target](plan, needs), nl=False)
