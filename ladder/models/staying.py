"""A task that keeps its data here: libraries ask nobody, and connections elsewhere are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ladder.scorers import EVALUATE_PREFIX
from ladder.task import DATASETS_PREFIX, ModelRef, Task
from ladder.trust import egress
from ladder.trust.quiet import without_hub


def stay_here(task: Task) -> None:
    """Hold Python to `rules.data_may_leave` from here on, in this process and those it starts.

    What the task names of the hub may be fetched all the same: a name goes there, and no data.
    """
    if task.rules.data_may_leave:
        egress.let_leave()
        return
    if not any(from_hub(task)):
        without_hub()
    egress.keep_here(str(task.source))


def from_hub(task: Task) -> Iterator[str]:
    """Yield what a task names that is no folder here: the hub is asked for it."""
    for model in task.models.model_dump().values():
        if model is not None and ModelRef(model).kind == "hf":
            name = ModelRef(model).name
            if not any(folder.is_dir() for folder in (Path(name), task.folder / name)):
                yield model
    for value in task.data.files().values():
        name = value.removeprefix(DATASETS_PREFIX).partition("#")[0].partition("@")[0]
        if value.startswith(DATASETS_PREFIX) and not task.find_data(name).is_dir():
            yield value
    for choice in task.score:
        name = choice.name.removeprefix(EVALUATE_PREFIX)
        if name != choice.name and not (task.folder / name).is_dir():
            yield choice.name
