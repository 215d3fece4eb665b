"""What machine this is, as far as a measurement depends on it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "trl", "peft", "numpy", "scikit-learn", "bm25s")


@lru_cache(maxsize=1)
def hardware() -> dict[str, str]:
    """Return processor, cores, memory and GPU, in words."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    gpu = _gpu()
    return {**found, "gpu": gpu} if gpu else found


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that answers depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def memory_there_mb() -> float:
    """Return the memory that is free: the GPU's where there is one, else the machine's.

    Inside a container the container's limit counts.
    """
    found = _gpu_query("memory.free").split(",")[0]
    if found.isdecimal():  # a GPU that shares the machine's memory tells of none
        return float(found)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    info = Path("/proc/meminfo")
    if info.is_file():
        text = info.read_text(errors="replace")
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        said = lines.get("MemAvailable", "").split()
        free = int(said[0]) / 1024 if said else free
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
        free = min(free, (int(limit.read_text()) - int(used.read_text())) / 2**20)
    return free


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _gpu() -> str:
    return _gpu_query("name")


def _gpu_query(field: str) -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):  # it is there, and does not run
        return ""
    said = done.stdout.decode(errors="replace").split("\n")
    return ", ".join(said).strip(", ") if done.returncode == 0 else ""
