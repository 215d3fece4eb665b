"""`--json`: what happens, an object a line; the page that says so holds."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import ROOT, Said, assessed
from engines.faulty_server import FaultyServer, Step, failing
from harmful import HOSTILE
from rich.console import Console

from ladder.errors import DataError, Problem
from ladder.progress import RungEnded, RungStarted, Spent
from ladder.report.events import NAMES, Answer, Events
from ladder.report.live import Live

PAGE = (ROOT / "docs" / "events.md").read_text()


def documented() -> dict[str, set[str]]:
    """Return the fields of each event, as the page has them."""
    found = {}
    for part in PAGE.split("\n### ")[1:]:
        rows = re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE)
        found[part.split("`")[1]] = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    return found


def test_the_page_names_every_event_and_every_field():
    assert documented() == {
        name: {each.name for each in fields(kind)} for kind, name in NAMES.items()
    }


# Rates and endings


class Clock:
    """Seconds, as a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def listening() -> tuple[Events, Clock, Callable[[], list[dict]]]:
    clock, out = Clock(), io.StringIO()
    events = Events(Live(Console(file=io.StringIO()), 60, clock), out, clock)
    return events, clock, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_step_is_told_of_at_its_ends_and_once_a_second():
    events, clock, told = listening()
    with events.step("racing", 2) as advance, events.step("Text/Label", 40) as inside:
        for done in range(1, 41):
            clock.now += 0.125
            inside(done, "1 failed")
        advance(1)
    lines = told()
    assert [line["event"] for line in lines] == ["step"] * len(lines)
    assert [(line["step"], line["ended"]) for line in (lines[0], lines[-1])] == [
        ("racing", False), ("racing", True),
    ]  # fmt: skip
    between = lines[1:-1]
    assert 4 <= len(between) <= 6  # of five seconds
    assert between[0] | {"at": ""} == {
        "event": "step", "at": "", "step": "Text/Label", "inside": ["racing"], "done": 8,
        "total": 40, "at_most": False, "note": "1 failed", "elapsed_s": 1.0, "left_s": 4.0,
        "run_left_at_most_s": None, "run_left_if_passed_s": None, "ended": False,
    }  # fmt: skip


def test_what_is_spent_is_told_once_a_second_and_in_the_end():
    events, clock, told = listening()
    events.tell(RungStarted("prompt", 1, 2))
    for calls in range(1, 31):
        clock.now += 0.1
        events.tell(Spent(calls, 10 * calls, 0.0, 0.0, 5.0))
    events.tell(RungEnded("prompt", "passed", "", 0.9, 0.8, 1.0, 25, 3.0))
    spent = [line["calls"] for line in told() if line["event"] == "spent"]
    assert 3 <= len(spent) <= 5
    assert spent[-1] == 30
    assert told()[-1]["event"] == "rung ended"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError([Problem("rows.csv", "nothing", "rows", "Write some.")]), 2, "rows.csv"),
        (KeyboardInterrupt(), 130, "stopped"),
        (RuntimeError("what"), 3, "a bug in ladder: RuntimeError: what"),
    ],
)
def test_an_error_is_the_last_line(error, code, words):
    events, _, told = listening()
    with pytest.raises(type(error)), events.until_the_end():
        raise error
    [line] = told()
    assert (line["event"], line["exit_code"]) == ("error", code)
    assert words in line["message"]


def test_values_that_json_has_no_word_for_and_signs_that_act():
    out = io.StringIO()
    events = Events(Live(Console(file=io.StringIO())), out)
    events.write(Answer(0, HOSTILE, {"infinite": float("inf"), "pair": (1, 2.5), HOSTILE: HOSTILE}))
    [line] = out.getvalue().splitlines()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)
    assert json.loads(line)["found"] == {"infinite": None, "pair": [1, 2.5], HOSTILE: HOSTILE}


# The verbs


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer([Step()]) as running:
        yield running


def task_at(folder: Path, url: str) -> Path:
    rows = [{"input": f"order {at}: {at % 7}", "target": f"loaves-{at}"} for at in range(160)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "task.yaml").write_text(
        "name: shop\ngoal: Say how many loaves.\ndata: {examples: rows.jsonl}\n"
        "score: contains\ngate: {min_score: 0.3}\nrungs: [prompt]\n"
        f"models: {{base: 'openai:any@{url}'}}\n"
    )
    return folder / "task.yaml"


