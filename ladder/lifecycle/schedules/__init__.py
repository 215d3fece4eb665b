"""Print a job for the user's own scheduler. `ladder` runs no daemon and installs nothing."""

from ladder.lifecycle.schedules.airflow import as_airflow
from ladder.lifecycle.schedules.cron import as_cron
from ladder.lifecycle.schedules.github import as_github
from ladder.lifecycle.schedules.gitlab import as_gitlab
from ladder.lifecycle.schedules.job import Target
from ladder.lifecycle.schedules.kubernetes import as_kubernetes
from ladder.lifecycle.schedules.systemd import as_systemd

TARGETS: dict[str, Target] = {
    "cron": as_cron,
    "systemd": as_systemd,
    "kubernetes": as_kubernetes,
    "github": as_github,
    "gitlab": as_gitlab,
    "airflow": as_airflow,
}
"""To add a scheduler: a function from a `job.Job` to its files, and a line here."""
