"""Are two runs of one task the same but for times? For moves that must change no result.

    python benchmarks/same.py RUN RUN [--ignore NAME,NAME …]

Reads both assessments, also one that an earlier version wrote, leaves out what a clock, a meter of
memory or a disk says, and prints every field that still differs. Exit 1: some do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ladder.report.reading import read_assessment

TIMES = frozenset(
    """
    seconds created usd cost cost_usd_per_1k cost_error_usd_per_1k latency_ms requests_per_second
    peak_memory_mb needed_mb available_mb memory_mb estimated economics savings effort hardware
    versions ladder_version source folder adapter model candidate grounds ground training_methods
    cheaper faster latency data_root fingerprint cost_basis
    """.split()  # noqa: SIM905 - read as words
)
"""Fields that say how long, how much memory, what machine or which folder."""


def differences(first: Any, second: Any, place: str, ignored: frozenset[str]) -> Iterator[str]:
    """Yield each place at which two values differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted(first.keys() | second.keys()):
            if name not in ignored:
                inner = f"{place}.{name}" if place else name
                yield from differences(first.get(name), second.get(name), inner, ignored)
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for at, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from differences(one, other, f"{place}[{at}]", ignored)
    elif first != second:
        yield f"{place}: {first!r} -> {second!r}"


def main() -> None:
    """Compare, print, and say by the exit code whether anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs=2, type=Path)
    parser.add_argument("--ignore", default="", help="further fields, by name")
    given = parser.parse_args()
    first, second = (read_assessment(run)[0].model_dump(mode="json") for run in given.runs)
    ignored = TIMES | frozenset(filter(None, given.ignore.split(",")))
    found = list(differences(first, second, "", ignored))
    for line in found:
        print(line[:300])
    print(f"{len(found)} fields differ, times left out")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