def told_by(said: Said) -> list[dict]:
    return [json.loads(line) for line in said.out.splitlines()]


@pytest.mark.slow
def test_assess_tells_its_story_in_order(ladder, server, tmp_path):
    said = ladder("assess", task_at(tmp_path, server.url), "--runs", tmp_path / "runs", "--json")
    assert said.code == 1, said.errors
    lines = told_by(said)
    names = [line["event"] for line in lines]
    order = [
        "run started", "forecast", "rung started", "candidate started", "look", "rung ended",
        "answer",
    ]  # fmt: skip
    assert [name for name in dict.fromkeys(names) if name in order] == order
    known = documented()
    assert all(line.keys() == {"event", "at", *known[line["event"]]} for line in lines)
    looks = [line for line in lines if line["event"] == "look"]
    ended = next(line for line in lines if line["event"] == "rung ended")
    assert (looks[-1]["decision"], ended["status"]) == ("fail", "failed")
    assert looks[-1]["score"] == ended["score"]
    assert names[-1] == "answer"
    assert lines[-1]["exit_code"] == said.code
    record = json.loads((Path(lines[-1]["folder"]) / "assessment.json").read_text())
    assert lines[-1]["found"] == record
    last = [line for line in lines if line["event"] == "spent"][-1]
    assert last["calls"] <= len(server.seen)
    assert "No rung" in said.errors or "Answer" in said.errors  # people are told as well
    assert "prompt" in said.errors


@pytest.mark.slow
def test_who_watches_changes_no_decision(ladder, server, tmp_path):
    """The same task with a program that listens, with a log alone, and with nobody."""
    task, records = task_at(tmp_path, server.url), []
    for number, words in enumerate((["--json"], [])):
        runs = tmp_path / f"runs-{number}"
        assert ladder("assess", task, "--runs", runs, *words).code == 1
        [path] = runs.glob("*/*/assessment.json")
        records.append(json.loads(path.read_text()))
    first, second = (
        [
            (a["status"], a["race"], a["verdict"]["status"], a["measurement"]["score"],
             a["measurement"]["looks"], a["asked"]["calls"], a["asked"]["tokens"])
            for a in record["attempts"]
        ]
        for record in records
    )  # fmt: skip
    assert first == second
    assert records[0]["recommendation"] == records[1]["recommendation"]


def test_a_wrong_task_is_an_error_line_and_exit_2(ladder, tmp_path):
    task = task_at(tmp_path, "http://127.0.0.1:1/v1")
    task.write_text(task.read_text().replace("goal", "gaol"))
    said = ladder("assess", task, "--json")
    [line] = told_by(said)
    assert (said.code, line["event"], line["exit_code"]) == (2, "error", 2)
    assert "gaol" in line["message"]
    assert "gaol" in said.errors


@pytest.mark.slow
def test_an_endpoint_that_is_down_is_an_answer_without_a_verdict(ladder, tmp_path):
    with FaultyServer([failing(500)]) as server:
        said = ladder("assess", task_at(tmp_path, server.url), "--runs", tmp_path / "r", "--json")
    assert said.code == 2
    last = told_by(said)[-1]
    assert (last["event"], last["exit_code"]) == ("answer", 2)
    assert assessed(said.out)["recommendation"]["withheld"]


def test_train_of_a_task_that_it_cannot_learn_is_an_error(ladder, server, tmp_path):
    task = task_at(tmp_path, server.url)
    said = ladder("train", "no-such-recipe", "--task", task, "--runs", tmp_path / "r", "--json")
    assert said.code == 2
    last = told_by(said)[-1]
    assert (last["event"], last["exit_code"]) == ("error", 2)
    assert "no-such-recipe" in last["message"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 141)]
)
def test_a_run_that_is_ended_says_so_in_its_last_line(sent, code, tmp_path):
    """Or nobody reads its lines any more."""
    with FaultyServer([Step(delay_s=0.3)]) as server:
        task = task_at(tmp_path, server.url)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ladder", "assess", str(task),
             "--runs", str(tmp_path / "r"), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "candidate started":
                break
        if sent is None:
            process.stdout.close()
        else:
            process.send_signal(sent)
            lines += map(json.loads, process.stdout)
        assert process.wait(timeout=120) == code
    if sent is not None:
        assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("error", code)
