"""Trackio: its store in a folder, unless TRACKIO_SPACE_ID or TRACKIO_SERVER_URL names a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from ladder.tracking.base import Begun, Ended, Rung, is_here
from ladder.trust.quiet import without_hub

LIBRARIES: tuple[str, ...] = ("trackio",)
EXTRA = "trackio"
KEYS: tuple[str, ...] = ("TRACKIO_", "HF_")
SPACE, SERVER, STORE = "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_DIR"


def goes_to(environment: Mapping[str, str]) -> str:
    """Return the Space or server that the user's variables name; empty where it is this machine."""
    if space := environment.get(SPACE, "").strip():
        return f"the Hugging Face Space {space} ({SPACE})"
    server = urlsplit(environment.get(SERVER, "").strip())
    if not server.netloc or is_here(server.scheme, server.hostname):
        return ""
    return f"{server.scheme}://{server.hostname or ''} ({SERVER})"


def shown_by(folder: str) -> str:
    """Return the command that shows what was kept on this machine."""
    return f"{STORE}={quote(os.environ.get(STORE) or str(Path(folder) / 'trackio'))} trackio show"


def open_tracker(run: Begun) -> _Run:
    """Begin a run in the project of the task."""
    if not run.leaves:
        without_hub()  # else the hub is asked who the user is
    os.environ.setdefault(STORE, str(Path(run.folder) / "trackio"))
    import trackio

    params = {key.lstrip("_"): value for key, value in run.params.items()}
    opened = trackio.init(
        project=os.environ.get("TRACKIO_PROJECT") or run.task,
        name=run.name,
        config=params,
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    return _Run(trackio, opened, run.name)


class _Run:
    def __init__(self, library: Any, run: Any, name: str) -> None:
        self._library = library
        self._run = run
        self._name = name

    def rung(self, rung: Rung) -> None:
        named: dict[str, Any] = {f"{rung.name}/{k}": value for k, value in rung.metrics.items()}
        self._run.log({**named, f"{rung.name}/verdict": rung.verdict}, step=rung.step)

    def end(self, ended: Ended) -> None:
        self._run.log({**ended.metrics, **{k: word for k, word in ended.words.items() if word}})
        if ended.files:
            files = self._library.Artifact(f"{self._name}-files", type="report")
            for path in ended.files:
                files.add_file(path)
            self._run.log_artifact(files)
        self._library.finish()
