"""Is every change found, and the right file named? A signed ledger and a whole run, tampered with.

    python benchmarks/tamper.py [--random 1000] [--seed 0]

A task is frozen, assessed by a real program against a real server on this machine, signed by a
person and promoted. Then, one change at a time and each undone: every byte of the ledger of a small
folder and of its signed heads is flipped once; and random files of the whole run are flipped in a
byte, lose some bytes or all of them, have two pieces swapped, or are cut. `ladder audit verify`
must say that it does not hold, and the file that was changed must be the first it names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults import FaultyServer, Seen, Step
from small_tasks import write_task

from ladder.audit.folders import PASSING
from ladder.audit.keys import public_keys
from ladder.audit.ledger import HEADS, LEDGER, add, begin
from ladder.audit.verify import verify
from ladder.files import LOCK

COLOURS = ("red", "green", "blue")
TRAIN, TEST = 60, 120
Change = Callable[[bytes, Random], bytes | None]
"""Bytes of a file -> other ones; None: the file is taken away."""


def flip(content: bytes, draw: Random) -> bytes:
    """Flip one bit."""
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]


def delete(content: bytes, draw: Random) -> bytes | None:
    """Take some bytes out; one time in ten the whole file."""
    if draw.random() < 0.1:
        return None
    at = draw.randrange(len(content))
    return content[:at] + content[at + draw.randint(1, 64) :]


def swap(content: bytes, draw: Random) -> bytes:
    """Swap two pieces that differ; a file of two bytes or more that are not all the same."""
    while True:
        size = draw.randint(1, max(1, min(64, len(content) // 2)))
        a, b = sorted(draw.randrange(len(content) - size + 1) for _ in range(2))
        if b - a >= size and content[a : a + size] != content[b : b + size]:
            pieces = content[b : b + size], content[a + size : b], content[a : a + size]
            return content[:a] + b"".join(pieces) + content[b + size :]


def truncate(content: bytes, draw: Random) -> bytes:
    """Cut the end off."""
    return content[: draw.randrange(len(content))]


CHANGES: dict[str, Change] = {
    "flips": flip, "deletions": delete, "swaps": swap, "truncations": truncate,
}  # fmt: skip


@dataclass
class Tally:
    """What was tried, and what was not found or named wrongly."""

    tried: Counter[str]
    missed: list[str]


def ladder(*words: object, codes: Sequence[int] = (0,)) -> None:
    """Run the program as a user starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "ladder", *map(str, words)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if done.returncode not in codes:
        raise SystemExit(f"ladder {' '.join(map(str, words))}: {done.stdout}{done.stderr}")


def colour_of(question: str) -> str:
    """Return the right answer."""
    return COLOURS[sum(map(ord, question)) % len(COLOURS)]


def row(name: str, number: int) -> dict[str, str]:
    """Return a row whose words no other row has."""
    draw = Random(f"{name} {number}")
    text = " ".join("".join(draw.choices("bdfgklmnprstvaeiou", k=9)) for _ in range(4))
    return {"id": f"{name}-{number}", "input": text, "target": colour_of(text)}


def answering(rows: Sequence[dict[str, str]]) -> Callable[[Seen], Step]:
    """Return a server's script: it knows the answers to most rows."""
    right = {each["input"]: each["target"] for each in rows}

    def script(request: Seen) -> Step:
        asked = [text for text in right if text in request.question]
        found = right[max(asked, key=request.question.rfind)] if asked else "none"
        usage = {"prompt_tokens": 11, "completion_tokens": 1}
        body = {"choices": [{"message": {"content": found}}], "usage": usage}
        return Step(body=json.dumps(body).encode())

    return script


