"""Run the commands of examples/ and write what they print into their pages.

    python benchmarks/record_examples.py                           # all
    python benchmarks/record_examples.py ticket_routing --until 2  # one, its first two commands

A page has blocks of one command each, and below each the block with what it printed, which is
written anew. The commands run in a copy of the example's folder. `--keep FOLDER` keeps the copy.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
STEP = re.compile(r"```bash\n(?P<command>[^\n]+)\n```\n\n```text\n(?P<output>.*?)```", re.DOTALL)
BLOCKS = "```bash\n{}\n```\n\n```text\n{}```"
MAY_END_WITH = (0, 1)
"""Exit codes of `ladder assess` whose answer is one: passed, or not."""


def names() -> list[str]:
    """Return the examples, by name."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


def copy_of(name: str, into: Path) -> Path:
    """Copy what an example ships into a folder; return the copy.

    What a reader left there (a task, runs) stays behind: git knows what is shipped.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."],
        cwd=EXAMPLES / name, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for shipped in filter(None, listed.stdout.split("\0")):
        to = into / name / shipped
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(EXAMPLES / name / shipped, to)
    return into / name


def run(command: str, folder: Path) -> str:
    """Run a command of a page in a folder; return what it printed, without the folder's path.

    Raises:
        SystemExit: it failed.
    """
    words = [sys.executable, "-P", "-m", "ladder", *command.split()[1:]]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "140", "PYTHONPATH": paths},
    )  # fmt: skip
    if done.returncode not in MAY_END_WITH:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    shown = done.stdout.replace(str(folder.resolve()), "…")
    return "\n".join(line.rstrip() for line in shown.rstrip("\n").split("\n")) + "\n"


def record(name: str, until: int | None, into: Path) -> None:
    """Write what the commands of an example print into its page.

    Args:
        name: the example's.
        until: how many of its commands are run; None: all.
        into: the folder of the copy.
    """
    page = EXAMPLES / name / "README.md"
    text = page.read_text(encoding="utf-8")
    folder = copy_of(name, into)
    for step in list(STEP.finditer(text))[:until]:
        print(f"{name}: {step['command']}", flush=True)
        printed = run(step["command"], folder)
        text = text.replace(step[0], BLOCKS.format(step["command"], printed))
        page.write_text(text, encoding="utf-8")


def main() -> None:
    """Record what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}")
    parser.add_argument("--until", type=int, help="how many commands of a page are run")
    parser.add_argument("--keep", type=Path, help="where the copies, with their runs, are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        for name in given.names or names():
            record(name, given.until, given.keep or Path(made))


if __name__ == "__main__":
    main()
