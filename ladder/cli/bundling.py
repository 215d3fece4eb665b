"""The verb that carries a task to a machine without a network: bundle, bundle verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ladder.cli.options import DataFolder, TaskFile, tell

WRITE = "write"


class _WriteByDefault(TyperGroup):
    """`ladder bundle TASK OUT` is `ladder bundle write TASK OUT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the verb where a task stands in its place."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [WRITE, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the options of what is done by default beside the verbs."""
        super().format_help(ctx, formatter)
        write = self.commands[WRITE]
        write.format_help(type(ctx)(write, ctx.parent, info_name=ctx.info_name), formatter)


bundle = typer.Typer(
    cls=_WriteByDefault,
    no_args_is_help=True,
    help="Write one folder with all that a task needs, for a machine without a network: "
    "ladder bundle TASK OUT.",
)


@bundle.callback()
def bundles() -> None:
    """Write one folder with all that a task needs, for a machine without a network."""


@bundle.command(WRITE)
def write(
    task: TaskFile,
    out: Annotated[Path, typer.Argument(help="The folder to write, or to go on with.")],
    data: DataFolder = None,
    wheels: Annotated[
        list[Path] | None,
        typer.Option(help="A folder to take wheels from first; repeatable.", exists=True),
    ] = None,
    no_fetch: Annotated[
        bool, typer.Option("--no-fetch", help="Do not ask pip for wheels that are lacking.")
    ] = False,
    extra: Annotated[
        list[str] | None, typer.Option(help="A further extra of ladder; repeatable.")
    ] = None,
    with_cache: Annotated[
        Path | None,
        typer.Option(help="A folder of runs: its cached completions, of all its tasks, go along."),
    ] = None,
) -> None:
    """Write a bundle: `ladder bundle TASK OUT`; exit 1 where something is missing."""
    from ladder.bundle.writing import LIST, missing_lines, write_bundle
    from ladder.exit_codes import say
    from ladder.files import file_digest
    from ladder.task import load_task

    found = write_bundle(
        load_task(task, data, "nothing"),
        out,
        say,
        wheels=tuple(wheels or ()),
        fetch=not no_fetch,
        extras=tuple(extra or ()),
        cache=with_cache,
    )
    size = sum(each.bytes for each in found.files.values()) / 1e6
    tell(f"wrote {out}: {len(found.files):,} files, {len(found.pins):,} packages, {size:,.0f} MB")
    tell(f"for Python {found.python} on {found.platform}; {out}/README.md says how to go on")
    tell(f"sha256 of its list: {file_digest(out / LIST)}")
    for line in missing_lines(found, out):
        tell(line)
    raise typer.Exit(1 if found.missing else 0)


@bundle.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A bundle, where it has arrived.")],
) -> None:
    """Check a bundle: files, Python, platform, wheels; exit 1 where something is wrong."""
    from ladder.bundle.verifying import fault_lines, verify_bundle

    found = verify_bundle(folder)
    for line in fault_lines(found.faults):
        tell(line)
    held = found.bundle
    tell(f"{held.task}: {len(held.files):,} files, for Python {held.python} on {held.platform}")
    tell(f"sha256 of its list: {found.digest}")
    tell("Refused: it is not what was written, or does not fit." if found.faults else "It holds.")
    raise typer.Exit(1 if found.faults else 0)