def whole_run(folder: Path) -> Path:
    """Freeze, assess, sign and promote a task; return the folder of its runs."""
    rows = [
        row(name, at) for name, count in (("train", TRAIN), ("test", TEST)) for at in range(count)
    ]
    runs = folder / "runs"
    with FaultyServer(answering(rows)) as server:
        task = write_task(
            folder, row, TRAIN, TEST, score="exact_match", answer={"type": "label"},
            metric_rationale="Each row has one right colour.", rungs=["prompt"],
            models={"base": f"openai:small@{server.url}"},
            prices={"input_usd_per_1m": 1, "output_usd_per_1m": 1, "source": "a test"},
        )  # fmt: skip
        ladder("freeze", task, "--runs", runs)
        ladder("assess", task, "--runs", runs)
    [run] = (path.parent for path in runs.glob("*/*/assessment.json"))
    ladder("audit", "sign", run, "--name", "A person", "--role", "owner")
    ladder("promote", run)
    return runs


def small_ledger(folder: Path) -> Path:
    """Return a folder with a ledger of five records and nothing else."""
    path = begin(folder)
    for at, kind in enumerate(("look", "drift", "probe", "revalidation")):
        add(path, kind, task="small", facts={"at": at}, digests={"eval set": "ab" * 32})
    return folder


def tampered(runs: Path, path: Path, changed: bytes | None) -> tuple[str, ...]:
    """Return what a check says once a file has other bytes, and put the file back."""
    before = path.read_bytes()
    try:
        path.write_bytes(changed) if changed is not None else path.unlink()
        return verify(runs, public_keys(()), None, public_keys((), "person")).faults
    finally:
        path.write_bytes(before)


def tally(runs: Path, changes: Iterator[tuple[str, Path, bytes | None]]) -> Tally:
    """Make each change, check, undo it; count what was found."""
    found = Tally(Counter(), [])
    for name, path, changed in changes:
        found.tried[name] += 1
        said = tampered(runs, path, changed)
        if not said or path.name not in said[0]:
            found.missed.append(f"{name} of {path.relative_to(runs)}: {said[:1] or 'nothing'}")
    return found


def every_byte(runs: Path) -> Iterator[tuple[str, Path, bytes]]:
    """Yield the two files with each byte flipped once, in one bit."""
    for name in (LEDGER, HEADS):
        content = (runs / name).read_bytes()
        for at in range(len(content)):
            other = bytes([content[at] ^ (1 << at % 8)])
            yield name, runs / name, content[:at] + other + content[at + 1 :]


def at_random(runs: Path, count: int, seed: int) -> Iterator[tuple[str, Path, bytes | None]]:
    """Yield random changes to the files of a run and beside it."""
    draw = Random(seed)
    files = [
        path for path in sorted(runs.rglob("*"))
        if path.is_file() and path.name != LOCK and not path.name.endswith(PASSING)
    ]  # fmt: skip
    for _ in range(count):
        path, (name, change) = draw.choice(files), draw.choice(list(CHANGES.items()))
        yield name, path, change(path.read_bytes(), draw)


def said(what: str, found: Tally) -> str:
    """Say how many changes were found, n of n."""
    parts = ", ".join(f"{name} {count:,}" for name, count in found.tried.items())
    every = sum(found.tried.values())
    return (
        f"{what}: {every - len(found.missed):,} of {every:,} found, the right file named ({parts})"
    )


def main() -> int:
    """Tamper, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--random", type=int, default=1000, help="changes to a whole run")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, started = Path(place), time.perf_counter()
        os.environ["LADDER_CONFIG"] = str(folder / "config" / "config.yaml")
        for role in ("machine", "person"):
            ladder("audit", "keys", "--role", role)
        runs, small = whole_run(folder), small_ledger(folder / "small")
        for each in (runs, small):
            if faults := verify(each, public_keys(())).faults:
                raise SystemExit(f"it does not hold before anything was changed: {faults}")
        print(f"a run was made in {time.perf_counter() - started:.0f} s", flush=True)
        first = tally(small, every_byte(small))
        print(said("every byte of a signed ledger flipped once", first), flush=True)
        second = tally(runs, at_random(runs, wanted.random, wanted.seed))
        files = sum(1 for _ in runs.rglob("*") if _.is_file())
        print(said(f"random changes to the {files} files of a whole run", second))
        for each in (*first.missed, *second.missed):
            print(f"  missed: {each}")
        return 1 if first.missed or second.missed else 0


if __name__ == "__main__":
    sys.exit(main())
