"""Does a fault of an endpoint ever change the answer? Every kind, by content and by time.

    python benchmarks/faults.py [--only WORD] [--workers 3] [--seed 0]

A real server on this machine answers as a small world says, and misbehaves on demand. Each line is
one whole `ladder assess` as a process of its own:

- *dead*: the server does so to every request. How many requests and seconds until the run ends,
  with exit 2 and the server's own words?
- *by content*: it does so to one request in ten, whichever are asked again.
- *first try*: to three in ten when they come for the first time.
- *by time*: to all, for 15 to 40 seconds, beginning at a random request.

The decision must be the one without a fault, or be withheld (exit 2, no verdict). Every answer
that was scored must be one that the server really gave to that input, and every candidate that
raced without an error must have the score that it has without faults.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import yaml
from told import assessment_in

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from engines.faulty_server import FaultyServer, Seen, Step, failing, raw  # noqa: E402

from ladder.evidence import Assessment  # noqa: E402
from ladder.report.reasons import why_withheld  # noqa: E402

MOST_REQUESTS, MOST_SECONDS = 25, 60
SHARE_BY_CONTENT, SHARE_FIRST_TRY = 0.1, 0.3
WINDOW_SECONDS = (15.0, 40.0)
RUN_LIMIT_SECONDS = 900
HUGE = b"x" * 50_000_000


def choice(**more: Any) -> Step:
    """Answer 200 with one choice."""
    return raw({"choices": [{"index": 0, **more}], "usage": USAGE})


USAGE = {"prompt_tokens": 11, "completion_tokens": 3}
KINDS: dict[str, Step] = {
    "HTTP 400": failing(400, "unknown parameter"),
    "HTTP 401": failing(401, "no such key"),
    "HTTP 403": failing(403, "not for you"),
    "HTTP 404": failing(404, "no such model"),
    "HTTP 422": failing(422, "cannot be processed"),
    "HTTP 429": failing(429, "slow down", retry_after="1"),
    "HTTP 500": failing(500, "out of memory"),
    "HTTP 503": failing(503, "loading"),
    "redirect": Step(307, b"", {"Location": "/elsewhere"}),
    "HTML": Step(200, b"<html><title>Sign in</title></html>", {"Content-Type": "text/html"}),
    "no choices": raw({"choices": []}),
    "error beside choices": raw(
        {"error": {"message": "upstream"}, "choices": [{"message": {"content": ""}}]}
    ),
    "refusal": choice(message={"content": None, "refusal": "I cannot help with that."}),
    "content filter": choice(message={"content": ""}, finish_reason="content_filter"),
    "empty": choice(message={"content": "  "}, finish_reason="stop"),
    "cut before any text": choice(message={"content": ""}, finish_reason="length"),
    "tool calls": choice(message={"content": None, "tool_calls": [{"id": "1"}]}),
    "broken gzip": Step(200, gzip.compress(b"{}" * 99)[:-9], {"Content-Encoding": "gzip"}),
    "huge body": Step(200, HUGE),
    "cut off": Step(200, b'{"choices": [', cut=True),
    "hangs": Step(delay_s=600),
}
PASSING = ("HTTP 429", "HTTP 500", "HTTP 503", "cut off", "hangs", "HTTP 404", "HTML", "no choices")
"""Kinds that a server may have for a while."""
SLOW = ("hangs",)
"""Each takes as long as a request may take, so not by content: a tenth of them are hours."""


@dataclass(frozen=True)
class World:
    """A task, and how the model behind the endpoint answers it."""

    name: str
    evalset: str
    changes: dict[str, Any]
    right: float = 0.95
    """Share of the inputs that it answers rightly, where nothing has to be read."""
    reads: bool = False
    """It knows an answer only where the document that holds it stands in the prompt."""


def worlds() -> list[World]:
    """Return tasks whose answers are: prompt, rag, none, a student, and prompt by a judge."""
    prices = {"input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0}
    asked = {"rungs": ["prompt", "rag"], "prices": prices, "rules": {"max_spend_usd": 50}}
    dear = {"min_score": 0.6, "max_cost_usd_per_1k": 0.005}
    judge = {"judge": {"rubric": "The answer names the same team as the reference."}}
    return [
        World("prompt", "r1_guest_feedback", asked),
        World("rag", "r2_ferry_handbook", asked, reads=True),
        World("none", "r1_guest_feedback", {**asked, "gate": {"min_score": 0.9}}, right=0.6),
        World(
            "distill", "r1_guest_feedback", {**asked, "gate": dear, "rungs": ["prompt", "distill"]}
        ),
        World("judged", "r1_guest_feedback", {**asked, "score": judge}),
    ]


@dataclass
class Model:
    """Answers as a world says, and remembers what it answered to which input."""

    world: World
    targets: dict[str, str]
    wrong: dict[str, str]
    documents: dict[str, list[str]]
    said: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def step(self, request: Seen) -> Step:
        """Return the answer to a request."""
        text = self.answer(request.question)
        self.said[request.question.split("\n")[-1]].add(text)
        return raw(
            {
                "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": len(request.question) // 4, "completion_tokens": 3},
            }
        )

    def answer(self, prompt: str) -> str:
        """Return what the model says to the last turn of a chat."""
        if "=== material ===" in prompt:  # it is the judge
            lines = prompt.splitlines()
            found = {k: v for line in lines for k, _, v in [line.partition(": ")] if v}
            return "yes" if found["reference"] == found["answer"] else "no"
        question = prompt.split("\n")[-1]
        if question not in self.targets:  # it is asked for an instruction
            return "Answer with the label alone."
        knows = drawn(question) < self.world.right
        if self.world.reads:
            knows = any(text in prompt for text in self.documents[question])
        return self.targets[question] if knows else self.wrong[question]


def drawn(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int.from_bytes(sha256(text.encode()).digest()[:6]) / 256**6


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def model_of(world: World) -> Model:
    """Return the model of a world, over the rows of its evalset."""
    folder = ROOT / "evalsets" / world.evalset
    samples = [row for name in ("train", "test") for row in rows(folder / f"{name}.jsonl")]
    texts = {row["id"]: " ".join(row["text"].split()) for row in rows(folder / "documents.jsonl")}
    labels = sorted({row["target"] for row in samples})
    return Model(
        world,
        {row["input"]: row["target"] for row in samples},
        {
            row["input"]: next(label for label in labels if label != row["target"])
            for row in samples
        },
        {row["input"]: [texts[one] for one in row.get("doc_ids", ())] for row in samples},
    )


Script = Callable[[Seen], Step]


@dataclass(frozen=True)
class Case:
    """One fault in one world."""

    world: World
    kind: str = ""
    when: str = "never"
    begins: int = 0
    """By time: at which request."""
    lasts_s: float = 0.0

    def script(self, model: Model) -> Script:
        """Return what the server does with each request."""
        seen: Counter[str] = Counter()
        opened: list[float] = []
        lock = threading.Lock()

        def fails(request: Seen) -> bool:
            body = json.dumps(request.payload, sort_keys=True)
            with lock:
                seen[body] += 1
                if sum(seen.values()) == self.begins:
                    opened.append(time.monotonic())
            if self.when == "by content":
                return drawn(body) < SHARE_BY_CONTENT
            if self.when == "first try":
                return seen[body] == 1 and drawn(body) < SHARE_FIRST_TRY
            if self.when == "by time":
                return bool(opened) and time.monotonic() - opened[0] < self.lasts_s
            return self.when == "dead"

        return lambda request: KINDS[self.kind] if fails(request) else model.step(request)


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: int
    decision: str
    seconds: float
    requests: int
    wrong: int
    """Answers scored that the server never gave to that input."""
    races: dict[str, tuple[float, int]]
    """Candidate that raced without an error -> its score and rows."""
    words: str


def run(case: Case, folder: Path) -> Ran:
    """Assess the case's task against its server."""
    model = model_of(case.world)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with FaultyServer(case.script(model)) as server:
        task = folder / "task.yaml"
        source = ROOT / "evalsets" / case.world.evalset
        values = yaml.safe_load((source / "task.yaml").read_text()) | case.world.changes
        values["models"] = {"base": f"openai:tiny@{server.url}"}
        task.write_text(yaml.safe_dump(values))
        command = [sys.executable, "-m", "ladder", "assess", str(task), "--json"]
        command += ["--data", str(source), "--runs", str(folder / "runs")]
        started = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=RUN_LIMIT_SECONDS,
            env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - started
        asked = len(server.seen)
    found = assessment_in(done.stdout) or {}
    inputs = {
        row["id"]: row["input"]
        for name in ("train", "test")
        for row in rows(source / f"{name}.jsonl")
    }
    wrong = 0
    for path in (folder / "runs").rglob("samples.jsonl"):
        if path.parent.name in ("prompt", "rag"):
            scored = [row for row in rows(path) if row["score"] is not None]
            wrong += sum(row["answer"] not in model.said[inputs[row["id"]]] for row in scored)
    races = {
        f"{attempt['rung']}: {line['description']}": (line["score"], line["n"])
        for attempt in found.get("attempts", ())
        for line in attempt["race"]
        if not line.get("errors") and line["n"]
    }
    why = why_withheld(Assessment.model_validate(found)) if found else ""
    words = why or done.stderr.strip()
    return Ran(
        done.returncode, decision(done.returncode, found), seconds, asked, wrong, races, words
    )


