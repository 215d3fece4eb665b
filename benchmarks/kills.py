"""Does a kill change the answer, or make anything be asked twice? At random moments.

    python benchmarks/kills.py [--kills 100] [--workers 2] [--seed 0]

A climb asks a real server on this machine (`faults.py`), is killed with signal 9, 15 or 2 at a
random moment, started again, killed again, and at last left to end. Its answer must be the one of
an undisturbed climb. Of the requests that the server answered, only those under way at a kill
(eight at most, and the untimed warm-up of a latency) may have been asked again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml
from faults import ROOT, FaultyServer, Seen, Step, World, decision, model_of, worlds
from told import assessment_in

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {143}, signal.SIGINT: {130}}
UNDER_WAY = 8
KILLS_A_CLIMB = 3
END_SECONDS = 20


@dataclass(frozen=True)
class Climbed:
    """What came of a climb, with all its kills."""

    answer: dict[str, Any]
    kills: Counter[str]
    late: int
    """Kills that came after the end."""
    answered: int
    again: int
    """Answered requests that were asked again, beyond the timed ones' warm-up."""
    wrong: tuple[str, ...]


def essence(found: dict[str, Any]) -> dict[str, Any]:
    """Return what of an assessment may not depend on kills: all but times and counts of a run."""
    return {
        "answer": found["recommendation"]["rung"],
        "description": found["recommendation"]["description"],
        "confirmed": found["recommendation"]["confirmed"],
        "scores": [(a["rung"], a["status"], a["measurement"]["score"]) for a in found["attempts"]],
        "races": [
            [(r["description"], r["score"], r["n"]) for r in a["race"]] for a in found["attempts"]
        ],
    }


def climb(world: World, folder: Path, draw: Random, kills: int, usual_s: float) -> Climbed:
    """Climb with so many kills on the way."""
    model, answered, lock = model_of(world), Counter[str](), threading.Lock()

    def script(request: Seen) -> Step:
        payload = {k: v for k, v in request.payload.items() if not k.startswith("stream")}
        timed = "timed " if request.payload.get("stream") else ""
        with lock:
            answered[timed + json.dumps(payload, sort_keys=True)] += 1
        return model.step(request)

    folder.mkdir(parents=True)
    wrong: list[str] = []
    tally: Counter[str] = Counter()
    late = 0
    with FaultyServer(script) as server:
        source, task = ROOT / "evalsets" / world.evalset, folder / "task.yaml"
        values = yaml.safe_load((source / "task.yaml").read_text()) | world.changes
        task.write_text(yaml.safe_dump(values | {"models": {"base": f"openai:tiny@{server.url}"}}))
        command = [sys.executable, "-m", "ladder", "assess", str(task), "--json"]
        command += ["--data", str(source), "--runs", str(folder / "runs")]

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip

        for _ in range(kills):
            process, chosen = start(), draw.choice(SIGNALS)
            time.sleep(draw.uniform(0.0, usual_s))
            process.send_signal(chosen)
            try:
                _, words = process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                wrong.append(f"{chosen.name} did not end it within {END_SECONDS} s")
                continue
            tally[chosen.name] += 1
            if process.returncode == 0:
                late += 1
            elif process.returncode not in CODES[chosen] | {-chosen}:
                wrong.append(
                    f"{chosen.name} ended with {process.returncode}: {words.strip()[-300:]}"
                )
            elif "Traceback" in words:
                wrong.append(f"{chosen.name} left a traceback: {words.strip()[-300:]}")
        process = start()
        out, words = process.communicate(timeout=600)
    found = assessment_in(out) or {}
    if decision(process.returncode, found) == "withheld" or not found:
        wrong.append(f"the last start ended with {process.returncode}: {words.strip()[-300:]}")
    again = sum(n - 1 for body, n in answered.items() if not body.startswith("timed "))
    if again > UNDER_WAY * kills:
        wrong.append(f"{again} answered requests asked again after {kills} kills")
    return Climbed(
        essence(found) if found else {}, tally, late, sum(answered.values()), again, tuple(wrong)
    )


def main() -> None:
    """Print the counts, and every climb that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chosen = [world for world in worlds() if world.name in ("prompt", "rag", "judged")]
    kills: Counter[str] = Counter()
    late = answered = again = climbs = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(asked.workers) as pool:
        folder = Path(scratch)
        usual, took = {}, {}
        for world in chosen:
            started = time.monotonic()
            usual[world.name] = climb(world, folder / world.name, Random(0), 0, 0.0)
            took[world.name] = time.monotonic() - started
        number = max(1, round(asked.kills / KILLS_A_CLIMB))
        jobs = []
        for at in range(number):
            world, draw = chosen[at % len(chosen)], Random(f"{asked.seed} {at}")
            place = folder / f"climb {at}"
            job = pool.submit(climb, world, place, draw, KILLS_A_CLIMB, took[world.name])
            jobs.append((world, job))
        for world, job in jobs:
            found = job.result()
            kills.update(found.kills)
            late, answered, again = (
                late + found.late,
                answered + found.answered,
                again + found.again,
            )
            climbs += 1
            changed = [] if found.answer == usual[world.name].answer else ["another answer"]
            wrong += [f"{world.name}: {each}" for each in (*found.wrong, *changed)]
    said = ", ".join(f"{name} {count}" for name, count in sorted(kills.items()))
    print(f"{sum(kills.values())} kills ({said}; {late} after the end) in {climbs} climbs")
    print(f"{answered:,} requests answered, {again} of them asked again (under way at a kill)")
    print(
        "\n".join(wrong) if wrong else "every answer, score and race equal to an undisturbed climb"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
