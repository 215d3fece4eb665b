"""Two climbs of one task at the same time: real processes against a real server."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from conftest import ROOT, assessed
from engines.faulty_server import FaultyServer, Step

from ladder.engines.base import Abilities, Completion, Request
from ladder.files import digest_of
from ladder.models.cache import Cache, CachedEngine

WORDS = [digest_of(at)[:40] for at in range(160)]
ROWS = [
    {"input": " ".join(word[i : i + 5] for i in range(0, 40, 5)), "target": word[:5]}
    for word in WORDS
]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer([Step(delay_s=0.04)]) as running:
        yield running


def task_at(folder: Path, url: str) -> Path:
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "task.yaml").write_text(
        "name: shop\ngoal: Say how many loaves.\ndata: {examples: rows.jsonl}\n"
        f"score: contains\ngate: {{min_score: 0.3}}\nrungs: [prompt]\n"
        f"models: {{base: 'openai:any@{url}'}}\n"
    )
    return folder / "task.yaml"


def climb(task: Path, runs: Path, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ladder", "assess", str(task), "--runs", str(runs), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **variables},
    )  # fmt: skip


def asked(server: FaultyServer) -> list[str]:
    """What was asked to be answered; what was asked to be timed is sent anew."""
    untimed = [request.payload for request in server.seen if not request.payload.get("stream")]
    return [json.dumps(payload, sort_keys=True) for payload in untimed]


def ended(process: subprocess.Popen[bytes]) -> dict[str, object]:
    said, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 1), errors.decode()
    return assessed(said.decode())


@pytest.mark.slow
def test_two_climbs_at_once_ask_nothing_twice(server, tmp_path):
    task, runs = task_at(tmp_path / "task", server.url), tmp_path / "runs"
    first, second = climb(task, runs), climb(task, runs)
    one, other = ended(first), ended(second)
    assert len(asked(server)) > 60
    assert len(asked(server)) == len(set(asked(server)))
    assert one["recommendation"]["rung"] == other["recommendation"]["rung"]
    assert (
        one["attempts"][0]["measurement"]["score"] == other["attempts"][0]["measurement"]["score"]
    )
    assert not list(runs.glob(".*.alive"))
    with sqlite3.connect(runs / "completions.sqlite") as base:
        assert base.execute("SELECT count(*) FROM claims").fetchone() == (0,)


@pytest.mark.slow
def test_two_climbs_with_runs_of_their_own_share_answers_in_a_folder(server, tmp_path):
    """As on two machines: each has its own account and its own timings."""
    task, shared = task_at(tmp_path / "task", server.url), tmp_path / "shared"
    shared.mkdir()
    places = [tmp_path / "one", tmp_path / "two"]
    both = [climb(task, runs, LADDER_SHARED_CACHE=str(shared)) for runs in places]
    one, other = (ended(process) for process in both)
    assert len(asked(server)) > 60
    # Each greets the server, and asks whether it goes on with a text.
    assert len(asked(server)) - len(set(asked(server))) <= 2
    assert (
        one["attempts"][0]["measurement"]["score"] == other["attempts"][0]["measurement"]["score"]
    )
    assert one["recommendation"] == other["recommendation"]
    kept = [path for path in shared.glob("??/*") if path.suffix == ""]
    assert len(kept) > 60
    assert not list(shared.rglob("*.claim"))
    for runs in places:
        with sqlite3.connect(runs / "completions.sqlite") as base:
            kept_here = [json.loads(value) for (value,) in base.execute("SELECT value FROM kept")]
        assert not any(isinstance(value, dict) and "tokens_out" in value for value in kept_here)


@pytest.mark.slow
def test_what_a_killed_climb_was_asking_is_asked_by_the_other(server, tmp_path):
    task, runs = task_at(tmp_path / "task", server.url), tmp_path / "runs"
    first, second = climb(task, runs), climb(task, runs)
    while len(server.seen) < 30 or len(list(runs.glob(".*.alive"))) < 2:
        time.sleep(0.02)
        assert first.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    before = set(asked(server))
    ended(second)
    assert len(asked(server)) - len(set(asked(server))) <= 8  # what was under way
    assert set(asked(server)) > before


class Echo:
    """An engine that repeats the text, and fails on "bad" while `failing`."""

    abilities = Abilities(plain=True)

    def __init__(self, *, failing: bool = False) -> None:
        self.failing = failing
        self.asked: list[str] = []

    def fingerprint(self) -> dict[str, str]:
        return {"echo": "1"}

    def count_tokens(self, text: str) -> int:
        return len(text)

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        for at, request in enumerate(requests):
            self.asked.append(request.text)
            fails = self.failing and request.text == "bad"
            yield at, Completion(error="no") if fails else Completion(request.text)


def requests(*texts: str) -> list[Request]:
    return [Request(text=text) for text in texts]


def test_one_process_never_waits_for_itself(tmp_path):
    """Two engines over one file, one begun inside the other, and a third over another cache."""
    path = tmp_path / "c.sqlite"
    outer, inner = Echo(), Echo()
    open_one = CachedEngine(outer, Cache(path)).complete(requests("a", "b", "c"))
    next(open_one)
    found = dict(CachedEngine(inner, Cache(path)).complete(requests("c", "b", "d")))
    assert [found[at].text for at in range(3)] == ["c", "b", "d"]
    assert sorted(completion.text for _, completion in open_one) == ["b", "c"]
    assert list(tmp_path.glob(".*.alive"))


OTHER = """
import sys, time
from pathlib import Path
from ladder.engines.base import Abilities, Completion, Request
from ladder.models.cache import CachedEngine, Cache

