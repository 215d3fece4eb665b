"""MLflow's model registry in an SQLite file: a version a promotion, an alias for the champion.

`python -m ladder.tracking.mlflow_registry FOLDER`, started by `lifecycle.to_mlflow` alone: it reads
the models as JSON, and answers with what it made. MLflow's file store refuses to open since 3.13.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ladder.tracking.mlflow import DATABASE, USUAL
from ladder.trust.quiet import be_quiet

ALIAS = "champion"
RECORD = "ladder.record"
"""Tag of a version: digest of the record that it was made of; none is made twice."""


def main() -> None:
    """Take the models on the input, and say on the output what was made of them."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library's own words go to the log
    be_quiet()
    os.environ.update(USUAL)
    os.chdir(sys.argv[1])
    found = register(json.load(sys.stdin), f"sqlite:///{DATABASE}")
    json.dump(found, answers)
    answers.close()


def register(models: list[dict[str, Any]], address: str) -> dict[str, Any]:
    """Register models; return name -> {versions, made, champion}.

    Args:
        models: each with `name`, `about`, `champion` (a record's digest) and `versions`: `record`,
            `source` (a URI), `about` and `tags`, the oldest first.
        address: of the database.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=address, registry_uri=address)
    found = {}
    for model in models:
        name = model["name"]
        try:
            client.create_registered_model(name, description=model["about"])
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        known = {
            each.tags.get(RECORD): each.version
            for each in client.search_model_versions(f"name = '{name}'")
        }
        new = [each for each in model["versions"] if each["record"] not in known]
        for each in new:
            tags = {**each["tags"], RECORD: each["record"]}
            made = client.create_model_version(
                name, each["source"], tags=tags, description=each["about"]
            )
            known[each["record"]] = made.version
        champion = known[model["champion"]]
        client.set_registered_model_alias(name, ALIAS, str(champion))
        found[name] = {"versions": len(known), "made": len(new), "champion": str(champion)}
    return found


if __name__ == "__main__":
    main()
