"""How long a user waits for nothing: `ladder --help`, and an assessment that is fully cached.

    python benchmarks/start.py [--runs-each 7]

Both sides in one run: the first assessment asks the model, the repeated ones find everything kept.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TASK = ROOT / "evalsets" / "r1_guest_feedback" / "task.yaml"


def seconds(*words: str) -> float:
    """Time one start of the command line as a whole process."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ladder", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - started


def show(name: str, values: list[float], goal: float) -> None:
    """Print one row."""
    middle = statistics.median(values)
    print(
        f"{name:38} median {middle:6.2f} s  ({min(values):.2f}–{max(values):.2f}, "
        f"n = {len(values)})  goal < {goal} s: {'met' if middle < goal else 'missed'}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-each", type=int, default=7)
    count = parser.parse_args().runs_each
    seconds("--help")
    show("ladder --help", [seconds("--help") for _ in range(count)], 0.3)
    with tempfile.TemporaryDirectory() as runs:
        words = ("assess", str(TASK), "--runs", runs)
        first = seconds(*words)
        again = [seconds(*words) for _ in range(count)]
    print(f"{'ladder assess, the first time':38}        {first:6.2f} s")
    show("ladder assess, fully cached", again, 3.0)
    print(f"{'ratio':38}        {first / statistics.median(again):6.0f} x")


if __name__ == "__main__":
    main()
