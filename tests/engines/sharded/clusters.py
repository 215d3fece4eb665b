"""A Ray cluster of three machines that are all this one: loopback, no dashboard, nothing sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conftest import ROOT

LOOPBACK = "127.0.0.2"
"""Ray takes 127.0.0.1 for the machine's outer address; the rest of 127/8 it leaves alone."""
STORE = 80 << 20
TRIES = 3
"""Ray allows a machine's agents a fixed time to start, which a busy machine may exceed."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",
    # Six of Ray's processes start at once, each within a fixed time: `quick` spares each seconds.
    "PYTHONPATH": f"{Path(__file__).parent / 'quick'}:{ROOT}:{ROOT / 'tests'}",
}


@contextmanager
def cluster_of_three() -> Iterator[Any]:
    """Start a head without workers and two machines with a core each; end what was started."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    made = None
    try:
        made = _started(TRIES)
        yield made
    finally:
        if made is not None:
            made.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def add_node(cluster: Any) -> Any:
    """Add a machine with one core."""
    return cluster.add_node(num_cpus=1, **_common())


def _common() -> dict[str, Any]:
    return {
        "object_store_memory": STORE,
        "node_ip_address": LOOPBACK,
        "include_log_monitor": False,
    }


def _started(tries: int) -> Any:
    from ray.cluster_utils import Cluster

    quick = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 1000,
        "health_check_failure_threshold": 5,
    }
    made = Cluster()
    try:
        made.add_node(num_cpus=0, include_dashboard=False, _system_config=quick, **_common())
        for _ in range(2):
            add_node(made)
    except Exception:  # Ray raises no narrower one
        with suppress(Exception):
            made.shutdown()
        if tries == 1:
            raise
        return _started(tries - 1)
    return made
