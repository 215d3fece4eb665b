"""Run a program as Python would, with the guard of the process that starts it.

`python -P -m ladder.trust.guarded PROGRAM …`: a training imports nothing of `ladder` itself.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from ladder.trust.egress import follow


def main() -> None:
    """Run the program that the first argument names; the rest is its own."""
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
    follow()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
