"""A file for Docker Compose (the Compose Specification)."""

from __future__ import annotations

from typing import Any

import yaml

from ladder.lifecycle.serving.service import MODELS, Container, Files, Service, heading

FIRST_PORT = 8000
FILE = "compose.yaml"


def as_compose(service: Service, container: Container) -> Files:
    """Return a Compose file: loopback alone, its files read-only, one port for each replica."""
    last = FIRST_PORT + service.machines - 1
    ports = str(FIRST_PORT) if service.machines == 1 else f"{FIRST_PORT}-{last}"
    limits = {"memory": f"{service.limit_mb}M"}
    resources: dict[str, Any] = {"limits": limits}
    if service.gpu:
        device = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        resources["reservations"] = {"devices": [device]}
    body: dict[str, Any] = {
        "image": _literal(container.image),
        "command": [_literal(word) for word in container.args],
        "environment": {name: _literal(value) for name, value in container.env.items()},
        "ports": [f"127.0.0.1:{ports}:{container.port}"],
        "volumes": [f"./models:{MODELS}:ro"],
        "restart": "unless-stopped",
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "deploy": {"replicas": service.machines, "resources": resources},
    }
    if service.region:
        body["labels"] = {"topology.kubernetes.io/region": _literal(service.region)}
    text = yaml.safe_dump(
        {"name": service.name, "services": {"model": body}}, sort_keys=False, width=100
    )
    return {FILE: heading(service, container, "docker compose up -d") + text}


def _literal(word: str) -> str:
    """Return a text that Compose hands on as it is: $ begins a variable."""
    return word.replace("$", "$$")
