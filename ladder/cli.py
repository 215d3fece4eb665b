"""The verbs: parse, call one function, print, exit.

Exit codes: 0 a rung passed and the test set does not refute it; 1 none did, a check found a change,
or synthetic rows were refused; 2 the user's input is wrong, the machine cannot do it, or too many
requests failed for a verdict; 3 a bug (the log is named); 130 Ctrl-C, 143 `kill`, 129 the terminal
was closed, 141 nobody reads the output any more.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ladder.ending import end_on_signals, flush, has_ended, open_streams
from ladder.errors import LadderError
from ladder.exit_codes import INTERRUPTED, PIPE_CLOSED, SIGNALLED, code_of, say
from ladder.redaction import hide_from_output
from ladder.wording import MOST_SAID, harmless, in_json, indented

if TYPE_CHECKING:
    from ladder.commands.proposal import Talk
    from ladder.evidence import Recommendation
    from ladder.task import Task
    from ladder.trust.code import Granted

NO_VERDICT = 2
VIEW_PORT = 8137
STOPPED = "Stopped. What was measured is kept: run the same command to go on."
STOPS: dict[str, str] = {
    **dict.fromkeys(("assess", "train", "synth", "revalidate"), STOPPED),
    "view": "Ended: the runs are no longer shown.",
}
"""What is said of a verb that is told to end; other verbs keep nothing that could go on."""

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


TaskFile = Annotated[Path, typer.Argument(help="The task file, e.g. task.yaml.")]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="A further folder to find data files in.", exists=True, file_okay=False
    ),
]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Where runs are kept.")]
PlanFile = Annotated[
    Path, typer.Argument(help="A revalidation.yaml, or the folder of the run that wrote it.")
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


@app.command()
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
    _tell(f"Wrote {path} and its rows. Next: ladder check {path}")


@app.command("import")
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

    return Talk(_tell, Live(Console(stderr=True)), _asked if sys.stdin.isatty() else None)


def _asked(question: str, proposal: str) -> str:
    """Ask the person at the terminal."""
    return str(typer.prompt(harmless(question), default=harmless(proposal) or None))


@app.command()
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
) -> None:
    """Read a task and its rows; report every mistake, and what rows and endpoints can tell."""
    from ladder.commands.check import check_task
    from ladder.commands.endpoints import Greet

    greet: Greet = "known" if connect is None else "all" if connect else "none"
    for line in check_task(task, data, greet):
        _tell(line)


@app.command()
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
        _tell(line)
    if codes and not yes and not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked: read it, then add --yes")
    if codes and (yes or typer.confirm("Have you read it, and may it run?")):
        _tell(f"written to {trust_all(loaded, codes)}")


@app.command()
def assess(  # noqa: PLR0913 - each is an option of the command line
    task: TaskFile,
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    every: Annotated[bool, typer.Option("--all", help="Measure every rung.")] = False,
    until: Annotated[
        str | None,
        typer.Option(help="Climb no higher than this rung: prompt, rag, lora or distill."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and stop.")
    ] = False,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
    anyway: Annotated[
        bool,
        typer.Option("--climb", help="Measure the rungs though no language model is needed."),
    ] = False,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="Report it to mlflow, wandb or trackio too, or to none."),
    ] = None,
) -> None:
    """Climb until a rung passes; leave a recommendation and a revalidation plan."""
    from ladder.files import whole_path
    from ladder.report.events import answered, watching

    if dry_run and json:
        raise typer.BadParameter("the forecast is a table: leave --json out", param_hint="--json")
    if dry_run:
        loaded = _to_climb(task, data, until, "nothing", anyway, report_to)
        _forecast(loaded, whole_path(runs), until)
        return
    with watching(json) as watch:
        from ladder.commands.assess import assess as climb
        from ladder.report.terminal import show

        loaded = _to_climb(task, data, until, _granted(allow_code), anyway, report_to)
        watch.say(f"{loaded.name} · {loaded.models.base}")
        found, folder = climb(
            loaded, whole_path(runs), watch, until=until, every=every, forecast=watch.looks_ahead
        )
        code = _exit_code(found.recommendation)
        answered(watch, code, folder, lambda: found.model_dump(mode="json"))
    show(found, folder, watch.console)
    raise typer.Exit(code)


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
        task = task.with_gate(when_control_passes="climb")
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


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its assessment.json.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print report.md.")] = False,
    to: Annotated[
        str, typer.Option(help="Print it for other programs: junit, csv, json or promptfoo.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write what --to names into this file.")] = None,
) -> None:
    """Show a finished run again, and write its page, report.html, anew."""
    from rich.console import Console

    from ladder.commands.page import write_page
    from ladder.report.markdown import as_markdown
    from ladder.report.reading import read_assessment, whole_record
    from ladder.report.terminal import show

    found, folder = read_assessment(run)
    if to or out:
        _refuse_strange_export(to, markdown)
        from ladder.commands.exports import export_run

        _print_export(export_run(found, folder, to, out))
        return
    with whole_record(folder):
        if markdown:
            typer.echo(as_markdown(found))
        else:
            try:
                write_page(folder, found)
            except (LadderError, OSError) as error:  # the run is shown all the same
                say(f"The page is not written anew: {error}")
            show(found, folder, Console())


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run's folder: the one before.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="A run's folder: the one after.")],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as a page into this file.")
    ] = None,
) -> None:
    """Compare two runs: paired on the rows that both measured, and what changed between them."""
    from rich.console import Console

    from ladder.commands.compare import compare_runs
    from ladder.files import write_whole
    from ladder.report.compared import compared_page, show_compared

    found = compare_runs(first, second)
    if html is not None:
        write_whole(html, compared_page(found))
    if as_json:
        typer.echo(in_json(found.model_dump_json(indent=2)))
    else:
        show_compared(found, Console())
        if html is not None:
            _tell(f"page: {html}")


def _refuse_strange_export(to: str, markdown: bool) -> None:
    from ladder.report.exports import EXPORTS

    if to not in EXPORTS:
        raise typer.BadParameter(f"{to}: forms are {', '.join(EXPORTS)}", param_hint="--to")
    if markdown:
        raise typer.BadParameter("--markdown prints report.md: leave one of the two out")


def _print_export(text: str) -> None:
    typer.echo(text, nl=False)


@app.command()
def view(
    runs: Annotated[Path, typer.Argument(help="The folder of your runs, or one run.")] = Path(
        "runs"
    ),
    port: Annotated[
        int, typer.Option(help="Where to listen; 0: any free port.", min=0, max=65535)
    ] = VIEW_PORT,
) -> None:
    """Show all runs in a browser: a list, and the page of each; on this machine alone."""
    from ladder.commands.view import serve
    from ladder.files import whole_path

    serve(whole_path(runs), port, _tell)


recipes = typer.Typer(help="List the training recipes, or copy one to own it.")
app.add_typer(recipes, name="recipes")


@recipes.callback(invoke_without_command=True)
def list_recipes(context: typer.Context) -> None:
    """List the recipes and when to use each."""
    if context.invoked_subcommand is not None:
        return
    from textwrap import fill

    from ladder.training.recipes import shipped_recipes

    for recipe in shipped_recipes():
        typer.echo(
            fill(recipe.when, 96, initial_indent=f"{recipe.name:18}", subsequent_indent=" " * 18)
        )
    typer.echo("\nRun one: ladder train NAME --task task.yaml. Own one: ladder recipes copy NAME")


@recipes.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="A recipe's name.")],
    into: Annotated[Path, typer.Argument(help="A folder.")] = Path(),
) -> None:
    """Copy a recipe with the program that runs it, to change as you like."""
    from ladder.training.recipes import copy_recipe

    for path in copy_recipe(name, into):
        _tell(f"wrote {path}")
    _tell(f"Run it: ladder train {into / name}.yaml --task task.yaml")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or file.")],
    task: Annotated[Path, typer.Option("--task", help="The task file.")],
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a recipe field: key=value.")
    ] = None,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Run one recipe on a task's training examples."""
    from ladder.artefacts.card import read_training
    from ladder.commands.train import train_recipe
    from ladder.files import whole_path
    from ladder.report.events import answered, watching
    from ladder.task import load_task

    pairs = [entry.partition("=") for entry in change or []]
    wrong = [entry for entry, pair in zip(change or [], pairs, strict=True) if not all(pair)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]}: write key=value", param_hint="--set")
    overrides = {key: value for key, _, value in pairs}
    with watching(json) as watch:
        loaded = load_task(task, data, _granted(allow_code))
        lines, folder = train_recipe(recipe, loaded, whole_path(runs), watch, overrides)
        answered(watch, 0, folder, lambda: read_training(folder))
    for line in lines:
        typer.echo(indented(line, MOST_SAID), err=json)


