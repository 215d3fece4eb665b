"""Weights & Biases: offline, in a folder, unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from ladder.tracking.base import Begun, Ended, Rung, is_here

LIBRARIES: tuple[str, ...] = ("wandb",)
EXTRA = "wandb"
KEYS: tuple[str, ...] = ("WANDB_",)
OFFLINE = ("", "offline", "dryrun", "disabled")
CLOUD = "https://api.wandb.ai"
INIT_S = 60.0


def goes_to(environment: Mapping[str, str]) -> str:
    """Return the server that WANDB_MODE sends runs to; empty where they stay offline."""
    mode = environment.get("WANDB_MODE", "").strip().lower()
    if mode in OFFLINE:
        return ""
    server = urlsplit(environment.get("WANDB_BASE_URL", "").strip() or CLOUD)
    if is_here(server.scheme, server.hostname):
        return ""
    return f"{server.scheme}://{server.hostname or ''} (WANDB_MODE={mode})"


def shown_by(folder: str) -> str:
    """Return the command that sends what was kept on this machine: offline runs have no viewer."""
    return f"wandb sync {quote(str(Path(folder) / 'wandb'))}/offline-run-* (this sends it)"


def open_tracker(run: Begun) -> _Run:
    """Begin a run in the project of the task, or in that of WANDB_PROJECT."""
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    settings = wandb.Settings(
        mode=os.environ.get("WANDB_MODE", "").strip().lower() or "offline",
        root_dir=run.folder,
        init_timeout=INIT_S,
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
        symlink=False,
        disable_job_creation=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
    made = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or run.task,
        name=run.name,
        dir=run.folder,
        config=dict(run.params),
        settings=settings,
    )
    return _Run(made)


class _Run:
    def __init__(self, run: Any) -> None:
        self._run = run

    def rung(self, rung: Rung) -> None:
        self._run.log({f"{rung.name}/{key}": value for key, value in rung.metrics.items()})
        self._run.summary[f"{rung.name}/verdict"] = rung.verdict

    def end(self, ended: Ended) -> None:
        self._run.summary.update({**ended.metrics, **ended.words})
        for path in ended.files:
            self._run.save(path, base_path=str(Path(path).parent), policy="now")
        self._run.finish(exit_code=0 if ended.status == "finished" else 1)
