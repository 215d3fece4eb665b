"""What machine this is, as far as a measurement depends on it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "trl", "peft", "numpy", "scikit-learn", "bm25s")
BF16_UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Flags of processors that multiply bfloat16 themselves (x86, x86 with tiles, Arm)."""
WITHOUT_BF16 = frozenset(
    {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
)
"""Values of ONEDNN_MAX_CPU_ISA under which PyTorch leaves those units alone."""
GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


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


def threads() -> int:
    """Return how many threads a library computes with here: OMP_NUM_THREADS, else every core."""
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(said) if said.isdecimal() and int(said) else int(hardware()["cores"])


def processor_seconds() -> tuple[float, float] | None:
    """Return how long this process's threads have run, and been ready without a processor.

    Seconds, of all its threads that are still there; None where the system does not tell (it is
    Linux that does: `schedstat`).
    """
    ran = waited = 0
    with suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            with suppress(FileNotFoundError):  # it has ended meanwhile
                told = (thread / "schedstat").read_text().split()
                ran, waited = ran + int(told[0]), waited + int(told[1])
    return (ran / 1e9, waited / 1e9) if ran else None


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


_HELD: list[str] = []
"""The precision that another machine has decided for this process, if one has."""


def hold_precision(name: str) -> None:
    """Have this process compute in a precision that was decided elsewhere: by the driver."""
    _HELD[:] = [name]


def precision() -> str:
    """Return `bfloat16` where this machine computes in it, else `float32`.

    Emulated bfloat16 is many times slower than float32, and float16 overflows on models that were
    made in bfloat16. Every place that loads a model to answer asks here; `recipes/running.py` has
    the same rule for training, since recipes import nothing of `ladder`.
    """
    if _HELD:
        return _HELD[0]
    if shutil.which("nvidia-smi") or any(Path(place).exists() for place in GPU_DRIVERS):
        with suppress(ImportError):  # it takes seconds to load: asked only where a GPU may be
            import torch

            if torch.cuda.is_available():
                native = torch.cuda.is_bf16_supported(including_emulation=False)
                return "bfloat16" if native else "float32"
    return precision_of(processor_flags(), os.environ.get("ONEDNN_MAX_CPU_ISA", ""))


def precision_of(flags: Collection[str], most: str) -> str:
    """Return the precision of a processor.

    Args:
        flags: what it can do, as Linux names it.
        most: the most of that which PyTorch may use, as oneDNN names it; empty: all of it.
    """
    has_unit = not BF16_UNITS.isdisjoint(flags) and most.upper() not in WITHOUT_BF16
    return "bfloat16" if has_unit else "float32"


def processor_flags() -> frozenset[str]:
    """Return what the processor can do, as Linux names it; nothing where that is not known."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        with info.open(errors="replace") as lines:
            for line in lines:
                if line.startswith(("flags", "Features")):
                    return frozenset(line.partition(":")[2].split())
    return frozenset()


def available_memory_mb() -> float:
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
