"""A rung, a served engine, a scorer and a scheduler from outside the package: a line each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

pytestmark = pytest.mark.slow  # every test starts the program anew

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COLOURS = ("red", "green", "blue")


def colour_of(question: str) -> str:
    return COLOURS[sum(map(ord, question)) % 3]


def questions(count: int) -> list[str]:
    """Return questions that no two share a word of."""
    draw = Random(7)
    made = ["".join(draw.choices("bdfgklmnprstvaeiou", k=9)) for _ in range(4 * count)]
    return [" ".join(made[4 * at : 4 * at + 4]) for at in range(count)]


class _Handler(BaseHTTPRequestHandler):
    """Knows the colours by heart, and tells them only after a checklist."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        system, question = asked["turns"][0][1], asked["turns"][-1][1]
        right = colour_of(question)
        text = right if "checklist" in system else "no idea"
        body = json.dumps({"text": text, "tokens": [7, 1]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/ask"
    server.shutdown()
    server.server_close()


def acme(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(HERE), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-P", "-m", "acme", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "PYTHONPATH": paths},
        timeout=300,
        check=False,
    )


def write_task(folder: Path, url: str) -> Path:
    rows = [{"input": asked, "target": colour_of(asked)} for asked in questions(240)]
    for name, part in (("train", rows[:80]), ("test", rows[80:])):
        lines = "".join(f"{json.dumps(row)}\n" for row in part)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    task = folder / "task.yaml"
    task.write_text(
        f"""\
name: colours
goal: Say which colour it has.
data: {{train: train.jsonl, test: test.jsonl}}
models: {{base: "far:tiny@{url}"}}
prices: {{input_usd_per_1m: 1.0, output_usd_per_1m: 2.0, source: "the price list"}}
score: starts_with
gate: {{min_score: 0.8, max_cost_usd_per_1k: 1.0}}
rungs: [prompt, checklist]
""",
        encoding="utf-8",
    )
    return task


def test_each_is_a_line(tmp_path: Path, url: str) -> None:
    task = write_task(tmp_path, url)
    checked = acme(tmp_path, "check", task)
    assert checked.returncode == 0, checked.stderr
    assert "no mistake found" in checked.stdout

    estimated = acme(tmp_path, "assess", task, "--dry-run")
    assert estimated.returncode == 0, estimated.stderr
    assert "checklist" in estimated.stdout

    assessed = acme(tmp_path, "assess", task, "--json")
    assert assessed.returncode == 0, assessed.stderr
    found = json.loads(assessed.stdout.splitlines()[-1])["found"]
    assert [(a["rung"], a["status"]) for a in found["attempts"]] == [
        ("prompt", "failed"),
        ("checklist", "passed"),
    ]
    assert found["recommendation"]["rung"] == "checklist"
    measured = found["attempts"][1]["measurement"]
    assert measured["cost_usd_per_1k"] == pytest.approx(0.009, rel=0.05)
    assert measured["fingerprint"] == {"far": "tiny"}

    [run] = [path.parent for path in (tmp_path / "runs").glob("*/*/assessment.json")]
    shown = acme(tmp_path, "report", run)
    assert shown.returncode == 0, shown.stderr
    assert "checklist" in shown.stdout
    again = acme(tmp_path, "revalidate", run / "revalidation.yaml")
    assert again.returncode == 0, again.stderr + again.stdout
    timer = acme(tmp_path, "schedule", run / "revalidation.yaml", "--target", "sundial")
    assert timer.returncode == 0, timer.stderr
    assert "on the first day of the week: ladder revalidate" in timer.stdout


def test_what_is_wrong_is_said_at_once(tmp_path: Path, url: str) -> None:
    task = write_task(tmp_path, url)
    text = task.read_text(encoding="utf-8")
    text = text.replace("[prompt, checklist]", "[prompt, checkliste]").replace("far:", "near:")
    task.write_text(text, encoding="utf-8")
    for verb in ("check", "assess", "synth"):
        refused = acme(tmp_path, verb, task)
        assert refused.returncode == 2, refused.stderr
        assert "`checkliste`" in refused.stderr, "the rung that there is not"
        assert "the kind `near`" in refused.stderr, "and the engine, in the same breath"
