"""Run a program as Python would, with the guard of the process that starts it.

A training imports nothing of `ladder` itself, so the guard is there before it begins.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from ladder.trust.egress import follow

ROOT = Path(__file__).resolve().parents[2]
"""Where `ladder` lies. It is looked for last: nothing beside it stands in for another module."""


def guarded(program: Path) -> list[str]:
    """Return what Python is told, to run a program with the guard; its arguments follow."""
    first = f"import sys; sys.path.append({str(ROOT)!r})"
    return ["-P", "-c", f"{first}; from ladder.trust.guarded import main; main()", str(program)]


def main() -> None:
    """Run the program that the first argument names; the rest is its own."""
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
    follow()
    runpy.run_path(sys.argv[0], run_name="__main__")
