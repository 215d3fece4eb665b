"""What libraries send unasked, and the variable that stops each: one table, set before any of them.

`main` sets it before a verb is run, and every process that is started gets it: trainings, trackers.
`ladder audit quiet` prints it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal

HUB_OFFLINE = "HF_HUB_OFFLINE"
"""Not in the table: a task may name a model or rows of the hub. `without_hub` sets it."""

SetBy = Literal["ladder", "you"]


@dataclass(frozen=True)
class OptOut:
    """A variable that keeps a library from sending something."""

    variable: str
    value: str
    library: str
    """Whose it is."""
    sends: str
    """What would be sent, or asked for, without it."""
    as_quiet: tuple[str, ...] = ()
    """Other values that the library takes for the same, in small letters."""

    def holds(self, value: str | None) -> bool:
        """Tell whether a value of the user's own is as quiet as this one."""
        said = (value or "").strip().lower()
        return said in (self.value.lower(), *self.as_quiet)


ON, OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

OPT_OUTS: tuple[OptOut, ...] = (
    OptOut("DO_NOT_TRACK", "true", "several", "usage, of whoever heeds the common sign", ("1",)),
    OptOut(
        "HF_HUB_DISABLE_TELEMETRY", "1", "Hugging Face", "which library loads what, versions", ON
    ),
    OptOut("HF_HUB_DISABLE_UPDATE_CHECK", "1", "Hugging Face", "asks PyPI for newer versions", ON),
    OptOut(
        "HF_UPDATE_DOWNLOAD_COUNTS", "0", "datasets, evaluate", "that a data set was loaded", OFF
    ),
    OptOut("ORT_DISABLE_TELEMETRY", "1", "ONNX Runtime", "model and graph names, weight hashes"),
    OptOut("ORT_TELEMETRY_DISABLED", "1", "ONNX Runtime", "the same, in other releases"),
    OptOut("MLFLOW_DISABLE_TELEMETRY", "true", "MLflow", "which functions are called", ("1",)),
    OptOut("WANDB_ERROR_REPORTING", "false", "Weights & Biases", "crashes of its library", OFF),
    OptOut("GRADIO_ANALYTICS_ENABLED", "False", "Trackio, Gradio", "starts, versions, the system"),
    OptOut("RAY_USAGE_STATS_ENABLED", "0", "Ray", "size of the cluster, libraries in use"),
    OptOut("SKYPILOT_DISABLE_USAGE_COLLECTION", "1", "SkyPilot", "commands and task files"),
    OptOut("VLLM_NO_USAGE_STATS", "1", "vLLM", "model architecture, hardware, settings"),
    OptOut("QDRANT__TELEMETRY_DISABLED", "true", "Qdrant's server", "collections and their sizes"),
)
"""To add a library: a line here."""

_SET_BY: dict[str, SetBy] = {}
"""Who chose each variable's value, as this process has found it."""


def be_quiet(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set every opt-out; a value of the user's own stays where it is as quiet."""
    for each in OPT_OUTS:
        own = each.holds(environment.get(each.variable))
        if environment is os.environ:
            _SET_BY.setdefault(each.variable, "you" if own else "ladder")
        if not own:
            environment[each.variable] = each.value


def without_hub(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep the Hugging Face libraries to what this machine holds. They look when imported."""
    environment[HUB_OFFLINE] = "1"


def quieted(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a process that is started: every opt-out is in it."""
    made = dict(environment)
    be_quiet(made)
    return made


def in_force() -> dict[str, str]:
    """Return variable -> value of the opt-outs that this process has."""
    named = [*(each.variable for each in OPT_OUTS), HUB_OFFLINE]
    return {name: os.environ[name] for name in named if name in os.environ}


def table() -> Iterator[tuple[OptOut, str, SetBy]]:
    """Yield each opt-out with the value it has here and who has set it."""
    be_quiet()
    for each in OPT_OUTS:
        yield each, os.environ[each.variable], _SET_BY[each.variable]