@app.command()
def synth(
    task: TaskFile,
    rows: Annotated[int, typer.Option(help="Rows to ask the teacher for.", min=1, max=10**6)] = 200,
    out: Annotated[
        Path | None, typer.Option(help="Where to write them; default: synthetic.jsonl beside it.")
    ] = None,
    data: DataFolder = None,
    runs: RunsFolder = Path("runs"),
    measure: Annotated[
        str, typer.Option(help="Measure the gain with: linear, rag or lora; default: by the task.")
    ] = "",
    allow_code: AllowCode = False,
) -> None:
    """Let the teacher write training examples; keep them only where they are shown to help."""
    from rich.console import Console

    from ladder.files import whole_path
    from ladder.report.live import Live
    from ladder.synthesis.gain import WAYS
    from ladder.synthesis.synth import describe, synthesise
    from ladder.task import load_task

    if measure and measure not in WAYS:
        known = ", ".join(WAYS)
        raise typer.BadParameter(f"{measure}: there are {known}", param_hint="--measure")
    loaded = load_task(task, data, _granted(allow_code))
    out = out or loaded.folder / "synthetic.jsonl"
    if out.suffix != ".jsonl":
        raise typer.BadParameter(f"{out}: name a .jsonl file", param_hint="--out")
    record, path = synthesise(loaded, rows, out, whole_path(runs), Live(Console()), measure)
    for line in describe(record, path, loaded):
        _tell(line)
    raise typer.Exit(0 if record.accepted else 1)


