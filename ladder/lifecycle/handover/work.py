"""What is handed over: the assessment of one task, and the machines that it is to have."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ladder.lifecycle.names import label_of
from ladder.lifecycle.needs import Needs
from ladder.lifecycle.schedules.job import Files, said_nearby
from ladder.wording import harmless

MOUNT = PurePosixPath("/ladder")
"""Where every machine mounts the volume: folders are found by the same path."""
RUNS = MOUNT / "runs"
USER = 1000
"""Of the image that the repository's Dockerfile builds."""
MEMORY_GB = 8
"""Assumed for each machine: neither the models nor the data are measured for it."""
STORE_BYTES = 500_000_000
"""Of each machine's memory, for what Ray hands on: requests and answers are small."""
QUIET: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0"}
NOTHING = Needs()
NEARBY = "put them into the volume, or make them reachable."


@dataclass(frozen=True)
class Work:
    """An assessment to be run elsewhere."""

    task: str
    """Name of its task."""
    file: PurePosixPath
    """The task file, seen from the root of the volume."""
    root: Path
    """The folder here that the volume holds."""
    image: str
    """With its digest."""
    claim: str = ""
    """The name of the volume; empty: that of the work."""
    data: PurePosixPath | None = None
    """The further folder of data (`--data`), seen from the root of the volume."""
    workers: int = 2
    cpus: int = 4
    gpus: float = 0.0
    """Of each worker."""
    gpu: str = ""
    """Its name, where a scheduler wants one."""
    queue: str = ""
    """A queue of Kueue; empty: none."""
    namespace: str = ""
    hours: float = 24.0
    """After which it is ended."""
    ray: str = ""
    """The version of Ray in the image."""
    needs: Needs = NOTHING

    @property
    def name(self) -> str:
        """A DNS label, one for each task."""
        return label_of(self.task, "ladder")

    @property
    def volume(self) -> str:
        """The name of its volume."""
        return self.claim or self.name

    @property
    def whole_gpus(self) -> int:
        """GPUs of each machine: schedulers give no parts of one."""
        return math.ceil(self.gpus)

    @property
    def environment(self) -> dict[str, str]:
        """What every process on every machine is told."""
        return {**QUIET, "OMP_NUM_THREADS": str(self.cpus)}

    def command(self, address: str) -> str:
        """Return the command that assesses, once the cluster is there.

        Args:
            address: of the cluster, as `--ray` takes it; a shell may still fill it in.
        """
        words = ["ladder", "assess", str(MOUNT / self.file), "--runs", str(RUNS)]
        if self.data is not None:
            words += ["--data", str(MOUNT / self.data)]
        return f"{shlex.join(words)} --ray {address}"


Target = Callable[[Work], Files]


def heading(work: Work, commands: str) -> str:
    """Return the comment on top of a file: how it is used, what it needs, what is to be edited.

    Args:
        work: what is handed over.
        commands: lines that start it.
    """
    return "".join(f"# {line}\n" for line in _notes(work, commands))


def _notes(work: Work, commands: str) -> Iterator[str]:
    yield from commands.splitlines()
    yield f"Assesses the task {harmless(work.task, 120)}. The volume {work.volume} holds what lies"
    yield f"here in {harmless(str(work.root))}: all machines mount it, so it must be"
    yield "ReadWriteMany; runs are kept in it, and a run that was ended goes on when started anew."
    yield "The job's user (uid 1000, unless the image says otherwise) must read what is copied"
    yield "there, and write the runs: `chmod -R a+rX` the one, `chown -R 1000` the other."
    yield f"To edit: the memory ({MEMORY_GB} GB for each machine is assumed), the number of workers"
    yield f"({work.workers}, each with {work.cpus} cores: `execution: {{workers: …, cpus: …}}`)."
    yield "All machines must have one kind of processor, and of GPU: the first decides, and"
    yield "latency is timed on it, so it is as large as a worker."
    yield "Exit 1 (the gate was not passed) is a failed job here, as is every other code but 0."
    if work.needs.variables:
        yield f"Needs the keys {', '.join(work.needs.variables)}."
    for name in (*work.needs.untrusted, *(name for _, name in work.needs.trusted)):
        yield f"Runs the code {harmless(name, 80)}: read it, and add --allow-code to the command."
    yield from (
        said_nearby(work.needs, "The cluster may not have", NEARBY).replace("# ", "").splitlines()
    )
