"""The JSON Schema of assessment.json, kept beside this file. Write it anew: make schema."""

from __future__ import annotations

import json
from pathlib import Path

from ladder.evidence import Assessment
from ladder.files import write_whole

SCHEMA = Path(__file__).with_name("assessment.schema.json")


def schema_text() -> str:
    """Return the schema of this version."""
    return json.dumps(Assessment.model_json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write_whole(SCHEMA, schema_text())
