"""Does a task end with the same decision behind a server as with the same weights in the process?

    python benchmarks/servers.py llama|transformers [--task TASK.YAML [--data FOLDER]]
        [--kill SECONDS] [--until RUNG]

Serves the bundled SmolLM2-135M on loopback, by llama.cpp's server (the GGUF file, quantised) or by
`transformers serve` (the converted weights), assesses the task there, and prints the chosen rung
and its score beside those with `bundled:`. With --kill the server is ended with SIGKILL so many
seconds into the climb, and started again five seconds later. Exit 1: another decision.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import llama
import yaml
from told import assessment_in

from ladder.engines.bundled import bundled_folder
from ladder.hardware import hardware

ROOT = Path(__file__).parent.parent
MOST_SECONDS = 3600
OUTAGE_SECONDS = 5


class Server:
    """A server that can be ended and started again at its port."""

    def __init__(self, kind: str, log: Path) -> None:
        """Choose a port; nothing is started yet."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.kind, self.log = kind, log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def model(self) -> str:
        """The name that the server knows the model by."""
        return "smollm2" if self.kind == "llama" else str(bundled_folder("smollm2-135m"))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if self.kind == "llama":
            command = llama.command(self.port, context=8192, slots=2, threads=2)
        else:
            program = str(Path(sys.executable).with_name("transformers"))
            command = [program, "serve", self.model, "--host", "127.0.0.1"]
            command += ["--port", str(self.port)]
        with self.log.open("ab") as out:
            environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        for _ in range(600):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2).close()
                return
            time.sleep(0.2)
        raise SystemExit(f"the server did not start: {self.log}")

    def kill(self) -> None:
        """End it at once."""
        if self.process:
            self.process.kill()
            self.process.wait(timeout=30)

    def restart(self) -> None:
        """End it, and start it again after an outage."""
        self.kill()
        time.sleep(OUTAGE_SECONDS)
        self.start()


def assessed(task: Path, runs: Path, until: str, data: Path | None) -> tuple[str, str, float]:
    """Assess a task; return the chosen rung, its score in words, and the seconds it took."""
    command = [sys.executable, "-P", "-m", "ladder", "assess", str(task), "--runs", str(runs)]
    command += ["--until", until, "--json", *(["--data", str(data)] if data else [])]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
    took = time.monotonic() - started
    found = assessment_in(done.stdout)
    if found is None:
        raise SystemExit(f"no assessment (exit {done.returncode}): {done.stderr[-2000:]}")
    rung = found["recommendation"]["rung"]
    lines = []
    for attempt in found["attempts"]:
        if attempt["measurement"]:
            score = attempt["measurement"]["score"]
            span = f"{score['low']:.2f}–{score['high']:.2f}, n = {score['n']}"
            how = attempt["candidate"]["description"]
            lines.append(f"{attempt['rung']} {score['mean']:.2f} ({span}) by {how}")
    failed = sum(sum(attempt["asked"]["errors"].values()) for attempt in found["attempts"])
    lines.append(f"{failed} requests failed")
    if found["stopped"]:
        lines.append(found["stopped"])
    return str(rung), "; ".join(lines), took


def main() -> None:
    """Assess behind the server and without it, print both, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=("llama", "transformers"))
    usual = ROOT / "evalsets" / "r1_guest_feedback" / "task.yaml"
    parser.add_argument("--task", type=Path, default=usual)
    parser.add_argument("--data", type=Path, help="the folder of the task's files, if not its own")
    parser.add_argument("--kill", type=float, help="seconds into the climb")
    parser.add_argument("--until", default="rag")
    parser.add_argument("--wanted", help="the rung with `bundled:`, where it is known already")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        home = scratch / "task"
        if given.data:
            home.mkdir()
            shutil.copy(given.task, home / "task.yaml")
        else:
            shutil.copytree(given.task.parent, home)
        server = Server(given.server, scratch / "server.log")
        values = yaml.safe_load((home / "task.yaml").read_text(encoding="utf-8"))
        values["models"] = {"base": f"openai:{server.model}@http://127.0.0.1:{server.port}/v1"}
        values["rules"] = {"request_timeout_s": 300}
        (home / "served.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        server.start()
        killer = threading.Timer(given.kill or 0.0, server.restart)
        killer.daemon = True
        if given.kill:
            killer.start()
        try:
            rung, words, took = assessed(
                home / "served.yaml", scratch / "served", given.until, given.data
            )
        finally:
            killer.cancel()
            server.kill()
        how = f", killed after {given.kill:g} s" if given.kill else ""
        print(f"{given.server}{how}: {rung} in {took:.0f} s: {words}", flush=True)
        wanted = given.wanted
        if wanted is None:
            wanted, words, took = assessed(
                home / "task.yaml", scratch / "local", given.until, given.data
            )
            print(f"bundled: {wanted} in {took:.0f} s: {words}")
    print(f"{'the same decision' if rung == wanted else 'ANOTHER DECISION'}; {hardware()}")
    raise SystemExit(rung != wanted)


if __name__ == "__main__":
    main()
