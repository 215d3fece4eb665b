"""A task of SkyPilot: a Ray cluster of its own on its machines, beside SkyPilot's."""

from __future__ import annotations

from typing import Any

import yaml

from ladder.lifecycle.handover.work import MEMORY_GB, MOUNT, STORE_BYTES, Work, heading
from ladder.lifecycle.schedules.job import Files

PORT = 6379
"""Of the cluster; SkyPilot's own Ray has 6380, and is left alone."""
TRIES = 60
TOKEN = "RAY_AUTH_TOKEN"


def as_sky_task(work: Work) -> Files:
    """Return one task file: the first machine decides, the others answer."""
    name = f"{work.name}.sky.yaml"
    resources: dict[str, Any] = {
        "image_id": f"docker:{work.image}",
        "cpus": f"{work.cpus}+",
        "memory": f"{MEMORY_GB}+",
    }
    if work.whole_gpus:
        resources["accelerators"] = {work.gpu: work.whole_gpus}
    body = {
        "name": work.name,
        "num_nodes": work.workers + 1,
        "resources": resources,
        "volumes": {str(MOUNT): work.volume},
        "envs": {**work.environment, "RAY_AUTH_MODE": "token"},
        "secrets": dict.fromkeys((TOKEN, *work.needs.variables)),
        "run": _script(work),
    }
    text = yaml.dump(body, Dumper=_Blocks, sort_keys=False, width=100)
    return {name: heading(work, _commands(work, name)) + text}


class _Blocks(yaml.SafeDumper):
    """Writes a text of several lines as a block, so that it can be read and edited."""


def _as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else "")


_Blocks.add_representer(str, _as_block)


def _commands(work: Work, name: str) -> str:
    keys = "".join(f" --secret {variable}" for variable in work.needs.variables)
    return (
        f"{TOKEN}=$(openssl rand -hex 32) sky jobs launch --secret {TOKEN}{keys} {name}\n"
        "The image is one that starts as root: docker build --build-arg RUN_AS=root\n"
        f"The volume {work.volume} must be there before (sky volumes apply; Kubernetes).\n"
        f"At the latest after {work.hours:g} hours each machine ends by itself."
    )


def _script(work: Work) -> str:
    """Return what runs on each machine: SKYPILOT_NODE_RANK 0 decides, the others answer.

    Its processes are children of the script, and end with it: `ray stop` would end SkyPilot's Ray.
    """
    limit = f"timeout --kill-after=60 {max(1, round(work.hours * 3600))}"
    store = f"--object-store-memory {STORE_BYTES} --block"
    room = f"--num-cpus {work.cpus} --num-gpus {work.whole_gpus}"
    return f"""\
set -eu
export PATH=/usr/local/ladder/bin:$PATH
head=$(echo "$SKYPILOT_NODE_IPS" | sed -n 1p)
here=$(echo "$SKYPILOT_NODE_IPS" | sed -n "$((SKYPILOT_NODE_RANK + 1))p")
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
if [ "$SKYPILOT_NODE_RANK" = 0 ]; then
  ray start --head --node-ip-address "$head" --port {PORT} --include-dashboard false \\
    --num-cpus 0 --num-gpus 0 {store} &
  for try in $(seq {TRIES}); do
    ray health-check --address "$head:{PORT}" && break
    sleep 2
  done
  {limit} {work.command(f'"$head:{PORT}"')}
else
  for try in $(seq {TRIES}); do
    ray health-check --address "$head:{PORT}" && break
    sleep 5
  done
  # It ends when the first machine is done, whose code is the job's.
  {limit} ray start --address "$head:{PORT}" --node-ip-address "$here" \\
    {room} {store} || true
fi
"""
