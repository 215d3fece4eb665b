"""Is the time left right? What was told during a climb, beside what it really took.

    python benchmarks/time_left.py evalsets/r2_ferry_handbook/task.yaml [--least 10] [--until lora]
    python benchmarks/time_left.py evalsets/r3_bakery_orders/task.yaml --train lora

A task is assessed in a new folder, so nothing is kept from before. At 10, 20, … 90 % of every step
that took `--least` seconds or more, what the screen told is set beside what was really left; and
beside it what rich's own remaining column tells of the same units, as the screen had it before.
Steps that may end early tell `at most`, and are counted on their own. The goal is a factor of two.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress, TaskID

from ladder.commands.assess import assess
from ladder.commands.train import train_task
from ladder.progress import Advance, Event, Work, Worked
from ladder.report.live import Live
from ladder.report.pace import Step
from ladder.task import load_task

GOAL = 2.0
SHARES = [tenth / 10 for tenth in range(1, 10)]
EVERY_S = 0.1


@dataclass
class Seen:
    """What was told of one step, and when."""

    step: Step
    by_rich: TaskID
    ended: float = 0.0
    told: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    """Time, seconds left as told, and by rich's own column."""

    def ratios(self, by_rich: bool) -> list[float | None]:
        """Return told / real at each share of the step; None where nothing was told."""
        whole, found = self.ended - self.step.opened, list[float | None]()
        for share in SHARES:
            at = self.step.opened + share * whole
            before = [line for line in self.told if line[0] <= at]
            left = before[-1][2 if by_rich else 1] if before else None
            found.append(None if left is None else left / (self.ended - before[-1][0]))
        return found


class Sampled:
    """A watch whose times left are read ten times a second, as they would be drawn."""

    def __init__(self) -> None:
        self.people = Live(Console(file=io.StringIO()), quiet_s=1e9)
        self.progress = Progress(console=Console(file=io.StringIO()), auto_refresh=False)
        self.seen: dict[int, Seen] = {}
        self.climb: list[tuple[float, float, float]] = []
        self.over = threading.Event()

    def sample(self) -> None:
        """Read what is told until the climb is over."""
        while not self.over.wait(EVERY_S):
            now = time.monotonic()
            for step in self.people.steps:
                seen = self.seen.get(id(step))
                if seen is not None:
                    by_rich = self.progress.tasks[seen.by_rich].time_remaining
                    seen.told.append((now, step.left(now), by_rich))
            left = self.people.story.left(self.people.steps.left())
            if left is not None:
                self.climb.append((now, *left))

    @contextmanager
    def step(
        self, title: str, total: int, work: Work | None = None, *, at_most: bool = False
    ) -> Iterator[Advance]:
        """Watch a step, and show rich the same."""
        with self.people.step(title, total, work, at_most=at_most) as heard:
            step = self.people.steps.under_way[-1]
            seen = Seen(step, self.progress.add_task(title, total=max(1, total)))
            self.seen[id(step)] = seen

            def advance(
                done: int, note: str = "", *, worked: Worked | None = None,
                part: float | None = None,
            ) -> None:  # fmt: skip
                heard(done, note, worked=worked, part=part)
                self.progress.update(seen.by_rich, completed=done)

            try:
                yield advance
            finally:
                seen.ended = time.monotonic()

    def say(self, text: str) -> None:
        """Print it: it parts the rungs."""
        print(text, flush=True)

    def tell(self, event: Event) -> None:
        """Hand it on."""
        self.people.tell(event)

    def ask(self, question: str, default: bool) -> bool:
        """Take the default."""
        return default


def summary(name: str, found: Sequence[float | None], at_most: bool) -> str:
    """Return a line on how right the times were."""
    told = [ratio for ratio in found if ratio is not None]
    if not told:
        return f"{name:34} nothing told in {len(found)} samples"
    within = sum(1 / GOAL <= ratio <= GOAL for ratio in told)
    enough = f", real is within it {sum(r >= 0.95 for r in told)}" if at_most else ""
    return (
        f"{name:34} n {len(found)}, told {len(told)}; told / real: median {median(told):.2f}, "
        f"{min(told):.2f} to {max(told):.2f}, within a factor of {GOAL:g}: {within} of {len(told)}"
        f" ({within / len(told):.0%}){enough}"
    )


def at_shares(found: Sequence[float | None]) -> str:
    """Return ratios in a row."""
    return " ".join("    –" if ratio is None else f"{min(ratio, 99):5.2f}" for ratio in found)


def of_climb(sampled: Sampled, began: float, ended: float) -> tuple[list[float | None], ...]:
    """Return told / real of the whole climb: at most, and if the rung under way passes."""
    most, passed = list[float | None](), list[float | None]()
    for share in SHARES:
        at = began + share * (ended - began)
        before = [line for line in sampled.climb if line[0] <= at]
        most.append(before[-1][1] / (ended - at) if before else None)
        passed.append(before[-1][2] / (ended - at) if before else None)
    return most, passed


def main() -> None:
    """Print each step that took long, and how right all of them were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--until")
    parser.add_argument("--train", help="run this recipe instead of an assessment")
    parser.add_argument("--least", type=float, default=10.0)
    given = parser.parse_args()
    every: list[tuple[Seen, list[float | None], list[float | None]]] = []
    for path in given.tasks:
        sampled = Sampled()
        watcher = threading.Thread(target=sampled.sample, daemon=True)
        watcher.start()
        task = load_task(path, given.data)
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            if given.train:
                train_task(given.train, task, Path(folder), sampled, {})
            else:
                assess(task, Path(folder), sampled, until=given.until, forecast=True)
        ended = time.monotonic()
        sampled.over.set()
        watcher.join()
        print(f"\n{task.name}, {ended - began:.0f} s; told / real at 10, 20, … 90 % of a step:")
        for seen in sampled.seen.values():
            if (took := seen.ended - seen.step.opened) >= given.least:
                every.append((seen, seen.ratios(by_rich=False), seen.ratios(by_rich=True)))
                most = "at most " if seen.step.at_most else ""
                print(f"  {seen.step.title:.44} {most}{took:.0f} s")
                print(f"    now  {at_shares(every[-1][1])}\n    rich {at_shares(every[-1][2])}")
        for name, found in zip(("at most", "if it passes"), of_climb(sampled, began, ended),
                               strict=True):  # fmt: skip
            print(f"  whole climb, {name:14} {at_shares(found)}")
    print()
    for at_most in (False, True):
        kind = [each for each in every if each[0].step.at_most == at_most]
        name = f"{len(kind)} steps{' told at most' if at_most else ''}"
        print(summary(f"{name}, now", [r for each in kind for r in each[1]], at_most))
        print(summary(f"{name}, rich's column", [r for each in kind for r in each[2]], at_most))


if __name__ == "__main__":
    main()
