"""Print a job for the user's own scheduler. `ladder` runs no daemon.

The job ticks every week and asks `--if-due`: a tick that a sleeping machine missed is caught up by
the next one, and the plan alone says how often a check is needed.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import category

from ladder import __version__
from ladder.errors import Problem, TaskError
from ladder.lifecycle.needs import Needs
from ladder.trust.settings import settings_file
from ladder.wording import harmless

END = "\n"
WEEKLY = "17 6 * * 1"
"""Mondays at 06:17: day of month stays `*`, because cron reads two restricted day fields as OR."""


NOTHING = Needs()


def as_cron(plan: Path, needs: Needs = NOTHING) -> str:
    """Return a crontab block.

    Args:
        plan: its path.
        needs: what the plan needs on the machine, said in comments: cron starts with an empty
            environment, and a key is nothing to be printed.
    """
    folder, name = shlex.quote(str(plan.resolve().parent)), shlex.quote(plan.name)
    # cron's PATH is short: name the Python that has ladder, and where its models are kept.
    kept = "".join(f"{name}={shlex.quote(path)} " for name, path in _kept_elsewhere())
    # -P: no file beside the plan is taken for a module.
    refuse_breaks(folder + name + kept + sys.executable)
    ladder = f"{kept}{shlex.quote(sys.executable)} -P -m ladder"
    command = f"cd {folder} && {ladder} revalidate {name} --if-due".replace("%", "\\%")
    return (  # cron reads a bare % as a new line
        f"# BEGIN ladder {plan.name}\n"
        f"# Weekly tick; measures only when the plan says it is due. Exit 1: something changed.\n"
        f"{''.join(_said_to_cron(needs))}"
        f"{WEEKLY} {command}\n"
        f"# END ladder {plan.name}\n"
    )


def _kept_elsewhere() -> Iterator[tuple[str, str]]:
    """Yield the variables that say where cache and configuration are, where some do here."""
    if cache := os.environ.get("LADDER_CACHE"):
        yield "LADDER_CACHE", cache
    if os.environ.get("LADDER_CONFIG") or os.environ.get("XDG_CONFIG_HOME"):
        yield "LADDER_CONFIG", str(settings_file().absolute())


def _said_to_cron(needs: Needs) -> Iterator[str]:
    if needs.variables:
        lines = ", ".join(f"{variable}=…" for variable in needs.variables)
        yield f"# Needs, above this line in your crontab (cron hands on no variable): {lines}\n"
    if needs.handed_on:
        lines = ", ".join(f"{variable}=…" for variable in needs.handed_on)
        yield f"# Needs as well, as they are set here: {lines}\n"
    if needs.extras:
        yield f"# Needs the extras of escalation-ladder: {', '.join(needs.extras)}.\n"
    yield from (f"# Needs: {install}\n" for install in needs.installs)
    for name in needs.untrusted:
        yield f"# Runs the code {harmless(name, 80)}: read it and run `ladder trust` first.\n"


def refuse_breaks(text: str) -> None:
    """Refuse what would end a line of a job, and so begin another one.

    Raises:
        TaskError: a name holds a control character, a line's end, or a byte that is not UTF-8.
    """
    sign = next((sign for sign in text if category(sign) in ("Cc", "Cs", "Zl", "Zp")), None)
    if sign is not None:
        got, fix = f"the character {sign!a}", "Rename the folder or the file."
        raise TaskError([Problem(harmless(text), got, "a name that fits on a line", fix)])


def as_github(plan: Path, needs: Needs = NOTHING) -> str:
    """Return a GitHub Actions workflow that opens the plan at its place in the repository.

    Args:
        plan: its path in the repository.
        needs: what the plan needs there: secrets of the same names, extras, models.
    """
    refuse_breaks(plan.as_posix())
    extras = f"[{','.join(needs.extras)}]" if needs.extras else ""
    package = json.dumps(f"escalation-ladder{extras}=={__version__}")
    steps = [f"pip install {package}", *needs.installs, *_settings_on_github(needs)]
    command = f"ladder revalidate {shlex.quote(plan.as_posix())} --if-due"
    return f"""\
# Save as .github/workflows/revalidate.yml and commit the plan (git add -f, where runs/ is ignored)
# and the task's data with it. Where ladder does not come from your package index, name its wheel
# or its repository instead.{_untrusted(needs)}{_nearby(needs)}
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
{"".join(f"      - run: {_quoted(step)}{END}" for step in steps)}\
      - run: {_quoted(command)}
{_secrets(needs)}"""


def _quoted(command: str) -> str:
    return json.dumps(command, ensure_ascii=False)


def _settings_on_github(needs: Needs) -> Iterator[str]:
    """Yield the command that writes what the user's configuration says of this plan."""
    said = {"endpoints": dict(needs.endpoints), "trusted_code": dict(needs.trusted)}
    if any(said.values()):
        settings = shlex.quote(json.dumps({name: value for name, value in said.items() if value}))
        folder = "~/.config/ladder"
        yield f"mkdir -p {folder} && printf '%s\\n' {settings} > {folder}/config.yaml"


def _untrusted(needs: Needs) -> str:
    names = ", ".join(harmless(name, 80) for name in needs.untrusted)
    fix = "run `ladder trust` on the task first, and print this again"
    return f"\n# It runs code that nobody has trusted yet ({names}): {fix}." if names else ""


def _nearby(needs: Needs) -> str:
    names = ", ".join(harmless(name, 80) for name in needs.nearby)
    fix = "# add a step that brings it, or use a machine of yours (runs-on: self-hosted)."
    return f"\n# GitHub's machines do not have {names}:\n{fix}" if names else ""


def _secrets(needs: Needs) -> str:
    if not needs.variables:
        return ""
    lines = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in needs.variables]
    return "        env:\n" + "".join(lines)


TARGETS: dict[str, Callable[[Path, Needs], str]] = {"cron": as_cron, "github": as_github}
"""To add a scheduler: a function from the plan's path and its needs to text, and a line here."""
