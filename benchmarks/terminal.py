"""Screens of a terminal for docs/quickstart.md: its commands are run, and drawn as SVG by rich.

    python benchmarks/terminal.py FOLDER                  # runs what FOLDER does not hold yet
    python benchmarks/terminal.py FOLDER --only own       # one picture

The commands are those of the page, in its order. They run in FOLDER, which keeps what they write
and print, so a second call draws the same runs anew. Delete FOLDER to begin again.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/quickstart.md"
BASH = re.compile(r"```bash\n(.*?)```", re.DOTALL)
WIDTH = 108
MAY_END_WITH = (0, 1)
PICTURES = {
    "assess": "ladder assess evalsets/",
    "init": "ladder init",
    "check": "ladder check",
    "own": "ladder assess my-tickets/",
}
"""Name of a picture -> how its command begins."""
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""A picture that fetches no font from elsewhere."""


def commands() -> list[str]:
    """Return the commands of the page, without their comments."""
    lines = "\n".join(BASH.findall(PAGE.read_text(encoding="utf-8"))).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.startswith("ladder ")]


def printed(command: str, number: int, folder: Path) -> str:
    """Return what a command of the page prints; it is run where the folder does not hold it.

    Raises:
        SystemExit: it failed.
    """
    kept = folder / f"{number:02d}.txt"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    for name in ("evalsets", "examples"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ladder", *shlex.split(command)[1:]],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": paths},
    )  # fmt: skip
    if done.returncode not in MAY_END_WITH:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    shown = done.stdout.replace(str(folder.resolve()), "…").replace(str(ROOT), "…")
    kept.write_text(shown, encoding="utf-8")
    return shown


def draw(name: str, shown: Sequence[tuple[str, str]]) -> Path:
    """Write a picture of commands and what they printed; return it.

    Args:
        name: the picture's.
        shown: (command, what it printed).
    """
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for command, text in shown:
            console.print(Text(f"$ {command}", style="bold green"))
            console.print(Text(text.rstrip("\n")))
        svg = console.export_svg(
            title="ladder", code_format=WITHOUT_FONTS, unique_id=f"terminal-{name}"
        )
    path = ROOT / f"docs/terminal-{name}.svg"
    lines = (line.rstrip() for line in svg.splitlines())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Run and draw what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--only", choices=PICTURES, help="draw one picture")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    every = commands()
    for name, begins in PICTURES.items():
        if given.only in (None, name):
            at = next(
                at
                for at, each in enumerate(every)
                if each.startswith(begins) and "--dry" not in each
            )
            said = [
                printed(each, number, given.folder) for number, each in enumerate(every[: at + 1])
            ]
            path = draw(name, [(every[at], said[at])])
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
