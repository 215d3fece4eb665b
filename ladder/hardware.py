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


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return ", ".join(done.stdout.split("\n")).strip(", ") if done.returncode == 0 else ""
