"""`ladder models --to`: what is in production, for other registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ladder.lifecycle.registry import Registry
from ladder.lifecycle.to_hub import hand_to_hub
from ladder.lifecycle.to_mlflow import hand_to_mlflow

EXPORTERS: dict[str, Callable[[Registry, Path], Iterator[str]]] = {
    "mlflow": hand_to_mlflow,
    "hf": hand_to_hub,
}
"""To add one: a function, and a line here. Nothing of it may leave the machine."""
