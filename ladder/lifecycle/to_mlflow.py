"""The registry for MLflow: registered models, versions and the alias `champion`, in SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Any

from ladder.errors import MissingExtraError, StateError
from ladder.evidence import Promoted
from ladder.files import private_folder, refuse_unwritable
from ladder.lifecycle.plan import find_plan, load_plan
from ladder.lifecycle.production import Production, digest_of_entry, in_production
from ladder.lifecycle.registry import Registry
from ladder.redaction import redact_in, without_keys
from ladder.tracking import mlflow
from ladder.wording import harmless

WITHIN_S = 900.0
"""The first use of a database sets up its tables, which takes minutes on a busy machine."""
LOG = "mlflow.log"


def hand_to_mlflow(registry: Registry, out: Path) -> Iterator[str]:
    """Write every promotion as a version, once; the alias is where the champion is.

    Args:
        registry: what was promoted.
        out: the folder of the database.

    Raises:
        MissingExtraError: MLflow is not installed.
        StateError: it failed; its log is named.
    """
    if missing := [name for name in mlflow.LIBRARIES if find_spec(name) is None]:
        raise MissingExtraError(
            ", ".join(missing), f'pip install "escalation-ladder[{mlflow.EXTRA}]"'
        )
    refuse_unwritable(out)
    known = in_production(registry.entries)
    models = [_model(registry, name, found) for name, found in known.items()]
    for name, made in _registered(models, private_folder(out.resolve())).items():
        new = f"{made['made']} new of {made['versions']} versions"
        yield f"{name}: {new}, {mlflow_alias(name)} is version {made['champion']}"
    database = out.resolve() / mlflow.DATABASE
    yield f"mlflow ui --backend-store-uri {quote(f'sqlite:///{database}')}"


def mlflow_alias(name: str) -> str:
    """Return how MLflow refers to the champion."""
    return f"models:/{name}@champion"


def _model(registry: Registry, name: str, found: Production) -> dict[str, Any]:
    entries = [e for e in registry.entries if isinstance(e, Promoted) and e.name == name]
    return {
        "name": name,
        "about": f"{name}, by ladder: the newest record says what is in production",
        "champion": digest_of_entry(found.champion),
        "versions": [_version(registry, entry) for entry in entries],
    }


def _version(registry: Registry, entry: Promoted) -> dict[str, Any]:
    run = (registry.path.parent / entry.place).resolve()
    tags = {
        "ladder.plan": entry.system.plan,
        "ladder.release": entry.release or "",
        "ladder.rung": entry.rung,
        "ladder.model": entry.model,
        "ladder.promoted": entry.at,
    }
    plan = find_plan(run)
    if plan.is_file():
        score = load_plan(plan).baseline.sealed_rows or load_plan(plan).baseline.gate_rows
        tags |= {
            f"ladder.score_{key}": f"{getattr(score, key):.6g}"
            for key in ("mean", "low", "high", "n")
        }
    return {
        "record": digest_of_entry(entry),
        "source": run.as_uri(),
        "about": f"{entry.rung}: {entry.place}",
        "tags": {key: value[: mlflow.LONGEST] for key, value in tags.items() if value},
    }


def _registered(models: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    log = out / LOG
    command = [sys.executable, "-P", "-m", "ladder.tracking.mlflow_registry", str(out)]
    own = {
        name: value
        for name, value in without_keys(os.environ).items()
        if not name.startswith(mlflow.KEYS)  # no server of the user's, this file alone
    }
    with log.open("wb") as said:
        try:
            done = subprocess.run(
                command,
                input=json.dumps(redact_in(models)).encode(),
                stdout=subprocess.PIPE,
                stderr=said,
                env=own,
                timeout=WITHIN_S,
                check=True,
            )
        except subprocess.SubprocessError as error:
            words = harmless(type(error).__name__)
            raise StateError(f"MLflow did not take the registry ({words}): {log}") from None
    found: dict[str, Any] = json.loads(done.stdout)
    return found
