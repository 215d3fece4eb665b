"""The small task that `ladder init` writes: it runs as it stands and shows every file."""

from __future__ import annotations

import shutil
from pathlib import Path

from ladder.errors import Problem, TaskError
from ladder.files import shipped, write_whole

SOURCE = "r1_guest_feedback"
TEXT = """\
# ladder check task.yaml      reads the rows, reports every mistake
# ladder assess task.yaml     climbs until a rung passes
name: my-task
goal: Tell whether a hotel guest's comment is positive or negative.
data:
  train: train.jsonl          # rows with id, input, target; csv and parquet work too
  test: test.jsonl            # held-out examples; or give `examples:` alone and let ladder split it
  # documents: documents.jsonl    # rows with id, title, text: what the rag rung may read
answer: {type: label}         # label | text | number | json
score: exact_match            # exact_match | contains | token_f1 | number | json_fields
gate:
  min_score: 0.85
  # max_p95_ms: 500
  # max_cost_usd_per_1k: 0.10
# models: {base: bundled:smollm2-135m}   # or hf:FOLDER, or openai:MODEL@https://HOST/v1
"""


def write_starter(folder: Path) -> None:
    """Write task.yaml and rows into a new folder.

    Raises:
        TaskError: the folder holds a task already.
    """
    if (folder / "task.yaml").exists():
        fix = "Choose another folder: ladder init FOLDER"
        raise TaskError([Problem(str(folder), "a folder with a task.yaml", "a new folder", fix)])
    write_whole(folder / "task.yaml", TEXT)
    for name in ("train.jsonl", "test.jsonl"):
        shutil.copyfile(shipped("evalsets") / SOURCE / name, folder / name)
