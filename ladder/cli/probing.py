"""The verb that looks at the model itself: probe."""

from __future__ import annotations

import typer

from ladder.cli.options import AllowCode, AsJson, PlanFile, granted, tell
from ladder.exit_codes import say
from ladder.wording import in_json


def probe(plan: PlanFile, as_json: AsJson = False, allow_code: AllowCode = False) -> None:
    """Look whether the certified model is still what answers; exit 1 when it is not."""
    from datetime import UTC, datetime

    from rich.console import Console

    from ladder.commands.probe import lines
    from ladder.lifecycle.plan import find_plan
    from ladder.lifecycle.probing import RECORD, probes_so_far
    from ladder.lifecycle.probing import probe as look
    from ladder.lifecycle.records import from_the_future
    from ladder.report.live import Live

    plan = find_plan(plan)
    so_far, today = probes_so_far(plan), datetime.now(UTC).date()
    for line in from_the_future(plan.parent / RECORD, so_far, today):
        say(line)
    found = look(plan, Live(Console(stderr=True)), granted(allow_code))
    if as_json:
        typer.echo(in_json(found.look.model_dump_json(indent=2)))
    else:
        for line in lines(found):
            tell(line)
    raise typer.Exit(0 if found.look.verdict == "same" else 1)
