"""`ladder export TASK --to rayjob`: what is handed over to a cluster, out of a task."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

from ladder.errors import Problem, TaskError
from ladder.lifecycle.handover.work import Work
from ladder.lifecycle.needs import needs_of_climb
from ladder.task import Task

DIGEST = re.compile(r"[\w.:/-]+@sha256:[0-9a-f]{64}")
MOST_HOURS = (2**31 - 1) // 3600
"""The deadline is told in seconds, by an integer of 32 bits."""
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DOTTED = re.compile(rf"(?=.{{1,63}}$){LABEL.pattern}(\.{LABEL.pattern})*")
PLAIN = re.compile(r"[A-Za-z0-9._/+-]+")
LEAST_RAY = "2.52.0"
"""The first version with token authentication."""


@dataclass(frozen=True)
class Wish:
    """What was named on the command line."""

    image: str = ""
    claim: str = ""
    queue: str = ""
    namespace: str = ""
    gpu: str = ""
    hours: float = 24.0


def make_work(task: Task, wish: Wish, to: str) -> Work:
    """Return the work that a task's assessment is on a cluster.

    Args:
        task: the user's job; its `execution` says how many workers there are, and of what size.
        wish: what it does not say.
        to: a key of `handover.TARGETS`.

    Raises:
        TaskError: with every reason why it cannot be handed over.
    """
    folders = [task.folder.resolve(), *([task.data_root.resolve()] if task.data_root else [])]
    root = Path(os.path.commonpath(folders))
    file = PurePosixPath(os.path.relpath(task.source.resolve(), root))
    data = PurePosixPath(os.path.relpath(folders[-1], root)) if task.data_root else None
    wanted = task.execution
    problems = [*_refused(task, [file, *([data] if data else [])]), *_misnamed(wish)]
    problems += _without_gpus(task, wish)
    if to == "skypilot":
        problems += _for_sky(task, wish)
    if problems:
        raise TaskError(problems)
    usual = Work
    return Work(
        task=task.name,
        file=file,
        root=root,
        image=wish.image,
        claim=wish.claim,
        data=data,
        workers=wanted.workers or usual.workers,
        cpus=wanted.cpus or usual.cpus,
        gpus=wanted.gpus,
        gpu=wish.gpu,
        queue=wish.queue,
        namespace=wish.namespace,
        hours=wish.hours,
        ray=_ray_version(),
        needs=needs_of_climb(task),
    )


def _refused(task: Task, paths: list[PurePosixPath]) -> Iterator[Problem]:
    """Yield what a cluster would refuse after its machines have been paid for."""
    if not task.rules.data_may_leave:
        fix = "Set `rules: {data_may_leave: true}` if the rows may be sent there."
        got = "data_may_leave: false, and a cluster whose machines are sent the rows"
        yield Problem(f"{task.source}: rules", got, "consent to that", fix)
    if task.rules.remote_code:
        fix = "Take a model that needs no code of its own."
        wanted = "none on a cluster: consent is for the code on one machine"
        yield Problem(
            f"{task.source}: rules.remote_code", "models with their own code", wanted, fix
        )
    for path in paths:
        if not PLAIN.fullmatch(str(path)):
            wanted = "letters, digits, . _ + - and / alone: several shells read it on its way"
            yield Problem(str(task.source), f"the path {path}", wanted, "Rename it.")


def _without_gpus(task: Task, wish: Wish) -> Iterator[Problem]:
    if wish.gpu and not task.execution.gpus:
        fix = "Set `execution: {gpus: 1}`, or leave --gpu out."
        yield Problem("--gpu", wish.gpu, "a task whose workers have GPUs", fix)


def _misnamed(wish: Wish) -> Iterator[Problem]:
    if not DIGEST.fullmatch(wish.image):
        got = wish.image or "nothing"
        fix = "`docker push` prints the digest; a tag can be moved to other code."
        yield Problem("--image", got, "an image by its digest, NAME@sha256:…", fix)
    letters = "lower-case letters, digits and -, at most 63"
    named = {"--claim": wish.claim, "--queue": wish.queue}
    for option, name in named.items():
        if name and not DOTTED.fullmatch(name):
            yield Problem(option, name, f"a name of Kubernetes: {letters}; parts joined by a .")
    if wish.namespace and not LABEL.fullmatch(wish.namespace):
        yield Problem("--namespace", wish.namespace, f"a namespace of Kubernetes: {letters}")
    if not 0 < wish.hours <= MOST_HOURS:
        yield Problem(
            "--deadline", f"{wish.hours:g}", f"hours, more than 0, at most {MOST_HOURS:,}"
        )


def _for_sky(task: Task, wish: Wish) -> Iterator[Problem]:
    """Yield what SkyPilot has no use for, or asks for."""
    if task.execution.gpus and not re.fullmatch(r"[A-Za-z0-9-]+", wish.gpu):
        fix = "`sky gpus list` prints the names."
        yield Problem("--gpu", wish.gpu or "nothing", "the GPU's name, such as L4 or H100", fix)
    for option, name in (("--queue", wish.queue), ("--namespace", wish.namespace)):
        if name:
            yield Problem(option, name, "nothing: SkyPilot's own configuration says where it runs")


def _ray_version() -> str:
    """Return the version of Ray here, which the image should have as well."""
    try:
        return version("ray")
    except PackageNotFoundError:
        return LEAST_RAY
