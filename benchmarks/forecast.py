"""Is `--dry-run` right? The dry run of a climb beside the climb itself, rung by rung.

    python benchmarks/forecast.py evalsets/r1_guest_feedback/task.yaml [more] [--data FOLDER]

Each task is assessed with --all in a new folder, so nothing is kept from before: minutes a task.
Rungs after r2 train. The goal is a factor of 1.5 either way for the climb in all; a single rung
depends on which of its candidates stand out, and they may be long or short ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ladder.climb.dry_run import dry_run
from ladder.commands.assess import assess
from ladder.economy.cost import together
from ladder.evidence import Asked, Attempt
from ladder.progress import Quiet
from ladder.task import load_task

GOAL = 1.5


def taken(attempt: Attempt) -> Asked:
    """Return what a rung took: what was asked, and what was trained."""
    build = attempt.measurement.build if attempt.measurement else None
    trained = build.train_tokens if build else 0
    usd = attempt.asked.usd
    return Asked(
        calls=attempt.asked.calls,
        tokens=attempt.asked.tokens + trained,
        seconds=attempt.seconds,
        usd=usd,
    )


def ratio(estimated: float, real: float) -> str:
    """Return estimated / real, and whether the goal is met."""
    if not real:
        return "-"
    found = estimated / real
    return f"{found:5.2f}{' ' if 1 / GOAL <= found <= GOAL else '!'}"


def show(task: str, rung: str, guess: Asked, real: Asked) -> None:
    """Print one line."""
    print(
        f"{task:20}{rung:9}"
        f"{guess.calls:8,}/{real.calls:<7,}{ratio(guess.calls, real.calls):>7}"
        f"{guess.tokens:10,}/{real.tokens:<9,}{ratio(guess.tokens, real.tokens):>7}"
        f"{guess.seconds:7.0f}/{real.seconds:<6.0f}{ratio(guess.seconds, real.seconds):>7}",
        flush=True,
    )


def main() -> None:
    """Print estimated and real figures of each task and rung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--until", default="rag")
    given = parser.parse_args()
    print(f"{'task':20}{'rung':9}{'calls':>16}{'ratio':>7}{'tokens':>20}{'ratio':>7}"
          f"{'seconds':>14}{'ratio':>7}   (estimated / real, ! beyond {GOAL})")  # fmt: skip
    for path in given.tasks:
        task = load_task(path, given.data)
        with tempfile.TemporaryDirectory() as folder:
            runs = Path(folder)
            _, estimated = dry_run(task, runs, Quiet(), until=given.until)
            found, _ = assess(task, runs, Quiet(), until=given.until, every=True)
        all_foreseen, all_real = Asked(), Asked()
        for attempt in found.attempts:
            guess = estimated.get(attempt.rung)
            if not isinstance(guess, Asked) or attempt.measurement is None:
                continue
            real = taken(attempt)
            show(task.name, attempt.rung, guess, real)
            all_foreseen, all_real = together(all_foreseen, guess), together(all_real, real)
        show(task.name, "in all", all_foreseen, all_real)


if __name__ == "__main__":
    main()