def decision(code: int, found: dict[str, Any]) -> str:
    """Return the answer of a run in a word or two."""
    answer = found.get("recommendation", {})
    if code == 2 and (not found or answer.get("withheld")):
        return "withheld"
    if code not in (0, 1):
        return f"exit {code}"
    return (answer.get("rung") or "none") + (
        ", leans to pass" if answer.get("leans_to_pass") else ""
    )


def cases(seed: int) -> Iterator[Case]:
    """Yield every fault in every world that it is tried in."""
    every, draw = worlds(), Random(seed)
    dead = next(world for world in every if world.name == "rag")
    for kind in KINDS:
        yield Case(dead, kind, "dead")
    for world in every:
        for kind in KINDS:
            if kind not in ("HTTP 401", *SLOW):
                yield Case(world, kind, "by content")
        for kind in PASSING:
            if kind not in SLOW:
                yield Case(world, kind, "first try")
        for kind in PASSING:
            lasts = draw.uniform(*WINDOW_SECONDS)
            yield Case(world, kind, "by time", draw.randrange(5, 400), lasts)


def judge(case: Case, ran: Ran, usual: Ran) -> str:
    """Return what is wrong with a run, or nothing."""
    if ran.wrong:
        return f"{ran.wrong} answers scored that were none"
    moved = [
        name for name, line in ran.races.items()
        if name in usual.races and usual.races[name][1] == line[1] and usual.races[name] != line
    ]  # fmt: skip
    if moved:
        return f"another score in the race: {moved[0]}"
    if case.when == "dead":
        if ran.decision != "withheld":
            return f"a dead endpoint ended with {ran.decision}"
        over = ran.requests > MOST_REQUESTS or ran.seconds > MOST_SECONDS + START_SECONDS
        return "too many requests, or too late" if over else ""
    return "" if ran.decision in (usual.decision, "withheld") else "another decision"


