"""A workflow of GitHub Actions that opens the plan at its place in the repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence

from ladder.lifecycle.needs import Needs
from ladder.lifecycle.schedules.job import (
    COMMITTED,
    LIMIT_HOURS,
    MACHINE_KEY,
    WEEKLY,
    Files,
    Job,
    records_of,
    said_ledger,
    said_nearby,
    said_no_repository,
    words_in_repository,
)
from ladder.wording import harmless

CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
SETUP_PYTHON = "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0"
"""Pinned: a tag can be moved to other code."""
END = "\n"
AUTHOR = "-c user.name=ladder -c user.email=ladder@localhost"


def as_github(job: Job) -> Files:
    """Return the workflow; it commits the record of checks, which says when the next is due."""
    needs, command = job.needs, words_in_repository(job)
    package = json.dumps(job.package)
    steps = [f"pip install {package}", *needs.installs, *settings_command(needs)]
    text = f"""\
# Save as .github/workflows/{job.title}.yml on the default branch, and commit {COMMITTED}
# Where ladder does not come from your package index, name its wheel or its repository instead.
{said_no_repository(job)}\
{said_ledger(job, f"as the secret {MACHINE_KEY}")}\
{said_untrusted(needs)}\
{said_nearby(needs, "GitHub's machines do not have", NEARBY)}\
# In a public repository GitHub switches a schedule off after 60 days without activity, and a check
# leaves a commit every quarter only: have `ladder status` run somewhere else.
name: {job.title}
on:
  schedule:
    - cron: "{WEEKLY}"
      timezone: {job.zone}
  workflow_dispatch:
permissions: {{}}
concurrency:
  group: {job.title}
  cancel-in-progress: false
jobs:
  revalidate:
    name: Revalidate the certified answer
    runs-on: ubuntu-latest
    timeout-minutes: {LIMIT_HOURS * 60}
    permissions:
      contents: write # the record of checks is committed: it says when the next one is due
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {SETUP_PYTHON}
        with:
          python-version: "3.11"
{"".join(f"      - run: {_quoted(step)}{END}" for step in steps)}\
      - run: {_quoted(command)}
{_secrets(job.variables)}\
      - if: ${{{{ !cancelled() }}}}
        run: {_quoted(keep_command(job, "gh auth setup-git && git push"))}
        env:
          GH_TOKEN: ${{{{ github.token }}}}
"""
    return {f"{job.title}.yml": text}


NEARBY = "add a step that brings it, or use a machine of yours (runs-on: self-hosted)."


def keep_command(job: Job, push: str) -> str:
    """Return the command that commits the record of checks, where a check has left a line.

    Args:
        job: what is scheduled.
        push: the command that sends the commit.
    """
    first, *others = records_of(job)
    commit = f'git {AUTHOR} commit --quiet -m "ladder: a check"'
    return (
        f"if [ -f {shlex.quote(first)} ]; then git add -f -- {shlex.join([first, *others])}; "
        f"git diff --cached --quiet || {{ {commit} && {push}; }}; fi"
    )


def settings_command(needs: Needs) -> Iterator[str]:
    """Yield the command that writes what the user's configuration says of this plan."""
    said = {"endpoints": dict(needs.endpoints), "trusted_code": dict(needs.trusted)}
    if any(said.values()):
        settings = shlex.quote(json.dumps({name: value for name, value in said.items() if value}))
        folder = "~/.config/ladder"
        yield f"mkdir -p {folder} && printf '%s\\n' {settings} > {folder}/config.yaml"


def said_untrusted(needs: Needs) -> str:
    """Say in a comment which code nobody has trusted; empty: none."""
    names = ", ".join(harmless(name, 80) for name in needs.untrusted)
    fix = "run `ladder trust` on the task first, and print this again"
    return f"# It runs code that nobody has trusted yet ({names}): {fix}.\n" if names else ""


def _quoted(command: str) -> str:
    """Return a command as YAML, in which no name of a folder is an expression of GitHub's."""
    return json.dumps(command.replace("${{", "${{ '${{' }}"), ensure_ascii=False)


def _secrets(variables: Sequence[str]) -> str:
    if not variables:
        return ""
    lines = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in variables]
    return "        env:\n" + "".join(lines)
