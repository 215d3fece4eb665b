"""What runs in a process of the cluster: models, opened there, that answer chunks.

It takes over how the driver computes before any library is loaded, and says what it is before it is
asked anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import ladder
from ladder.engines.base import Chunk, Chunked, Completion, Request
from ladder.files import digest_of, file_digest
from ladder.hardware import hardware, hold_precision, precision, processor_flags
from ladder.trust import egress
from ladder.trust.quiet import HUB_OFFLINE, OPT_OUTS, quieted

KEPT = 2
"""Models in a worker's memory at once: a base and one built on it."""
THREADS = "OMP_NUM_THREADS"
COMPUTING = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Variables that decide in which order numbers are added, and so their last digits."""
VECTORS = ("avx", "fma", "f16c", "amx", "bf16", "vnni", "sve", "asimd", "neon")
"""What the processor's flags begin with that decide the same."""


class Able(Chunked, Protocol):
    """An engine that can be cut, and says what its answers depend on."""

    def fingerprint(self) -> dict[str, str]:
        """Return what its answers depend on, without loading it."""
        ...


Opener = Callable[[], Able]
"""Opens a model: called on the driver's machine, and by each worker on its own."""


@dataclass(frozen=True)
class Conditions:
    """How the driver computes, for workers to compute alike."""

    environment: Mapping[str, str]
    precision: str

    @classmethod
    def here(cls, threads: int) -> Conditions:
        """Return those of this process, with so many threads to a worker."""
        named = (*COMPUTING, *(each.variable for each in OPT_OUTS), HUB_OFFLINE, egress.SOURCE)
        found = {name: os.environ[name] for name in named if name in os.environ}
        return cls({**quieted(found), THREADS: str(threads)}, precision())

    def take_over(self) -> None:
        """Compute so in this process. No library that computes may be loaded yet."""
        for name in COMPUTING:
            os.environ.pop(name, None)
        os.environ.update(self.environment)
        hold_precision(self.precision)
        egress.follow()


class Worker:
    """Answers chunks with models of the machine that it runs on."""

    def __init__(self, conditions: Conditions) -> None:
        """Open nothing yet."""
        conditions.take_over()
        self._models: dict[str, Able] = {}

    def open(self, key: str, opener: Opener) -> dict[str, str]:
        """Open a model, and say what its answers depend on."""
        return passport(self._model(key, opener))

    def answer(
        self, key: str, opener: Opener, requests: Sequence[Request], chunk: Chunk
    ) -> list[Completion]:
        """Answer the requests of a chunk."""
        return self._model(key, opener).answer(requests, chunk)

    def _model(self, key: str, opener: Opener) -> Able:
        """Return a model, opened anew where others have pushed it out of memory."""
        found = self._models.pop(key, None)
        if found is None:
            for oldest in list(self._models)[: max(0, len(self._models) + 1 - KEPT)]:
                del self._models[oldest]
            found = opener()
        self._models[key] = found  # as the last that was asked
        return found


def passport(engine: Able) -> dict[str, str]:
    """Return all that the floats of a model's answers depend on, on this machine."""
    return {**engine.fingerprint(), **machine()}


def machine() -> dict[str, str]:
    """Return what of them is the machine's, whatever it computes."""
    flags = sorted(flag for flag in processor_flags() if flag.startswith(VECTORS))
    gpus = sorted(set(filter(None, hardware().get("gpu", "").split(", "))))
    return {
        "torch": _version("torch"),
        "processor flags": " ".join(flags) or "unknown",
        "GPU": ", ".join(gpus) or "none",
        "ladder's code": _code(),
    }


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Return, in words, where a worker's passport is not this machine's."""
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    return [_difference(name, here.get(name, "none"), there.get(name, "none")) for name in names]


def _difference(name: str, here: str, there: str) -> str:
    if name == "processor flags":
        ours, theirs = set(here.split()), set(there.split())
        more = [f"+{flag}" for flag in sorted(theirs - ours)]
        less = [f"-{flag}" for flag in sorted(ours - theirs)]
        return f"{name} {' '.join((*more, *less))}"
    return f"{name} {there[:12]} (here {here[:12]})"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


@lru_cache(maxsize=1)
def _code() -> str:
    """Return the digest of this package's own code."""
    root = Path(ladder.__file__).parent
    return digest_of({str(p.relative_to(root)): file_digest(p) for p in sorted(root.rglob("*.py"))})
