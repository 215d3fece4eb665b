"""A CronJob of Kubernetes (batch/v1)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ladder.errors import Problem, TaskError
from ladder.lifecycle.schedules.job import (
    LIMIT_HOURS,
    WEEKLY,
    Files,
    Job,
    refuse_breaks,
    said_ledger,
    said_nearby,
    said_needs,
    words,
)

MOUNT = PurePosixPath("/ladder")
NEARBY = "put them into the volume, or make them reachable."
WEEK_S = 604_800
"""A start that was missed for so long is dropped: the next tick is there. Without a limit, a
hundred missed starts stop the job for ever."""


def as_kubernetes(job: Job) -> Files:
    """Return the manifest of a CronJob; its volume holds what lies in the job's root here.

    Raises:
        TaskError: no image is named.
    """
    if not job.image:
        fix = "Name it: --image REGISTRY/NAME@sha256:…"
        raise TaskError([Problem("--image", "nothing", "an image that has ladder", fix)])
    root = (job.root or job.plan.resolve().parent).resolve()
    args = words(job.plan.name, _inside(root, job.task) if job.task else None)
    folder = _inside(root, job.plan.resolve().parent)
    refuse_breaks("".join((job.image, folder, str(root), *args)))
    return {f"{job.title}.yaml": _manifest(job, root, folder, args)}


def _inside(root: Path, path: Path) -> str:
    """Return where a path of this machine lies in the container."""
    return str(MOUNT / os.path.relpath(path.resolve(), root))


def _manifest(job: Job, root: Path, folder: str, args: list[str]) -> str:
    keys = f"in the secret {job.title}, under these names"
    return f"""\
# kubectl apply -f {job.title}.yaml
# The volume claim {job.title} holds what lies here in {root}:
# the plan, its task and the task's data; the record of checks is kept there too.
# The image has {job.package}.
# Exit 1 (something changed) is a failed job: alarm on it, and on silence (ladder status).
{"".join(said_needs(job.needs, keys))}\
{said_ledger(job, "as keys/machine.pem (mode 600) beside the container's config.yaml")}\
{said_nearby(job.needs, "The cluster may not have", NEARBY)}\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {job.title}
spec:
  schedule: "{WEEKLY}"
  timeZone: {job.zone}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {WEEK_S}
  successfulJobsHistoryLimit: 8
  failedJobsHistoryLimit: 8
  jobTemplate:
    spec:
      backoffLimit: 0
      activeDeadlineSeconds: {LIMIT_HOURS * 3600}
      template:
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          containers:
            - name: revalidate
              image: {_quoted(job.image)}
              workingDir: {_quoted(folder)}
              command: ["ladder"]
              args: {_quoted([_unexpanded(word) for word in args])}
              securityContext:
                allowPrivilegeEscalation: false
{"".join(_keys(job))}\
              volumeMounts:
                - name: runs
                  mountPath: {MOUNT}
          volumes:
            - name: runs
              persistentVolumeClaim:
                claimName: {job.title}
"""


def _keys(job: Job) -> Iterator[str]:
    """Yield the variables of the container, each out of the secret."""
    if job.needs.variables:
        yield "              env:\n"
    for name in job.needs.variables:
        yield f"                - name: {name}\n                  valueFrom:\n"
        yield f"                    secretKeyRef: {{name: {job.title}, key: {name}}}\n"


def _unexpanded(word: str) -> str:
    """Return an argument that Kubernetes hands on as it is: $(NAME) names a variable."""
    return word.replace("$(", "$$(")


def _quoted(value: object) -> str:
    """Return a value as JSON, which YAML reads too."""
    return json.dumps(value, ensure_ascii=False)