@app.command()
def export(
    folder: Artefact,
    to: Annotated[str, typer.Option(help="merged or gguf.")] = "merged",
    into: Annotated[Path | None, typer.Option(help="What to write; default: beside it.")] = None,
    base: BaseModel = None,
) -> None:
    """Write an artefact as a whole model or as a GGUF file; proven by its canaries."""
    from ladder.artefacts.export import TARGETS
    from ladder.artefacts.inspection import hand_on

    if to not in TARGETS:
        raise typer.BadParameter(f"{to}: forms are {', '.join(TARGETS)}", param_hint="--to")
    for line in hand_on(folder, to, into, base):
        _tell(line)


@app.command()
def passport(folder: Artefact, base: BaseModel = None) -> None:
    """Check that an artefact is what it was and answers as it did; exit 1 when not."""
    from ladder.artefacts.inspection import inspect

    found = inspect(folder, base)
    for line in found.lines:
        _tell(line)
    typer.echo("The passport holds." if found.holds else "The passport does not hold.")
    raise typer.Exit(0 if found.holds else 1)


@app.command()
def revalidate(
    plan: PlanFile,
    if_due: Annotated[bool, typer.Option("--if-due", help="Do nothing before it is due.")] = False,
    json: EventsAsJson = False,
    allow_code: AllowCode = False,
) -> None:
    """Measure a certified answer again; exit 1 when something changed."""
    from datetime import UTC, datetime

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
            found = measure_again(plan, watch, _granted(allow_code))
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
    typer.echo("Act on this." if found.findings else "The answer still holds.", err=json)
    raise typer.Exit(code)


@app.command()
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
        granted=_granted(allow_code),
    )
    if as_json:
        typer.echo(in_json(found.look.model_dump_json(indent=2)))
    else:
        for line in lines(found):
            _tell(line)
    raise typer.Exit(1 if found.look.alarms else 0)


@app.command()
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


@app.command()
def doctor(runs: RunsFolder = Path("runs"), as_json: AsJson = False) -> None:
    """Say what this machine can do, what is installed, what would be slow, and what mends that."""
    import json

    from ladder.commands.doctor import as_json as of_program
    from ladder.commands.doctor import examine, lines
    from ladder.files import whole_path

    found = examine(whole_path(runs))
    if as_json:
        typer.echo(in_json(json.dumps(of_program(found), indent=2, ensure_ascii=False)))
        return
    for line in lines(found):
        _tell(line)


def _granted(allow_code: bool) -> Granted:
    return "all" if allow_code else "trusted"


def main() -> None:
    """Run the program and turn every ending into its exit code."""
    open_streams()
    hide_from_output()
    warnings.showwarning = _note
    received = end_on_signals()
    try:
        try:
            code = app(standalone_mode=False) or 0  # an Exit's code comes back as the value
        finally:
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


def _note(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say a warning of our own as a sentence; those of libraries with their place."""
    own = category is UserWarning and Path(filename).is_relative_to(Path(__file__).parent)
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


def _tell(line: str) -> None:
    """Print one line, whatever is quoted in it."""
    typer.echo(indented(line, MOST_SAID))
