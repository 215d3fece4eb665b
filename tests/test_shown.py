"""A task, its rows and its model are hostile: nothing that any verb prints or writes can act."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from benches import saying
from conftest import ladder
from engines.faulty_server import FaultyServer, Seen, Step, failing
from harmful import ACTING, HOSTILE, acting, headings, live

pytestmark = pytest.mark.slow  # every test starts the program anew

PLANTED = HOSTILE.replace("\ud800", "")  # half a character is refused in rows and in YAML
TEXTS = [text.replace("\ud800", "") for text in ACTING.values()]
ROWS = 90


def planted(number: int) -> str:
    return TEXTS[number % len(TEXTS)]


def rows(name: str, count: int) -> list[dict[str, object]]:
    """Return rows in which everything but the numbered question is hostile."""
    return [
        {
            f"id {planted(1)}": f"{name} {at} {planted(at)}",
            "input": f"{name} question {at} {planted(at + 1)}",
            "target": f"answer {at % 3} {planted(at % 3)}",
            "stratum": f"kind {at % 3} {planted(5 + at % 3)}",
            "doc_ids": [f"doc {at % 20} {planted(at % 20)}"],
        }
        for at in range(count)
    ]


def documents() -> list[dict[str, str]]:
    return [
        {
            f"id {planted(1)}": f"doc {at} {planted(at)}",
            "title": f"title {at} {planted(at + 2)}",
            "text": f"fact {at} of document {at}: {planted(at + 3)}",
        }
        for at in range(20)
    ]


def write_lines(path: Path, values: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def plant(folder: Path, url: str, **more: object) -> Path:
    """Write a task folder whose every free text is hostile; return the task file."""
    folder.mkdir(parents=True)
    write_lines(folder / "test <b>[red]\u202e.jsonl", rows("test", ROWS))
    write_lines(folder / "train.jsonl", rows("train", 60))
    write_lines(folder / "documents.jsonl", documents())
    task = {
        "name": "planted",
        "goal": PLANTED,
        "data": {
            "test": "test <b>[red]\u202e.jsonl",
            "train": "train.jsonl",
            "documents": "documents.jsonl",
            "columns": {"id": f"id {planted(1)}", "group": f"none {PLANTED}"},
        },
        "answer": {"type": "label"},
        "score": "exact_match",
        "gate": {"min_score": 0.6},
        "models": {"base": f"openai:m<b>[red]\x1b[2J\u202e@{url}"},
        "prices": {"input_usd_per_1m": 1, "output_usd_per_1m": 1, "source": PLANTED},
        "rules": {"max_spend_usd": 100},
        "use": {"strata": {f"kind {at} {planted(5 + at)}": 1.0 for at in range(3)}},
        "rungs": ["prompt", "rag"],
    }
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump({**task, **more}))
    return path


def right(request: Seen) -> str:
    """Answer the question as its row does."""
    number = re.findall(r"(?:test|train) question (\d+)", request.question)[-1]
    return f"answer {int(number) % 3} {planted(int(number) % 3)}"


def shown(*words: object, code: int = 0, **more: str) -> str:
    """Run the command line; nothing on its two streams may act."""
    done = ladder(*words, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert not acting(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def written(run: Path) -> None:
    """Look through everything that a run wrote for people to read."""
    report = (run / "report.md").read_text()
    assert not acting(report)
    assert not live(report)
    known = ("What was measured", "prompt: ", "rag: ", "The rows", "Cost", "Evidence", "planted",
             "Which way of training")  # fmt: skip
    assert all(heading.startswith(known) for heading in headings(report)), headings(report)
    page, brief = ((run / name).read_text() for name in ("report.html", "brief.html"))
    assert not acting(page + brief)
    shows_samples = any(run.glob("*/samples.jsonl"))
    assert page.lower().count("<script") == (2 if shows_samples else 0)  # them, and what shows them
    assert brief.lower().count("<script") == 0
    assert not re.search(r"<(img|iframe|a [^>]*href=\"[^#])", page)
    assert not re.search(r"<(img|iframe|a [^>]*href=\"(?!report\.html\"))", brief)
    files = [path for path in run.rglob("*") if path.suffix in (".json", ".jsonl", ".yaml", ".svg")]
    assert files
    for path in files:
        assert not acting(path.read_text().replace("\u00ad", "")), path
    for path in run.rglob("*.svg"):
        assert "<script" not in path.read_text()


@pytest.mark.parametrize("passes", [True, False])
def test_every_verb_over_a_hostile_task(passes, tmp_path):
    with saying(right if passes else lambda _: PLANTED) as server:
        task = plant(tmp_path / "planted [red]\u202e\x1b[2J", server.url)
        runs = tmp_path / "runs <b>\u202e"
        told = shown("check", task)
        assert "no mistake found" in told
        assert "kind 0" in told
        shown("assess", task, "--dry-run", "--runs", runs)
        code = 0 if passes else 1
        told = shown("assess", task, "--runs", runs, code=code)
        assert "Answer: " in told
        [record] = runs.rglob("assessment.json")
        written(record.parent)
        told = shown("assess", task, "--runs", runs, "--json", code=code).splitlines()
        [again] = [line for line in told if line.startswith('{"event": "answer"')]
        assert json.loads(again)["found"]["task"]["goal"] == PLANTED
        assert not live(shown("report", runs, "--markdown"))
        shown("report", runs)
        if passes:
            shown("revalidate", record.parent)
            plan = record.parent / "revalidation.yaml"
            wrong = tmp_path / "wrong.yaml"
            values = yaml.safe_load(plan.read_text()) | {PLANTED: 1, "every_days": PLANTED}
            wrong.write_text(yaml.safe_dump(values))
            shown("revalidate", wrong, code=2)


@pytest.mark.parametrize(
    "step",
    [
        failing(400, PLANTED),
        failing(401, PLANTED),
        pytest.param(failing(500, PLANTED, retry_after="0"), marks=pytest.mark.long),
        Step(body=PLANTED.encode()),
    ],
    ids=["refused", "no key", "broken", "no JSON"],
)
def test_a_server_that_fails_with_hostile_words(step, tmp_path):
    with FaultyServer([step]) as server:
        task = plant(tmp_path / "planted", server.url)
        done = ladder("assess", task, "--runs", tmp_path / "runs")
        assert done.returncode in (1, 2)
        assert not acting(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr
        for record in (tmp_path / "runs").rglob("assessment.json"):
            written(record.parent)


BROKEN = {
    "an unknown key": {PLANTED: 1},
    "a wrong name": {"name": PLANTED},
    "a scorer": {"score": PLANTED},
    "a file": {"data": {"test": f"{PLANTED[:40]}.jsonl"}},
    "a place": {"data": {"test": f"../{PLANTED[:40]}.jsonl"}},
    "a model": {"models": {"base": PLANTED}},
    "a kind of model": {"models": {"base": f"openai:x@{PLANTED}"}},
    "a bundled model": {"models": {"base": f"bundled:{PLANTED.replace('@', '')}"}},
    "a recipe": {"training": {"recipe": PLANTED}, "rungs": ["lora"]},
    "a store": {"data": {"test": "train.jsonl", "store": f"qdrant:{PLANTED}"}},
    "code of a model": {"rules": {"remote_code": [PLANTED]}},
    "a schema": {"answer": {"type": "json", "schema": {"type": PLANTED, PLANTED: {}}}},
    "rungs": {"rungs": [PLANTED]},
    "a long text": {"seed": PLANTED * 100},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_messages_about_a_wrong_task_quote_harmlessly(change, tmp_path):
    task = plant(tmp_path / "planted", "http://127.0.0.1:9/v1", **change)
    told = shown("check", task, code=2)
    assert len(told) < 9000
    assert all(line.startswith((str(task.parent), "no recipe")) for line in told.splitlines())


TWICE = json.dumps({"id": PLANTED, "input": "a", "target": "b"})
WRONG_ROWS = {
    "no JSON": ("t.jsonl", PLANTED),
    "no column": ("t.jsonl", json.dumps({PLANTED: 1})),
    "half a character": ("t.jsonl", json.dumps({"input": "a", "target": "\x1b[2J\ud800"})),
    "an id twice": ("t.jsonl", f"{TWICE}\n{TWICE}"),
    "a column twice": ("t.csv", f'"{PLANTED}","{PLANTED}"\n1,2\n'),
    "one column": ("t.csv", f"a;{PLANTED}\n"),
    "too many cells": ("t.csv", f'input,target\n"{PLANTED}",b,c\n'),
}


@pytest.mark.parametrize(("name", "text"), WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_messages_about_wrong_rows_quote_harmlessly(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump({
        "name": "wrong", "goal": "Answer.", "data": {"test": name}, "score": "exact_match",
        "gate": {"min_score": 0.5},
    }))  # fmt: skip
    shown("check", task, code=2)


BROKEN_YAML = (
    "name: \x1b[2J", "name: [red\n\u202e: ]", "goal: !!<b>\u202e x", "a: *<b>\u202e", "\x9b: 1",
    "name: x\n\x1b",
)  # fmt: skip


@pytest.mark.parametrize("text", BROKEN_YAML)
def test_messages_about_broken_yaml_quote_harmlessly(text, tmp_path):
    for name, verb in (("task.yaml", "check"), ("revalidation.yaml", "revalidate")):
        (tmp_path / name).write_text(text)
        shown(verb, tmp_path / name, code=2)


def test_names_on_the_command_line_are_shown_harmlessly(tmp_path):
    name = "x [red]<b>\x1b[2J\u202e\n"
    (tmp_path / name).mkdir()
    for words in (
        ("check", tmp_path / name), ("check", tmp_path / f"{name}.yaml"),
        ("report", tmp_path / name),
        ("revalidate", tmp_path / name), ("train", name, "--task", tmp_path / "none.yaml"),
        ("recipes", "copy", name), ("export", tmp_path / f"{name}2"),
        ("assess", "x", "--data", tmp_path / f"{name}2"), ("assess", "x", f"--{name}"), (name,),
        ("schedule", "x", "--target", name),
    ):  # fmt: skip
        shown(*words, code=2)
    shown("passport", tmp_path / name, code=1)
    assert "Wrote" in shown("init", tmp_path / name / "new")
    assert "wrote" in shown("recipes", "copy", "lora", tmp_path / name / "own")
