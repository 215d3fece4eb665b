"""Trackers that an assessment may be reported to, by the word that `report_to` has for each."""

from __future__ import annotations

from ladder.tracking import mlflow, trackio, wandb
from ladder.tracking.base import Kind

TRACKERS: dict[str, Kind] = {"mlflow": mlflow, "wandb": wandb, "trackio": trackio}
"""Word -> a module (`base.Kind`). A new one is a module and a line."""
