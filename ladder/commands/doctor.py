"""`ladder doctor`: what this machine can do, what would be slow on it, and what mends that.

Everything is looked up: no model is loaded and no speed is measured.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ladder import __version__
from ladder.engines.bundled import MODELS, first_use, installed
from ladder.files import user_cache
from ladder.hardware import (
    BF16_UNITS,
    available_memory_mb,
    hardware,
    precision,
    processor_flags,
)
from ladder.training.estimate import TOKENS_AT_ONCE, Shape, memory_mb
from ladder.trust.settings import shown

DISTRIBUTION = "escalation-ladder"
FOR_USERS = (
    *("local", "train", "dense", "store", "qdrant", "data", "evaluate"),
    *("mlflow", "wandb", "trackio", "sign", "gguf", "ray"),
)
PYTHONS = ((3, 11), (3, 14))
"""The oldest and the newest that the libraries have wheels for."""
GLIBC = (2, 31)
"""The oldest that every library has a wheel for (llguidance; Debian 11, Ubuntu 20.04)."""
ROOM_MB = 5_000
"""For the converted model, completions and a trained adapter with its checkpoints."""
BUSY = 0.5
"""Programs that want each core, from which timings are not those of an idle machine."""
SIZES = {
    "135M": Shape(30, 576, 1536, 192, 49_152, tied=True),
    "1.7B": Shape(24, 2048, 8192, 2048, 49_152, tied=True),
    "7B": Shape(28, 3584, 18_944, 512, 152_064, tied=False),
}
"""SmolLM2-135M, SmolLM2-1.7B and Qwen2.5-7B, as their configs have it."""
METHODS = ("lora", "qlora")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked up."""

    subject: str
    found: str
    fix: str = ""
    """What to do where it is missing or slow; empty: nothing to mend."""


def examine(runs: Path) -> tuple[Finding, ...]:
    """Return what was found of this machine and installation, in the order to read it.

    Args:
        runs: the folder that runs are kept in, there or not yet.
    """
    return (
        _python(sys.version_info[:2], sys.platform, platform.machine()),
        *_libc(*platform.libc_ver()),
        _processor(),
        _load(),
        _memory(available_memory_mb()),
        *_gpu(hardware().get("gpu", "")),
        *_room(runs),
        *(_model(name) for name in MODELS),
        *extras(importlib.metadata.distribution(DISTRIBUTION).requires or ()),
    )


def lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield what to print: a line each, and below it what would mend it."""
    yield f"ladder {__version__}"
    for each in found:
        yield f"{each.subject}: {each.found}"
        if each.fix:
            yield f"  fix: {each.fix}"


def as_json(found: Sequence[Finding]) -> dict[str, object]:
    """Return what a program reads."""
    return {"ladder": __version__, "findings": [asdict(each) for each in found]}


def _python(running: tuple[int, int], system: str, machine: str) -> Finding:
    words = f"{platform.python_version()} on {platform.system()} {machine}"
    oldest, newest = PYTHONS
    fix = ""
    if not oldest <= running <= newest:
        fix = f"the libraries are made for {_dotted(oldest)} to {_dotted(newest)}: use one of those"
    if system == "win32":
        fix = "only POSIX systems are supported: use Linux, macOS or WSL"
    if system == "darwin" and not fix:
        fix = "qlora does not run here (bitsandbytes is for Linux): lora does"
        if machine == "x86_64":
            fix = "torch has no wheel for Intel Macs: use Linux, or a Mac with Apple silicon"
    return Finding("python", words, fix)


def _libc(name: str, version: str) -> Iterator[Finding]:
    """Yield what is wrong with the C library of a Linux; nothing elsewhere."""
    if sys.platform != "linux":
        return
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or numbers < GLIBC:
        wanted = f"the libraries have wheels for glibc {_dotted(GLIBC)} or later: use such a system"
        yield Finding("C library", f"{name} {version}".strip() or "not glibc", wanted)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _processor() -> Finding:
    found, flags = hardware(), processor_flags()
    units = sorted(flags & (BF16_UNITS | {"avx2", "avx512f"})) or ["no known vector flags"]
    words = f"{found['processor']}, {found['cores']} cores, {' '.join(units)}"
    if threads := os.environ.get("OMP_NUM_THREADS"):
        words += f", OMP_NUM_THREADS={threads}"
    slow = (
        "no bfloat16 unit: models are computed with in float32; what trains takes about twice as "
        "long as with one"
    )
    on_gpu = "gpu" in found
    return Finding("processor", words, "" if on_gpu or precision() == "bfloat16" else slow)


def _load() -> Finding:
    cores = int(hardware()["cores"])
    busy = os.getloadavg()[0]
    fix = "timings, and limits on them, are not those of an idle machine: assess when it is idle"
    words = f"average {busy:.1f} on {cores} cores"
    return Finding("load", words, fix if busy > BUSY * cores else "")


def _memory(free: float) -> Finding:
    """Say which trainings fit, from the shapes of models of three sizes."""
    computed = precision()
    needed = {
        (size, method): memory_mb(shape, method, TOKENS_AT_ONCE, computed=computed)
        for size, shape in SIZES.items()
        for method in METHODS
    }
    said = [
        f"{method} of {size} ({needed[size, method] / 1024:.1f} GB)"
        for size in SIZES
        for method in METHODS
        if needed[size, method] < free
    ]
    least = min(needed.values()) / 1024
    fix = "" if said else f"no training fits: the smallest, of 135M, takes {least:.1f} GB"
    fits = f", fits by estimate: {', '.join(said)}" if said else ""
    return Finding("memory", f"{free / 1024:.1f} GB free{fits}", fix)


def _gpu(name: str) -> Iterator[Finding]:
    if not name:
        yield Finding(
            "gpu",
            "none found: models answer and learn on the processor",
            "where the base has 1B weights or more, name an endpoint (openai:…) for prompt and "
            "rag, and train on a machine that has one (`ladder recipes copy`)",
        )
        return
    try:
        import torch
    except ImportError:
        yield Finding("gpu", f"{name}; torch is not installed")
        return
    sees = torch.cuda.is_available()
    fix = "" if sees else f"this build of torch ({torch.__version__}) sees none: install one for it"
    yield Finding("gpu", name, fix)


def _room(runs: Path) -> Iterator[Finding]:
    for subject, folder in (("runs", runs), ("cache", user_cache())):
        there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
        free = shutil.disk_usage(there).free / 2**20
        fix = "" if os.access(there, os.W_OK) else f"{shown(there)} cannot be written"
        if free < ROOM_MB:
            fix = f"a training wants some {ROOM_MB / 1000:g} GB: free some, or name another folder"
        yield Finding(subject, f"{shown(folder)}, {free / 1024:.0f} GB free", fix)


def _model(name: str) -> Finding:
    subject = f"bundled:{name}"
    if not installed(name):
        return Finding(subject, "not installed", MODELS[name].install)
    later = first_use(subject)
    return Finding(subject, "installed" + (", converted at its first use (a minute)" * later))


def extras(required: Sequence[str]) -> Iterator[Finding]:
    """Yield what is installed of each extra.

    Args:
        required: the requirements of the distribution, with their markers.
    """
    wanted = {extra: _of_extra(required, extra) for extra in FOR_USERS}
    for extra, requirements in wanted.items():
        missing = [said for each in requirements if (said := _missing(each))]
        install = f'pip install "{DISTRIBUTION}[{extra}]"'
        words = f"missing: {', '.join(missing)}" if missing else "installed"
        yield Finding(f"[{extra}]", words, install if missing else "")


def _of_extra(required: Sequence[str], extra: str) -> list[Requirement]:
    found: list[Requirement] = []
    for line in required:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        if marker is None or not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == DISTRIBUTION:  # an extra that holds others
            found += [
                one for each in sorted(requirement.extras) for one in _of_extra(required, each)
            ]
        elif "extra" in str(marker):
            found.append(requirement)
    return found


def _missing(requirement: Requirement) -> str:
    """Return what is wrong with one requirement; empty where it is met."""
    try:
        there = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return requirement.name
    met = requirement.specifier.contains(there, prereleases=True)
    return "" if met else f"{requirement.name} {there} (wanted {requirement.specifier})"
