"""The verbs: parse, call one function, print, exit.

Exit codes: 0 a rung passed and the test set does not refute it; 1 none did, a check found a change,
or synthetic rows were refused; 2 the user's input is wrong, the machine cannot do it, or too many
requests failed for a verdict; 3 a bug (the log is named); 130 Ctrl-C, 143 `kill`, 129 the terminal
was closed, 141 nobody reads the output any more.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from ladder.cli import (
    auditing,
    bundling,
    deciding,
    exporting,
    keeping,
    probing,
    promoting,
    releasing,
    serving,
    showing,
    sizing,
    training,
    watching,
)
from ladder.ending import end_on_signals, flush, has_ended, open_streams
from ladder.exit_codes import INTERRUPTED, PIPE_CLOSED, SIGNALLED, code_of, say
from ladder.redaction import hide_from_output
from ladder.trust.egress import let_go, refused
from ladder.trust.quiet import be_quiet
from ladder.wording import MOST_SAID, harmless

STOPPED = "Stopped. What was measured is kept: run the same command to go on."
STOPS: dict[str, str] = {
    **dict.fromkeys(("assess", "train", "synth", "revalidate", "release", "deprecate"), STOPPED),
    "view": "Ended: the runs are no longer shown.",
    "serve": "Ended: nothing is answered any more.",
    "bundle": "Stopped. What is whole is kept: run the same command to go on.",
}
"""What is said of a verb that is told to end; other verbs keep nothing that could go on."""

VERBS: dict[str, Callable[..., Any] | typer.Typer] = {
    "init": deciding.init,
    "import": deciding.import_,
    "check": deciding.check,
    "trust": deciding.trust,
    "freeze": auditing.freeze,
    "assess": deciding.assess,
    "report": showing.report,
    "compare": showing.compare,
    "view": showing.view,
    "card": showing.card,
    "recipes": training.recipes,
    "train": training.train,
    "synth": training.synth,
    "export": exporting.export,
    "passport": training.passport,
    "serve": serving.serve,
    "revalidate": keeping.revalidate,
    "drift": keeping.drift,
    "probe": probing.probe,
    "size": sizing.size,
    "schedule": keeping.schedule,
    "release": releasing.release,
    "status": watching.status,
    "promote": promoting.promote,
    "rollback": promoting.rollback,
    "models": promoting.models,
    "deprecate": promoting.deprecate,
    "audit": auditing.audit,
    "bundle": bundling.bundle,
    "doctor": showing.doctor,
}
"""To add a verb: a function, or a `typer.Typer` of several, and a line here."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Decide whether to fine-tune: prompt, then RAG, then LoRA, then a distilled student; "
    "the first that passes your gate is the answer.",
    epilog="Exit codes: 0 a rung passed and the test set does not refute it, 1 none did (or a "
    "check found a change, or synthetic rows were refused), 2 your input is wrong, the machine "
    "cannot do it, or too many requests failed, 3 a bug (the log is named), 130 Ctrl-C, 143 ended "
    "by `kill`.",
)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Print the version when asked for it."""
    import warnings

    warnings.formatwarning = _warning
    if show:
        from ladder import __version__

        typer.echo(f"ladder {__version__}")
        raise typer.Exit(0)


for name, verb in VERBS.items():
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=name)
    else:
        app.command(name)(verb)


def main() -> None:
    """Run the program and turn every ending into its exit code."""
    open_streams()
    hide_from_output()
    be_quiet()
    warnings.showwarning = _note
    received = end_on_signals()
    try:
        try:
            code = app(standalone_mode=False) or 0  # an Exit's code comes back as the value
        finally:
            _say_refused()
            let_go()
            has_ended(received)
    except BaseException as error:
        code = INTERRUPTED if received[0] else code_of(error)
    if received[0]:
        code = SIGNALLED + received[0]
    if code > SIGNALLED and code != PIPE_CLOSED:
        say(STOPS.get("".join(sys.argv[1:2]), "Stopped."))
    lost = flush()
    if lost is not None and code < SIGNALLED:
        code = code_of(lost)
    sys.exit(code)


def _say_refused() -> None:
    """Say which connections were refused: who wanted one may have kept the error to itself."""
    for found, times in refused().items():
        often = f", {times} times" if times > 1 else ""
        say(f"refused: {found.by} wanted to connect to {found.host}:{found.port or '?'}{often}")


def _note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say a warning of our own as a sentence; those of libraries with their place."""
    own = category is UserWarning and Path(filename).is_relative_to(Path(__file__).parent.parent)
    said = (
        f"Note: {message}\n" if own else warnings.formatwarning(message, category, filename, lineno)
    )
    say(said.rstrip("\n"))


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return a warning as one line: a library's may quote what it has read."""
    return f"{filename}:{lineno}: {category.__name__}: {harmless(str(message), MOST_SAID)}\n"
