"""A Deployment, its Service and its network policy for Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ladder.lifecycle.serving.service import MODELS, Container, Files, Service, heading

START_MINUTES = 30
"""In which an engine may load its weights."""


def as_kubernetes(service: Service, container: Container) -> Files:
    """Return one manifest; the volume claim of the service's name holds the model's folder."""
    name = f"{service.name}.yaml"
    parts = [_deployment(service, container), _service(service, container)]
    if not service.may_leave:
        parts.append(_closed(service, container))
    text = yaml.safe_dump_all(parts, sort_keys=False, width=100)
    return {name: heading(service, container, f"kubectl apply -f {name}") + text}


def _deployment(service: Service, container: Container) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "containers": [_container(service, container)],
        "volumes": [
            {
                "name": "models",
                "persistentVolumeClaim": {"claimName": service.name, "readOnly": True},
            }
        ],
    }
    if service.region:
        pod["nodeSelector"] = {"topology.kubernetes.io/region": service.region}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service.name},
        "spec": {
            "replicas": service.machines,
            "selector": {"matchLabels": {"app": service.name}},
            "template": {"metadata": {"labels": {"app": service.name}}, "spec": pod},
        },
    }


def _container(service: Service, container: Container) -> dict[str, Any]:
    limits: dict[str, Any] = {"memory": f"{service.limit_mb}Mi"}
    if service.gpu:
        limits["nvidia.com/gpu"] = 1
    return {
        "name": "model",
        "image": container.image,
        "args": [_unexpanded(word) for word in container.args],
        "env": list(_variables(container)),
        "ports": [{"containerPort": container.port}],
        "startupProbe": _probe(container, 10, 6 * START_MINUTES),
        "readinessProbe": _probe(container, 10, 3),
        "livenessProbe": _probe(container, 30, 4),
        "resources": {"requests": {"memory": limits["memory"]}, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "models", "mountPath": MODELS, "readOnly": True}],
    }


def _probe(container: Container, every_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/health", "port": container.port},
        "periodSeconds": every_s,
        "failureThreshold": failures,
    }


def _variables(container: Container) -> Iterator[dict[str, str]]:
    for name, value in container.env.items():
        yield {"name": name, "value": _unexpanded(value)}


def _service(service: Service, container: Container) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name},
        "spec": {
            "selector": {"app": service.name},
            "ports": [{"port": 80, "targetPort": container.port}],
        },
    }


def _closed(service: Service, container: Container) -> dict[str, Any]:
    """Return the policy under which pods of this namespace reach it, and it reaches nothing."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": service.name},
        "spec": {
            "podSelector": {"matchLabels": {"app": service.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": {}}],
                    "ports": [{"protocol": "TCP", "port": container.port}],
                }
            ],
            "egress": [],
        },
    }


def _unexpanded(word: str) -> str:
    """Return a text that Kubernetes hands on as it is: $(NAME) names a variable."""
    return word.replace("$(", "$$(")
