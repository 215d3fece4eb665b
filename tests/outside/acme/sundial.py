"""An exporter of schedules: lines for a sundial."""

from __future__ import annotations

import shlex

from ladder.lifecycle.schedules.job import Files, Job


def as_sundial(job: Job) -> Files:
    """Return what the sundial's keeper reads."""
    command = f"ladder revalidate {shlex.quote(str(job.plan.resolve()))} --if-due"
    extras = ", ".join(job.needs.extras)
    return {f"{job.title}.dial": f"# extras: {extras}\non the first day of the week: {command}\n"}
