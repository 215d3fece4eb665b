"""What do a hundred thousand rows, and a million, take: seconds and memory, and how both grow.

    python benchmarks/scale.py [--rows 10000,100000,1000000] [--only reading|...]

Rows are drawn: a command of 6 to 18 words out of 20,000, whose frequencies follow the law of Zipf
and Mandelbrot, with one of 40 labels; 3 in 100 repeat an earlier row but for a word at the end.
Each part runs in a process of its own, and its memory is the largest resident size (ru_maxrss) less
that of the same process before it began. Seconds are those of the processor, which other programs
leave alone; *wall* are the clock's. The exponent is the slope between two sizes: seconds grow as
rows to it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WORDS, LABELS, REPEATED = 20_000, 40, 0.03
LOOK = 100
MB = 1024
"""ru_maxrss is in KiB."""


def written(folder: Path, rows: int) -> Path:
    """Write train.jsonl with so many rows, test.jsonl with 2,000 more, and a task; return it."""
    draw = np.random.default_rng(rows)
    letters, share = random.Random(0), 1 / (np.arange(WORDS) + 2.7)
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=3 + at % 7)) for at in range(WORDS)
    ]
    upto = np.cumsum(share / share.sum())[:-1]
    for name, count in (("train", rows), ("test", 2_000)):
        earlier: list[str] = []
        with (folder / f"{name}.jsonl").open("w") as file:
            for at in range(count):
                picked = np.searchsorted(upto, draw.random(6 + at % 13))
                text = " ".join(words[word] for word in picked)
                if earlier and draw.random() < REPEATED:
                    text = f"{earlier[int(draw.integers(len(earlier)))]} {words[at % WORDS]}"
                elif len(earlier) < 10_000:
                    earlier.append(text)
                row = {
                    "id": f"{name}-{at}",
                    "input": f"{text} {at:x}",
                    "target": f"label {at % LABELS}",
                }
                file.write(json.dumps(row) + "\n")
    task = folder / "task.yaml"
    task.write_text(
        "name: scale\ngoal: Name the label.\ndata: {train: train.jsonl, test: test.jsonl}\n"
        "answer: {type: label}\nscore: exact_match\ngate: {min_score: 0.8}\n"
    )
    return task


def reading(task: Path) -> Any:
    """Read the rows and check them."""
    from ladder.samples.reading import read_rows
    from ladder.task import load_task

    return len(read_rows(load_task(task)).train)


def duplicates(task: Path) -> Any:
    """Find the near-duplicates."""
    from ladder.samples.duplicates import like_pairs

    texts = [json.loads(line)["input"] for line in task.with_name("train.jsonl").open()]
    return len(like_pairs(texts))


def splitting(task: Path) -> Any:
    """Load the data: read, near-duplicates, split, contamination."""
    from ladder.progress import Quiet
    from ladder.samples.loading import load_data
    from ladder.task import load_task

    return len(load_data(load_task(task), None, Quiet()).train)


def cache(task: Path) -> Any:
    """Keep an answer for each row, and read them all back, look by look."""
    from ladder.files import digest_of
    from ladder.models.cache import Cache

    kept = Cache(task.with_name("cache") / "completions.sqlite")
    keys: list[str] = []
    found = 0
    with task.with_name("train.jsonl").open() as rows:
        for line in rows:
            row = json.loads(line)
            keys.append(digest_of(row["input"]))
            kept.put(keys[-1], {"text": row["target"], "tokens_in": 40, "tokens_out": 3})
            if len(keys) == LOOK:
                found += len(kept.get(keys))
                keys.clear()
    found += len(kept.get(keys))
    kept.close()
    return found


def drift(task: Path) -> Any:
    """Set the rows beside the test examples: all tests that need no embedding model."""
    from ladder.lifecycle.drift import some_of
    from ladder.lifecycle.shift import Side, shifts
    from ladder.samples.reading import read_recent
    from ladder.task import load_task

    def side(name: str) -> Side:
        rows = some_of(read_recent(load_task(task), task.with_name(name)))
        return Side(tuple(row.input for row in rows), tuple(row.target for row in rows))

    return len(shifts(side("test.jsonl"), side("train.jsonl")))


PARTS: dict[str, Callable[[Path], Any]] = {
    "reading": reading,
    "duplicates": duplicates,
    "splitting": splitting,
    "cache": cache,
    "drift": drift,
}


def measured(part: str, task: Path) -> None:
    """Print seconds and MiB of a part, run in this process."""
    import resource

    import ladder.progress
    import ladder.samples.loading
    import ladder.task  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    found = PARTS[part](task)
    used, seconds = time.process_time() - used, time.perf_counter() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MB
    print(json.dumps({"seconds": seconds, "cpu": used, "mib": more, "found": found}))


def main() -> None:
    """Print seconds and memory of each part at each size."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="10000,100000,1000000")
    given.add_argument("--only", choices=list(PARTS))
    given.add_argument("--part", help=argparse.SUPPRESS)
    given.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    options = given.parse_args()
    if options.part:
        measured(options.part, options.task)
        return
    sizes = [int(each) for each in options.rows.split(",")]
    print(f"{'part':12} {'rows':>9} {'seconds':>9} {'wall':>9} {'MiB':>7}  exponent")
    for part in [options.only] if options.only else PARTS:
        last: tuple[int, float] | None = None
        for rows in sizes:
            with tempfile.TemporaryDirectory() as made:
                task = written(Path(made), rows)
                words = [sys.executable, __file__, "--part", part, "--task", str(task)]
                said = subprocess.run(words, capture_output=True, text=True, check=True)
            told = json.loads(said.stdout.splitlines()[-1])
            slope = math.log(told["cpu"] / last[1], rows / last[0]) if last else None
            last = (rows, told["cpu"])
            grows = "" if slope is None else f"{slope:.2f}"
            print(
                f"{part:12} {rows:9,} {told['cpu']:9.1f} {told['seconds']:9.1f} "
                f"{told['mib']:7.0f}  {grows}",
                flush=True,
            )


if __name__ == "__main__":
    main()
