"""A real server of the transformers library, on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def transformers_server(port: int, log: Path, model: Path) -> Iterator[str]:
    """Serve a model's folder until the end of the block; yield the base URL once it answers."""
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    program = Path(sys.executable).with_name("transformers")
    if program.exists():
        command = [str(program), "serve", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process,
    ):
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()[-2000:]
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait(timeout=30)
