"""What is known of a task's models without asking one: their abilities, and how they count."""

from __future__ import annotations

from pathlib import Path

from ladder.engines import open_engine
from ladder.engines.base import Abilities
from ladder.engines.bundled import first_use
from ladder.engines.context import Counts
from ladder.errors import MissingExtraError
from ladder.language.tokens import likely_tokens
from ladder.task import ModelRef, Task


class Absent:
    """A model of this machine that is not there yet: it is not fetched or converted to guess."""

    abilities = Abilities(plain=True, scores_choices=True, json_schema=True)

    def count_tokens(self, text: str) -> int:
        """Return an estimate."""
        return likely_tokens(text)


def stand_in(task: Task, model: ModelRef) -> Counts:
    """Return an engine to count with: the model's own where it is there, else `Absent`.

    Raises:
        EngineError: there is no such model, or it cannot be opened.
    """
    folders = (Path(model.name), task.folder / model.name)
    fetched = model.kind == "hf" and not any(folder.is_dir() for folder in folders)
    if first_use(model) or fetched:
        return Absent()
    try:
        return open_engine(model, None, task.folder)
    except MissingExtraError:
        return Absent()
