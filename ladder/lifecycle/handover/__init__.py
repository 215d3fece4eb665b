"""A task, handed over to a cluster: files ready to edit. `ladder` starts nothing there."""

from ladder.lifecycle.handover.ray_job import as_ray_job
from ladder.lifecycle.handover.sky_task import as_sky_task
from ladder.lifecycle.handover.work import Target

TARGETS: dict[str, Target] = {"rayjob": as_ray_job, "skypilot": as_sky_task}
"""To add a scheduler: a function from a `work.Work` to its files, and a line here."""