class Slow:
    abilities = Abilities(plain=True)
    def fingerprint(self): return {"echo": "1"}
    def count_tokens(self, text): return len(text)
    def complete(self, requests):
        for at, request in enumerate(requests):
            print(request.text, flush=True)
            sys.stdin.readline()
            yield at, Completion(error="no") if request.text == "bad" else Completion("theirs")

cache = Cache(Path(sys.argv[1]))
engine = CachedEngine(Slow(), cache)
if sys.argv[2] == "fact":
    def compute():
        print("computing", flush=True)
        sys.stdin.readline()
        return "theirs"
    cache.remember("x", 1, compute)
else:
    for at, _ in engine.complete([Request(text=text) for text in sys.argv[2:]]):
        if at == 1 and sys.argv[2] == "drop":
            break
    print("done", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Another process over the same cache; it answers a question for each line it is sent."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OTHER, str(tmp_path / "c.sqlite"), *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
        assert started[-1].stdout.readline().strip() in (words[0], "computing")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def send(process: subprocess.Popen[str], lines: int = 1) -> None:
    process.stdin.write("\n" * lines)
    process.stdin.flush()


def test_what_another_is_asking_is_waited_for(tmp_path, other):
    theirs = other("a", "b")
    mine = Echo()
    answers = CachedEngine(mine, Cache(tmp_path / "c.sqlite")).complete(requests("a", "z", "b"))
    assert next(answers) == (1, Completion("z"))  # its own comes first
    send(theirs, 2)
    rest = dict(answers)
    assert {at: found.text for at, found in rest.items()} == {0: "theirs", 2: "theirs"}
    assert all(found.cached for found in rest.values())
    assert mine.asked == ["z"]


@pytest.mark.parametrize("way", ["fails", "gives up", "is killed"])
def test_what_another_does_not_get_is_asked_here(tmp_path, other, way):
    words = {"fails": ("bad",), "gives up": ("drop", "x", "bad"), "is killed": ("bad",)}[way]
    theirs = other(*words)
    if way == "is killed":
        threading.Timer(0.5, theirs.kill).start()
    else:
        send(theirs, 2 if way == "gives up" else 1)
    mine = Echo()
    [(_, found)] = CachedEngine(mine, Cache(tmp_path / "c.sqlite")).complete(requests("bad"))
    assert (found.text, mine.asked) == ("bad", ["bad"])
    assert len(list(tmp_path.glob(".*.alive"))) <= 2


def test_a_fact_is_worked_out_once_by_two_processes(tmp_path, other):
    theirs = other("fact")
    threading.Timer(0.5, send, [theirs]).start()
    assert Cache(tmp_path / "c.sqlite").remember("x", 1, lambda: 1 / 0) == "theirs"


def test_who_holds_claims_does_not_wait(tmp_path, other):
    """Else two processes, each inside a call of its own, could wait for each other for ever."""
    other("b")
    mine, cache = Echo(), Cache(tmp_path / "c.sqlite")
    outer = CachedEngine(mine, cache).complete(requests("a", "c"))
    next(outer)
    assert [found.text for _, found in CachedEngine(mine, cache).complete(requests("b"))] == ["b"]


def test_claims_end_with_their_call(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    stream = CachedEngine(Echo(), cache).complete(requests("a", "b"))
    next(stream)
    stream.close()
    list(CachedEngine(Echo(failing=True), cache).complete(requests("bad", "c")))
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        assert base.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    cache.close()
    assert not list(tmp_path.glob(".*.alive"))


def test_an_older_store_and_half_characters(tmp_path):
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        base.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        base.execute("INSERT INTO kept VALUES ('k', '[1]')")
    cache = Cache(tmp_path / "c.sqlite")
    assert cache.get(["k"]) == {"k": [1]}

    class Half(Echo):
        def complete(self, requests):
            yield 0, Completion("half \ud800")

    for _ in range(2):
        [(_, found)] = CachedEngine(Half(), cache).complete(requests("a"))
        assert found.text == "half ?"
