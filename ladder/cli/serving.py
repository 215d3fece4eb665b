"""The verb that answers from a certified system: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from ladder.cli.options import AllowCode, PlanFile, granted, tell

SERVE_PORT = 8138


def serve(
    run: PlanFile,
    systemone: Annotated[
        bool, typer.Option("--systemone", help="Answer POST /v1/systemone.")
    ] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Answer POST /v1/decisions, as OpenAI's.")
    ] = False,
    certified: Annotated[
        bool,
        typer.Option("--certified", help="Answer only above the threshold that the run certified."),
    ] = False,
    host: Annotated[str, typer.Option(help="Where to listen; default: this machine alone.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int, typer.Option(help="Where to listen; 0: any free port.", min=0, max=65535)
    ] = SERVE_PORT,
    allow_code: AllowCode = False,
) -> None:
    """Answer typed decisions from the system that a run chose; both forms, unless one is named.

    For trying and for small loads: one model, one process, nothing kept of what is asked.
    """
    from ladder.commands.serve import serve as serve_on
    from ladder.lifecycle.served import deciding
    from ladder.report.events import watching

    named = {"systemone": systemone, "decisions": decisions}
    forms = [form for form, wanted in named.items() if wanted] or list(named)
    with (
        watching(False, on_the_side=True) as watch,
        deciding(run, watch, granted(allow_code), certified_only=certified) as system,
    ):
        serve_on(system, forms, host, port, tell)
