"""A RayJob of KubeRay (ray.io/v1, 1.5.1 or later: token authentication), queued by Kueue or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ladder.lifecycle.handover.work import (
    MEMORY_GB,
    MOUNT,
    STORE_BYTES,
    USER,
    Work,
    heading,
)
from ladder.lifecycle.schedules.job import Files

QUEUE = "kueue.x-k8s.io/queue-name"
KEPT_S = 600
"""In which a finished cluster can be looked at before it is taken down."""
VOLUME = "runs"


def as_ray_job(work: Work) -> Files:
    """Return one manifest: a head that assesses, and workers that answer; gone when it is done."""
    name = f"{work.name}.yaml"
    metadata: dict[str, Any] = {"name": work.name}
    if work.namespace:
        metadata["namespace"] = work.namespace
    if work.queue:
        metadata["labels"] = {QUEUE: work.queue}
    manifest = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": metadata,
        "spec": _spec(work),
    }
    text = yaml.safe_dump(manifest, sort_keys=False, width=100)
    return {name: heading(work, "\n".join(_commands(work, name))) + text}


def _commands(work: Work, name: str) -> Iterator[str]:
    where = f" -n {work.namespace}" if work.namespace else ""
    yield f"kubectl apply{where} -f {name}"
    yield f"before: kubectl get pvc{where} {work.volume} (ReadWriteMany; make it, and copy task and"
    yield "data into it from a pod that mounts it: kubectl cp; runs/ comes back the same way)"
    yield "A private registry wants imagePullSecrets; GPU machines may want tolerations."
    if work.needs.variables:
        keys = "".join(f" --from-literal={variable}=…" for variable in work.needs.variables)
        yield f"before: kubectl create secret generic{where} {work.name}{keys}"


def _spec(work: Work) -> dict[str, Any]:
    # A command that failed is not repeated: exit 1 says that the gate was not passed.
    spec: dict[str, Any] = {
        "entrypoint": work.command("auto"),
        "submissionMode": "K8sJobMode",
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": KEPT_S,
        "activeDeadlineSeconds": max(1, round(work.hours * 3600)),
        "backoffLimit": 0,
    }
    if work.queue:  # Kueue lets it begin
        spec["suspend"] = True
    cluster: dict[str, Any] = {
        "rayVersion": work.ray,
        "authOptions": {"mode": "token"},
        "headGroupSpec": {"rayStartParams": _start(head=True), "template": _pod(work, "head")},
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "replicas": work.workers,
                "minReplicas": work.workers,
                "maxReplicas": work.workers,
                "rayStartParams": _start(head=False),
                "template": _pod(work, "worker"),
            }
        ],
    }
    return {**spec, "rayClusterSpec": cluster}


def _start(*, head: bool) -> dict[str, str]:
    """Return what `ray start` is told; the head decides, and answers nothing."""
    answers_nothing = {"num-cpus": "0", "num-gpus": "0"} if head else {}
    return {**answers_nothing, "object-store-memory": str(STORE_BYTES)}


def _pod(work: Work, role: str) -> dict[str, Any]:
    return {
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(work, role)],
            "volumes": [
                {"name": VOLUME, "persistentVolumeClaim": {"claimName": work.volume}},
            ],
        }
    }


def _container(work: Work, role: str) -> dict[str, Any]:
    room: dict[str, Any] = {"cpu": work.cpus, "memory": f"{MEMORY_GB}Gi"}
    if work.whole_gpus:
        room["nvidia.com/gpu"] = work.whole_gpus
    return {
        "name": f"ray-{role}",
        "image": work.image,
        "env": list(_variables(work)),
        "resources": {"requests": dict(room), "limits": dict(room)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": VOLUME, "mountPath": str(MOUNT)}],
    }


def _variables(work: Work) -> Iterator[dict[str, Any]]:
    for name, value in work.environment.items():
        yield {"name": name, "value": value}
    for name in work.needs.variables:
        key = {"secretKeyRef": {"name": work.name, "key": name}}
        yield {"name": name, "valueFrom": key}
