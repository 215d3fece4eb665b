"""What decisions take, call by call: by purpose, beside other plans, and before a change and after.

    python benchmarks/tokens.py RUNS [--before RUNS]

Reads the newest decision on each task in a folder of runs, and in another one of the program before
a change. Every call is counted, also where its answer was kept from an earlier run. Of the
other plans only what is certain is counted (`ladder.advice.effort`): nothing of a rung that was not
climbed, and of "every rung" and "fixed rows" nothing that hangs on a verdict. So a plan may stand
below what the decision took: then nothing is known to have been saved beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path

from table import answer_of, newest

from ladder.economy.cost import together
from ladder.evidence import Asked, Assessment, PlanName

PLANS: tuple[PlanName, ...] = ("every rung", "every candidate", "fixed rows")


def in_all(found: Assessment) -> Asked:
    """Return all calls and tokens of a decision."""
    return reduce(together, found.effort.by_purpose.values(), Asked())


def same_answer(after: Assessment, before: Assessment) -> str:
    """Say whether a decision chose what it chose before, or the control in its place."""
    if answer_of(after) == answer_of(before):
        return "the same answer"
    if after.recommendation.control:
        return f"the control, before {answer_of(before)}"
    return f"ANOTHER ANSWER, before {answer_of(before)}"


def plan_lines(plans: Mapping[PlanName, Asked], taken: int) -> Iterator[str]:
    """Say what other plans for a decision take for certain, and beside which nothing was saved.

    Args:
        plans: name -> what is certain of it.
        taken: tokens of the decision.
    """
    sure = {name: f"{name} {asked.tokens:,} or more" for name, asked in plans.items()}
    more = [words for name, words in sure.items() if plans[name].tokens > taken]
    rest = [words for name, words in sure.items() if plans[name].tokens <= taken]
    if more:
        yield f"other plans take more tokens: {', '.join(more)}"
    if rest:
        yield f"not known to take more than the decision did: {', '.join(rest)}"


def print_task(after: Assessment, before: Assessment | None) -> None:
    """Print one task's decision: the whole, the plans beside it, each purpose."""
    asked, then = in_all(after), in_all(before) if before else Asked()
    line = f"{after.task.name}: {answer_of(after)}, {asked.calls:,} calls, {asked.tokens:,} tokens"
    if before:
        line += f"; before {then.calls:,} calls, {then.tokens:,} tokens"
        line += f"; {same_answer(after, before)}"
    print(line)
    plans = after.effort.plans
    for line in plan_lines({name: plans[name] for name in PLANS if name in plans}, asked.tokens):
        print(f"  {line}")
    purposes = dict(after.effort.by_purpose)
    earlier = dict(before.effort.by_purpose) if before else {}
    for purpose in sorted({*purposes, *earlier}, key=lambda each: -_tokens(purposes, each)):
        now, past = purposes.get(purpose, Asked()), earlier.get(purpose, Asked())
        cells = f"  {purpose:15}{now.calls:>7,}{now.tokens:>11,}"
        print(cells + (f"{past.calls:>9,}{past.tokens:>11,}" if before else ""))


def _tokens(purposes: dict[str, Asked], purpose: str) -> int:
    return purposes.get(purpose, Asked()).tokens


def main() -> None:
    """Print every task that there is a decision on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path)
    parser.add_argument("--before", type=Path)
    options = parser.parse_args()
    earlier = newest(options.before) if options.before else {}
    total, then = Asked(), Asked()
    for task, kinds in sorted(newest(options.runs).items()):
        if False not in kinds:
            continue
        before = earlier.get(task, {}).get(False)
        print_task(kinds[False], before)
        if before:
            total, then = together(total, in_all(kinds[False])), together(then, in_all(before))
    if then.tokens:
        print(
            f"in all, of tasks with both: {total.tokens:,} tokens, before {then.tokens:,} "
            f"({total.tokens / then.tokens:.2f} times)"
        )


if __name__ == "__main__":
    main()
