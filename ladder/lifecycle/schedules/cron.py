"""A block for a crontab of this machine."""

from __future__ import annotations

import shlex

from ladder.lifecycle.schedules.job import (
    WEEKLY,
    Files,
    Job,
    kept_elsewhere,
    refuse_breaks,
    said_needs,
    words_here,
    zone_here,
)

KEYS = "above this line in your crontab (cron hands on no variable)"


def as_cron(job: Job) -> Files:
    """Return a crontab block that opens the plan wherever it lies."""
    plan = job.plan.resolve()
    # cron's PATH is short: name the Python that has ladder, and where its models are kept.
    kept = "".join(f"{name}={shlex.quote(path)} " for name, path in kept_elsewhere().items())
    command = (
        f"cd {shlex.quote(str(plan.parent))} && {kept}{shlex.join(words_here(job, plan.name))}"
    )
    refuse_breaks(command)
    command = command.replace("%", "\\%")  # cron reads a bare % as a new line
    block = (
        f"# BEGIN {job.title}\n"
        f"# Weekly tick; measures only when the plan says it is due. Exit 1: something changed.\n"
        f"{_said_zone(job.zone)}"
        f"{''.join(said_needs(job.needs, KEYS))}"
        f"{WEEKLY} {command}\n"
        f"# END {job.title}\n"
    )
    return {"crontab": block}


def _said_zone(zone: str) -> str:
    """Say whose clock it is: that of the machine, because most crons know no other."""
    here = zone_here()
    if zone == here:
        return f"# On the clock of this machine ({here}).\n"
    return f"# On the clock of the machine ({here} here): cron knows no other. Set it to {zone}.\n"
