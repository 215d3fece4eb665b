"""MLflow: an SQLite file and a folder of files, or the server that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from ladder.tracking.base import Begun, Ended, Rung, is_here

LIBRARIES: tuple[str, ...] = ("mlflow", "sqlalchemy", "alembic")
EXTRA = "mlflow"
KEYS: tuple[str, ...] = ("MLFLOW_", "DATABRICKS_", "AWS_", "AZURE_", "GOOGLE_")
VARIABLE = "MLFLOW_TRACKING_URI"
DATABASE, FILES = "mlflow.db", "mlartifacts"
USUAL = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""A server that is gone is told in a minute; what the user sets goes before it."""
HERE = ("", "file", "sqlite")
LONGEST = 500
"""Characters of a parameter or tag, which every MLflow server takes."""


def goes_to(environment: Mapping[str, str]) -> str:
    """Return the server of MLFLOW_TRACKING_URI; empty where it is this machine or a file."""
    address = environment.get(VARIABLE, "").strip()
    parts = urlsplit(address)
    if parts.scheme.lower() in HERE and not (parts.scheme and parts.netloc):
        return "" if address != "databricks" else f"databricks ({VARIABLE})"
    if is_here(parts.scheme, parts.hostname):
        return ""
    return f"{parts.scheme}://{parts.hostname or ''} ({VARIABLE})"


def shown_by(folder: str) -> str:
    """Return the command that shows what was kept on this machine."""
    kept = quote(f"sqlite:///{Path(folder) / DATABASE}")
    return f"mlflow ui --backend-store-uri {os.environ.get(VARIABLE, '').strip() or kept}"


def open_tracker(run: Begun) -> _Run:
    """Begin a run in the experiment of the task, or in that of MLFLOW_EXPERIMENT_NAME."""
    for name, value in USUAL.items():
        os.environ.setdefault(name, value)
    from mlflow.entities import Param, RunTag
    from mlflow.tracking import MlflowClient

    # Relative to the folder, which the process stands in: no sign of its path can act in a URL.
    address = os.environ.get(VARIABLE, "").strip() or f"sqlite:///{DATABASE}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.task
    found = client.get_experiment_by_name(name)
    own = VARIABLE not in os.environ
    files = (Path(run.folder) / FILES).as_uri() if own else None
    experiment = found.experiment_id if found else client.create_experiment(name, files)
    made = client.create_run(experiment, run_name=run.name)
    place = urlsplit(made.info.artifact_uri).scheme
    if place not in (*HERE, "mlflow-artifacts") and not run.leaves:
        client.set_terminated(made.info.run_id, "FAILED")
        raise ValueError(f"the experiment {name} keeps its files at {place}:, elsewhere")
    params = [Param(key, value[:LONGEST]) for key, value in run.params.items()]
    client.log_batch(made.info.run_id, params=params, tags=[RunTag("source", "ladder")])
    return _Run(client, made.info.run_id)


class _Run:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._id = run_id

    def rung(self, rung: Rung) -> None:
        named = {f"{rung.name}/{key}": value for key, value in rung.metrics.items()}
        self._log(named, {f"{rung.name}/verdict": rung.verdict}, rung.step)

    def end(self, ended: Ended) -> None:
        self._log(ended.metrics, ended.words, 0)
        for path in ended.files:
            self._client.log_artifact(self._id, path)
        status = "FINISHED" if ended.status == "finished" else "FAILED"
        self._client.set_terminated(self._id, status)

    def _log(self, metrics: Mapping[str, float], words: Mapping[str, str], step: int) -> None:
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        values = [Metric(key, value, now, step) for key, value in metrics.items()]
        tags = [RunTag(key, value[:LONGEST]) for key, value in words.items() if value]
        self._client.log_batch(self._id, metrics=values, tags=tags)
