"""A DAG of Airflow 3."""

from __future__ import annotations

import shlex

from ladder.lifecycle.schedules.job import (
    LIMIT_HOURS,
    WEEKLY,
    Files,
    Job,
    kept_elsewhere,
    said_ledger,
    said_needs,
    words_here,
)


def as_airflow(job: Job) -> Files:
    """Return a file for the folder of DAGs; its paths are those of this machine."""
    command = _untemplated(shlex.join(words_here(job, str(job.plan.resolve()))))
    kept = {name: _untemplated(path) for name, path in kept_elsewhere().items()}
    text = f'''\
# Save in the folder of DAGs. Workers need the plan, its task and this Python at the same paths.
# A failed task is exit 1 (something changed) or 2 (the check could not be made): alarm on it.
{"".join(said_needs(job.needs, "in the environment of the workers"))}\
{said_ledger(job, "as keys/machine.pem (mode 600) beside the workers' config.yaml")}\
"""Weekly tick; measures only when the plan says it is due."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="{job.title}",
    schedule="{WEEKLY}",
    start_date=pendulum.datetime(2026, 1, 1, tz="{job.zone}"),
    catchup=False,
    max_active_runs=1,
    tags=["ladder"],
):
    BashOperator(
        task_id="revalidate",
        bash_command={command!r},
        env={kept!r},
        append_env=True,
        retries=0,
        execution_timeout=timedelta(hours={LIMIT_HOURS}),
    )
'''
    return {f"{job.title.replace('-', '_')}.py": text}


def _untemplated(text: str) -> str:
    """Return a text that Airflow's Jinja hands on as it is."""
    return text.replace("{", "{{ '{' }}")