START_SECONDS = 10
"""Of the process itself, beside other runs: imports, rows, near-duplicates, the control."""


def main() -> None:
    """Print a line for every case, and how many held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose line holds this word")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chosen = [c for c in cases(asked.seed) if asked.only in f"{c.world.name} {c.when} {c.kind}"]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(asked.workers) as pool:
        folder = Path(scratch)
        usual = {}
        for world in {case.world.name: case.world for case in chosen}.values():
            usual[world.name] = run(Case(world), folder / world.name)
            found = usual[world.name]
            print(f"{world.name:9}no fault                        {found.decision:18}"
                  f"{found.requests:6,} requests {found.seconds:6.1f} s", flush=True)  # fmt: skip
        jobs = [(c, pool.submit(run, c, folder / f"case {n}")) for n, c in enumerate(chosen)]
        bad: list[str] = []
        tally: Counter[str] = Counter()
        for case, job in jobs:
            ran = job.result()
            fault = judge(case, ran, usual[case.world.name])
            same = "equal" if ran.decision == usual[case.world.name].decision else ran.decision
            tally[f"{case.when}, {same}"] += 1
            lasts = f" {case.lasts_s:.0f} s from request {case.begins}" if case.lasts_s else ""
            line = (
                f"{case.world.name:9}{case.when:11}{case.kind:21}{ran.decision:18}"
                f"{ran.requests:6,} requests {ran.seconds:6.1f} s{lasts}"
            )
            words = f"  «{ran.words[:150]}»" if case.when == "dead" else ""
            print(line + (f"  WRONG: {fault}" if fault else "") + words, flush=True)
            bad += [line] if fault else []
    print(f"\n{len(jobs) - len(bad)} of {len(jobs)} held: "
          + "; ".join(f"{name} {count}" for name, count in sorted(tally.items())))  # fmt: skip
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
